"""Read examples on disk: one flat file a field, memory-mapped, written once and in pieces."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from layerwise.data.spool import refused
from layerwise.errors import DataError, shown
from layerwise.spec import Spec

__all__ = ["Chunk", "Store"]

ONLY = "value"  # the field of a Spec without columns
FORMAT = 1


class Chunk(Protocol):
    """Some read examples: what `kinds.base.Read` holds, `kept` and `rejected` counted in rows of the"
    " source."""

    @property
    def values(self) -> Mapping[str, np.ndarray | list[np.ndarray]]: ...
    @property
    def kept(self) -> np.ndarray: ...
    @property
    def rejected(self) -> Mapping[int, str]: ...
    @property
    def facts(self) -> Mapping[str, np.ndarray]: ...


class Store:
    """Read examples, memory-mapped: as many as the disk holds, whatever the memory.

    `rows` (N,) int64 says which row of the source each example was, `rejected` why others are not here,
    `facts` holds arrays (N, ...) about the examples that no network sees.
    """

    def __init__(
        self,
        spec: Spec,
        fields: Mapping[str, np.ndarray | tuple[np.ndarray, np.ndarray]],
        rows: np.ndarray,
        *,
        rejected: Mapping[int, str],
        facts: Mapping[str, np.ndarray],
    ) -> None:
        """A field is an array (N, ...), or (values (sum of lengths, ...), offsets (N + 1,)) if padded."""
        self.spec, self.rows, self.rejected, self.facts = spec, rows, rejected, facts
        self._fields = fields

    @classmethod
    def pack(cls, folder: Path, spec: Spec, chunks: Iterable[Chunk]) -> Store:
        """Write chunks of examples into `folder`, which is made if need be, and open it.

        Memory holds one chunk at a time. Raises MachineError where the disk refuses.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "store.json").unlink(missing_ok=True)
            writers = [_Writer(folder, i, name, s) for i, (name, s) in enumerate(_fields(spec).items())]
            plain = _write(folder, writers, chunks)
        except OSError as error:
            raise refused(error, folder) from error
        plain |= {"format": FORMAT, "spec": spec.to_json()}
        _finish(folder, plain)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The store that `pack` wrote. Raises DataError if it is unfinished or damaged."""
        try:
            plain = json.loads((folder / "store.json").read_text())
            spec = Spec.from_json(plain["spec"])
            rows = np.load(folder / "rows.npy", allow_pickle=False)
            fields = {
                name: _mapped(folder, i, s, len(rows)) for i, (name, s) in enumerate(_fields(spec).items())
            }
            facts = {
                name: np.load(folder / f"fact{i}.npy", allow_pickle=False)
                for i, name in enumerate(plain["facts"])
            }
            rejected = {int(row): str(reason) for row, reason in plain["rejected"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{shown(folder)} holds no finished store of examples ({error}): read the data again"
            ) from error
        return cls(spec, fields, rows, rejected=rejected, facts=facts)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def bytes(self) -> int:
        """What the examples take on disk."""
        return sum(f[0].nbytes if isinstance(f, tuple) else f.nbytes for f in self._fields.values())

    @property
    def lengths(self) -> np.ndarray | None:
        """(N,) int64, the length of each example's longest field; None where all are of one shape."""
        ragged = [np.diff(f[1]) for f in self._fields.values() if isinstance(f, tuple)]
        return np.max(ragged, axis=0) if ragged else None

    def take(self, rows: Sequence[int] | np.ndarray) -> dict[str, np.ndarray | list[np.ndarray]]:
        """Those examples by field: (n, ...) copied, or a list of n arrays where lengths differ.

        `rows` are places in this store, not rows of the source.
        """
        return {name: _take(f, rows) for name, f in self._fields.items()}

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Where rows of the source stand in this store, in that order; rejected ones are left out."""
        if not len(self):
            return np.empty(0, np.int64)
        order = np.argsort(self.rows, kind="stable")
        near = np.minimum(np.searchsorted(self.rows, rows, sorter=order), len(self) - 1)
        found = order[near]
        return np.asarray(found[self.rows[found] == rows], np.int64)


def _fields(spec: Spec) -> Mapping[str, Spec]:
    return spec.columns or {ONLY: spec}


def _take(
    stored: np.ndarray | tuple[np.ndarray, np.ndarray], rows: Sequence[int] | np.ndarray
) -> np.ndarray | list[np.ndarray]:
    if isinstance(stored, tuple):
        values, offsets = stored
        return [values[offsets[r] : offsets[r + 1]] for r in rows]
    return stored.take(rows, axis=0)


class _Writer:
    """Writes one field, in numbered files: names of columns are the user's and no names of files."""

    def __init__(self, folder: Path, number: int, name: str, spec: Spec) -> None:
        self.name, self.spec = name, spec
        self.file: IO[bytes] = open(folder / f"{number}.bin", "wb")  # noqa: SIM115
        self.offsets_path = folder / f"{number}.offsets.npy"
        self.lengths: list[int] = []

    def add(self, values: np.ndarray | list[np.ndarray]) -> None:
        shape = tuple(s for s in self.spec.shape if s is not None)
        parts: Iterable[Any] = values if self.spec.padded else [values]
        for part in parts:
            array = np.asarray(part)
            if array.shape[1:] != shape or not np.can_cast(array.dtype, self.spec.dtype, "same_kind"):
                raise ValueError(
                    f"field {self.name!r} holds {array.dtype}{array.shape}, its Spec says"
                    f" {self.spec.dtype} {self.spec}"
                )
            self.lengths.append(len(array))
            self.file.write(np.ascontiguousarray(array, self.spec.dtype).data)

    def close(self) -> None:
        with self.file:
            self.file.flush()
            os.fsync(self.file.fileno())
        if self.spec.padded:
            np.save(self.offsets_path, np.cumsum([0, *self.lengths], dtype=np.int64))


def _write(folder: Path, writers: Sequence[_Writer], chunks: Iterable[Chunk]) -> dict[str, Any]:
    kept: list[np.ndarray] = []
    rejected: dict[int, str] = {}
    facts: dict[str, list[np.ndarray]] = {}
    with ExitStack() as stack:
        for writer in writers:
            stack.callback(writer.close)
        for chunk in chunks:
            rejected.update({int(row): reason for row, reason in chunk.rejected.items()})
            if not len(chunk.kept):
                continue
            kept.append(np.asarray(chunk.kept, np.int64))
            for writer in writers:
                writer.add(chunk.values[writer.name])
            for name, fact in chunk.facts.items():
                facts.setdefault(name, []).append(np.asarray(fact))
    np.save(folder / "rows.npy", np.concatenate([np.empty(0, np.int64), *kept]))
    for i, parts in enumerate(facts.values()):
        np.save(folder / f"fact{i}.npy", np.concatenate(parts), allow_pickle=False)
    return {"facts": list(facts), "rejected": {str(row): reason for row, reason in rejected.items()}}


def _finish(folder: Path, plain: Mapping[str, Any]) -> None:
    """Write store.json aside and rename it: a store without it is unfinished."""
    aside = folder / "store.json.new"
    try:
        with open(aside, "w") as f:
            json.dump(plain, f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(aside, folder / "store.json")
    except OSError as error:
        raise refused(error, folder) from error


def _mapped(folder: Path, number: int, spec: Spec, n: int) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    rest = tuple(s for s in spec.shape if s is not None)
    if not spec.padded:
        return _map(folder / f"{number}.bin", spec.dtype, (n, *rest))
    offsets = np.load(folder / f"{number}.offsets.npy", allow_pickle=False)
    if len(offsets) != n + 1 or (np.diff(offsets) < 0).any():
        raise ValueError("offsets do not fit the number of examples")
    return _map(folder / f"{number}.bin", spec.dtype, (int(offsets[-1]), *rest)), offsets


def _map(path: Path, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if path.stat().st_size != np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{path.name} has not the size of {dtype} {shape}")
    if 0 in shape:
        return np.empty(shape, dtype)  # an empty file cannot be mapped
    return np.asarray(np.memmap(path, dtype, "r", shape=shape))

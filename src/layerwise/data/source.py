"""Raw examples where they lie: named columns, nothing decoded until asked.

Everything is a table here. A folder of pictures is a table with a column of files and a column of
folder names; an .npz file is a table with a column of arrays. Which columns are inputs, target or
groups is said by `Roles`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import SEEK_END, SEEK_SET, BufferedReader, FileIO
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from layerwise.data.spool import Spool
from layerwise.errors import Rejected, shown

__all__ = ["MOST_BYTES", "PARTS", "Column", "File", "LeftOut", "Part", "Roles", "Source", "plain"]

MOST_BYTES = 1 << 30  # of one raw file; more is refused rather than read

Part: TypeAlias = Literal["train", "val", "test"]

PARTS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "heldout", "held-out", "t10k"), "test"),
}
"""What folders, files and cells are called that say which part of a split a row is in."""


def plain(text: str) -> str:
    """`text` with bytes that were no UTF-8 written out (`\\xff`), as a cell can hold it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class File:
    """One raw file: on disk, or a range of bytes inside an unpacked archive."""

    name: str  # as people see it: relative path with forward slashes; surrogate escapes kept
    where: Path  # the file itself, or the flat file that an archive was unpacked into
    start: int = 0
    size: int | None = None  # None: the whole file

    def bytes(self, most: int = MOST_BYTES) -> bytes:
        """What the file holds. Raises Rejected if it cannot be read or is larger than `most`."""
        try:
            with open(self.where, "rb") as f:
                f.seek(self.start)
                data = f.read(most + 1 if self.size is None else min(self.size, most + 1))
        except OSError as error:
            raise Rejected(f"cannot be read: {error.strerror or error}") from error
        if len(data) > most:
            raise Rejected(f"larger than {most >> 20} MB")
        return data

    def open(self) -> BufferedReader:
        """What the file holds as a stream that can be sought in; the caller closes it. Raises OSError."""
        return BufferedReader(_Range(self.where, self.start, self.size))

    def length(self) -> int | None:
        """Its size in bytes; None if it cannot be had."""
        if self.size is not None:
            return self.size
        try:
            return self.where.stat().st_size
        except OSError:
            return None

    @property
    def suffix(self) -> str:
        """The extension in lower case with its dot, or nothing."""
        return os.path.splitext(self.name)[1].lower()


class _Range(FileIO):
    """Some bytes of a file as if they were the whole of it."""

    def __init__(self, path: Path, start: int, size: int | None) -> None:
        super().__init__(path, "rb")
        self._start = start
        self._size = super().seek(0, SEEK_END) - start if size is None else size
        self.seek(0)

    def tell(self) -> int:
        return super().tell() - self._start

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        base = (0, self.tell(), self._size)[whence]
        return super().seek(self._start + max(0, base + offset), SEEK_SET) - self._start

    def readinto(self, buffer: Any, /) -> int:
        left = max(0, self._size - self.tell())
        return super().readinto(memoryview(buffer)[:left])


@dataclass(frozen=True)
class Column:
    """One named column. `values` are, by `holds`:

    files   a list of File, None where a table's cell is empty
    cells   a polars Series: numbers, text, dates, truth values, with nulls
    arrays  an array (N, ...), memory-mapped or not, or a list of arrays of unequal length (T, ...)
    """

    name: str
    holds: Literal["files", "cells", "arrays"]
    values: Any
    rate_hz: float | None = None  # of the time axis of arrays, where the file says it
    channels: tuple[str, ...] = ()  # names of the last axis of arrays, where they have names

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Sequence[int] | np.ndarray) -> Sequence[Any]:
        """The values of those rows, of the same type as `values`."""
        if isinstance(self.values, list):
            return [self.values[int(r)] for r in rows]
        return self.values[np.asarray(rows)]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class LeftOut:
    """A file or row that is not among the examples, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Source:
    """Raw examples: columns of equal length, an id for each row, and what was noticed on the way."""

    name: str  # "clips": names the model folder
    columns: Mapping[str, Column]
    ids: Sequence[str]  # path as given, or "row 12" (first row of data is 1); unique
    parts: np.ndarray | None = None  # (N,) of "train", "val", "test" where folders or files say so
    target: str | None = None  # what the layout itself says is the target: "class" of folders, "y" of npz
    group: str | None = None  # what the layout itself says are groups: "groups" of npz
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()  # what was guessed, a sentence each
    bytes: int | None = None  # on disk
    inputs: tuple[
        str, ...
    ] = ()  # what the layout itself says are the inputs: the files of a folder, "X" of npz
    pieces: tuple[str, ...] = ()  # columns that a template took out of the file names
    path: str = ""  # as the user gave it; empty for objects in memory
    spools: tuple[Spool, ...] = ()  # where archives were unpacked; files live as long as these

    @property
    def called(self) -> str:
        """What messages call it: the path as given, else the name."""
        return shown(self.path or self.name)[1:-1]

    def close(self) -> None:
        """Remove what was unpacked. Files of this source cannot be read any more."""
        for spool in self.spools:
            spool.close()

    def __len__(self) -> int:
        return len(self.ids)

    def renamed(self, name: str) -> Source:
        """The same with its only column called so; unchanged where it has several."""
        return self.alone(next(iter(self.columns)), name) if len(self.columns) == 1 else self

    def alone(self, column: str, name: str) -> Source:
        """The same with only that column, called `name`."""
        return replace(self, columns={name: replace(self.columns[column], name=name)}, inputs=(name,))

    def chunk(self, names: Sequence[str], rows: Sequence[int] | np.ndarray) -> dict[str, Sequence[Any]]:
        """Those columns at those rows: what a Reader reads."""
        return {name: self.columns[name].take(rows) for name in names}


@dataclass(frozen=True)
class Roles:
    """Which columns are what. `targets` has several names where tags stand in 0/1 columns."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    group: str | None = None
    split: str | None = None
    time: str | None = None
    weight: str | None = None
    test: tuple[str, ...] = ()  # cells of `split` that mean held out; none: its cells are names of parts
    notes: tuple[str, ...] = ()  # guesses in words, with the option that overrides

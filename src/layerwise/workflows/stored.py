"""Examples of a source, read once into a store, and what they are for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.data import Roles, Source, Split, Store, read_rows
from layerwise.data.source import LeftOut
from layerwise.errors import DataError, UsageError, listed, shown, suggest
from layerwise.kinds.base import Kind, Reader
from layerwise.look import Parts
from layerwise.nn.options import checked
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.workflows.narrate import Narrator

__all__ = ["Stored", "all_for_training", "every", "make_reader", "pack"]

LEAST_FOR_VALIDATION = 200  # training rows; with fewer, all of them train


@dataclass(frozen=True)
class Stored:
    """Examples of a source, read into a store. All arrays of rows index the store."""

    source: Source
    roles: Roles
    kind: Kind
    kind_why: str
    split: Split
    reader: Reader
    store: Store

    @property
    def spec(self) -> Spec:
        """What one read example looks like."""
        return self.reader.spec

    @cached_property
    def train(self) -> np.ndarray:
        """The rows that are learned from."""
        return self.store.places(self.split.train)

    @cached_property
    def validation(self) -> np.ndarray:
        """The rows that are looked at while learning."""
        return self.store.places(self.split.validation)

    @cached_property
    def test(self) -> np.ndarray:
        """The rows that are held out."""
        return self.store.places(self.split.test)

    @cached_property
    def groups(self) -> np.ndarray | None:
        """(N,) the group of each row; None where there are none."""
        return None if self.split.groups is None else self.split.groups[self.store.rows]

    @property
    def parts(self) -> Parts:
        """The rows by what they are for, and why."""
        return Parts(self.train, self.validation, self.test, self.split.why)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Everything that is not among the examples, and why."""
        unread = [LeftOut(self.source.ids[row], why) for row, why in sorted(self.store.rejected.items())]
        return (*self.source.left_out, *unread)

    def ids(self, rows: np.ndarray) -> list[str]:
        """The ids of stored examples."""
        return [self.source.ids[int(self.store.rows[r])] for r in rows]

    def say_left_out(self, narrator: Narrator) -> None:
        """Tell what could not be read, the commonest reasons first: `4 empty, 5 not sound`."""
        left_out = self.left_out
        if not left_out:
            return
        counts: dict[str, int] = {}
        for one in left_out:
            counts[one.reason] = counts.get(one.reason, 0) + 1
        ranked = sorted(counts.items(), key=lambda item: -item[1])
        told = ", ".join(f"{n:,} {reason}" for reason, n in ranked[:3]) + (", ..." if len(ranked) > 3 else "")
        narrator.say("Left out", f"{len(left_out):,}: {told} (listed in the report)")


def pack(
    source: Source,
    names: tuple[str, ...],
    reader: Reader,
    rows: np.ndarray,
    *,
    run: Path,
    workers: int | None,
) -> Store:
    """Read those rows once, into a store. Raises DataError where none can be read."""
    store = Store.pack(run / "store", reader.spec, read_rows(source, reader, names, rows, workers=workers))
    if not len(store):
        row, why = next(iter(sorted(store.rejected.items())))
        raise DataError(
            f"none of the {len(rows):,} examples in {shown(source.name)} can be read; the first, "
            f"{shown(source.ids[row])}: {why}"
        )
    return store


def make_reader(kind: Kind, settings: Mapping[str, Any]) -> Reader:
    """The kind's reader with settings by name. Raises UsageError for one it does not have."""
    known = list(inspect.signature(kind.reader).parameters)
    for name in settings:
        if name not in known:
            raise UsageError(
                f"no line {shown('reading.' + name)} in the recipe{suggest(name, known) or '.'} "
                f"Lines of reading for {kind.plural}: {listed(known)}"
            )
    checked(kind.reader, settings)
    return kind.reader(**settings)


def every(split: Split) -> np.ndarray:
    return np.sort(np.concatenate([split.train, split.validation, split.test]))


def all_for_training(n: int, seed: int) -> Split:
    """Nothing held out; from 200 rows on a tenth is kept for calibration, and to look at while learning."""
    rows, none = np.arange(n), np.empty(0, np.int64)
    if n < LEAST_FOR_VALIDATION:
        return Split(rows, none, none, "given", "all rows train")
    kept = np.sort(Randomness(seed).at("split").numpy("validation").permutation(n)[: n // 10])
    return Split(
        np.setdiff1d(rows, kept), kept, none, "given", "all rows train, a tenth is looked at meanwhile"
    )

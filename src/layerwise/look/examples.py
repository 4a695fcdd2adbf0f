"""Stored examples as things to look at or listen to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from layerwise.data import Store
from layerwise.findings import Media
from layerwise.kinds.base import Kind
from layerwise.spec import Spec

__all__ = ["Examples", "Where", "positions"]

POSITIONS = ("time", "height", "width")
LEAST = 8  # positions that are shown of an example along each axis
LEAST_SECONDS = 0.5

Where: TypeAlias = tuple[tuple[int, int], ...]
"""(start, end) along each position axis of the input: time; or height and width."""


@dataclass(frozen=True)
class Examples:
    """Some rows of a store with their ids, shown as their kind shows them."""

    kind: Kind
    store: Store
    rows: np.ndarray
    ids: Sequence[str]  # of `rows`, in the same order

    def __len__(self) -> int:
        return len(self.rows)

    def show(self, at: int, where: Where | None = None) -> Media:
        """The example at position `at` of `rows`; with `where` that part of it and a little around it."""
        taken = self.store.take(self.rows[at : at + 1])
        one = {name: np.array(field[0]) for name, field in taken.items()}
        if where is not None:
            one = {name: _cut(field, self.store.spec, where) for name, field in one.items()}
        return self.kind.show(one, self.store.spec)

    def lengths(self, at: int) -> tuple[int, ...]:
        """How long the example is along each position axis; () for a table of several groups of columns."""
        spec = self.store.spec
        if spec.columns:
            return ()
        one = np.asarray(next(iter(self.store.take(self.rows[at : at + 1]).values()))[0])
        return tuple(one.shape[spec.axes.index(axis)] for axis in positions(spec))


def positions(spec: Spec) -> tuple[str, ...]:
    """The axes of a Spec along which one can say where something is."""
    return tuple(axis for axis in spec.axes if axis in POSITIONS)


def _cut(field: np.ndarray, spec: Spec, where: Where) -> np.ndarray:
    """The part of one example, widened where it would be too short to look at or listen to."""
    for axis, (start, end) in zip(positions(spec), where, strict=True):
        least = LEAST
        if axis == "time" and spec.rate_hz is not None:
            least = max(LEAST, int(LEAST_SECONDS * spec.rate_hz))
        place = spec.axes.index(axis)
        length = field.shape[place]
        size = min(length, max(least, end - start))
        first = min(max(0, (start + end - size) // 2), length - size)
        field = field.take(np.arange(first, first + size), axis=place)
    return field

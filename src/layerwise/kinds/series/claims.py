"""Whether arrays are series: by their axes, or by neighbouring columns that are alike."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

import numpy as np

from layerwise.data.source import Column

__all__ = ["claims"]

DRAW = 1_000  # rows that are looked at
SHORTEST = 16  # columns; of fewer, likeness of neighbours says little
ALIKE = 0.7  # mean correlation of neighbouring columns
PAIRS = 2_000  # of columns, drawn to see how alike any two are
NUMBERS = "iufb"


def claims(columns: Mapping[str, Column]) -> str | None:
    """The reason why the only column holds series: arrays with a time axis, or whose columns are in order."""
    if len(columns) != 1:
        return None
    (column,) = columns.values()
    if column.holds != "arrays" or not len(column):
        return None
    if isinstance(column.values, np.ndarray):
        return _stacked(column.values)
    if all(np.ndim(one) in (1, 2) and np.asarray(one).dtype.kind in NUMBERS for one in column.values[:DRAW]):
        lengths = [len(one) for one in column.values]
        return f"arrays of {min(lengths):,} to {max(lengths):,} steps"
    return None


def _stacked(values: np.ndarray) -> str | None:
    if values.dtype.kind not in NUMBERS:
        return None
    if values.ndim == 3:
        steps, channels = values.shape[1:]
        return f"arrays of {steps:,} steps and {channels:,} channel{'s' * (channels != 1)}"
    if values.ndim != 2 or values.shape[1] < SHORTEST or len(values) < 2:
        return None
    some = values[np.linspace(0, len(values) - 1, min(len(values), DRAW)).astype(np.int64)]
    near, far = _likeness(some.astype(np.float64))
    if near < ALIKE or 1 - near > 0.5 * (1 - far):
        return None
    return (
        f"neighbours among the {values.shape[1]:,} columns are alike (correlation {near:.2f},"
        f" {far:.2f} for any two), so they are steps in time; --kind table if not"
    )


def _likeness(x: np.ndarray) -> tuple[float, float]:
    """Mean correlation of neighbouring columns of `x` (N, F), and the mean size of that of any two.

    A picture laid out in one row has no neighbours in this sense: there columns a line apart are more alike
    than columns half a line apart.
    """
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    z = np.where(known, x - np.where(known, x, 0).sum(axis=0) / count, 0)
    spread = np.sqrt(np.square(z).sum(axis=0) / count)
    z = np.where(spread > 0, z / np.where(spread > 0, spread, 1), 0)  # constant columns are 0 from here on
    width = z.shape[1]

    if np.count_nonzero(z.any(axis=0)) < SHORTEST:
        return 0.0, 0.0

    def apart(steps: int) -> float:
        related = _related(z, np.arange(width - steps), np.arange(steps, width))
        return float(related.mean()) if len(related) else 0.0

    near, line = apart(1), isqrt(width)
    if line * line == width and apart(line) > apart(line // 2) + 0.1:
        return 0.0, 0.0
    pairs = np.random.default_rng(0).integers(0, width, (2, PAIRS))
    one, other = pairs[:, pairs[0] != pairs[1]]
    return near, float(np.abs(_related(z, one, other)).mean())


def _related(z: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlations of pairs of standardised columns, pairs with a constant one left out."""
    changes = np.asarray(z.any(axis=0))
    both = changes[one] & changes[other]
    return np.asarray(np.einsum("nf,nf->f", z[:, one[both]], z[:, other[both]]) / len(z))

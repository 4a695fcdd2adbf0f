"""Whether arrays are series: by their axes, or by neighbouring columns that are alike."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

import numpy as np

from layerwise.data.source import Column

__all__ = ["claims"]

DRAW = 1_000  # rows that are looked at
SHORTEST = 16  # columns; of fewer, likeness of neighbours says little
ALIKE = 0.6  # mean correlation of neighbouring columns
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

    Neighbours of a picture laid out in one row count as strangers: there the column one line further is
    alike too, but not the one half a line further.
    """
    x = np.where(np.isfinite(x), x, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    z = np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)
    z = z[:, z.any(axis=0)]
    if z.shape[1] < SHORTEST:
        return 0.0, 0.0
    related = z.T @ z / len(z)
    near = float(np.diag(related, 1).mean())
    side = isqrt(x.shape[1])
    if side * side == x.shape[1] == related.shape[0] or side * side == x.shape[1]:
        line, half = (float(np.diag(related, lag).mean()) for lag in (side, side // 2))
        if line > half + 0.1:
            return 0.0, 0.0
    size = len(related)
    far = float((np.abs(related).sum() - size) / (size * (size - 1)))
    return near, far

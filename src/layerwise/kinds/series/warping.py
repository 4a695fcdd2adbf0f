"""Distances between series whose time may run faster or slower: dynamic time warping."""

from __future__ import annotations

import numpy as np

__all__ = ["warped_distances"]

BLOCK = 4_000_000  # values in flight


def warped_distances(x: np.ndarray, y: np.ndarray, *, window: float = 0.1) -> np.ndarray:
    """(N, M) distances of `x` (N, T, C) to `y` (M, T, C) under dynamic time warping (Sakoe and Chiba 1978).

    The square root of the least sum of squared distances over all ways through the T x T moments that begin
    and end together, never go back, and stray at most `window` of the length from the diagonal. With a
    window of 0 it is the Euclidean distance.
    """
    size = max(1, BLOCK // max(1, len(y) * x.shape[1]))
    blocks = [_block(x[i : i + size], y, round(window * x.shape[1])) for i in range(0, len(x), size)]
    return np.concatenate(blocks) if blocks else np.zeros((0, len(y)), np.float32)


def _block(x: np.ndarray, y: np.ndarray, band: int) -> np.ndarray:
    """The same for one block, row by row of the moments; cells are numbered from the left of the band."""
    far: np.ndarray = np.full((len(x), len(y)), np.inf, np.float32)
    above = [far] * (2 * band + 2)
    for i in range(x.shape[1]):
        row = [far] * (2 * band + 2)
        for k in range(max(0, band - i), min(2 * band + 1, x.shape[1] - i + band)):
            before = np.minimum(np.minimum(above[k], above[k + 1]), row[k - 1] if k else far)
            start = i == 0 and k == band
            row[k] = _cost(x[:, i], y[:, i + k - band]) + (np.float32(0) if start else before)
        above = row
    return np.asarray(np.sqrt(above[band]))


def _cost(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) squared distances of moments (N, C) and (M, C)."""
    cost = np.zeros((len(a), len(b)), np.float32)
    for one, other in zip(a.T, b.T, strict=True):
        cost += np.square(one[:, None] - other)
    return cost

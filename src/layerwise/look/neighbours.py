"""Nearest neighbours: whether examples of one class lie together, with nothing fitted."""

from __future__ import annotations

import numpy as np

__all__ = ["nearest_votes"]

AT_ONCE = 1 << 24  # similarities in flight


def nearest_votes(
    x: np.ndarray, y: np.ndarray, asked: np.ndarray, *, k: int = 20, temperature: float = 0.1
) -> np.ndarray:
    """(M, K) shares of the votes of the `k` rows of `x` (N, F) nearest by angle to each of `asked` (M, F).

    `y` (N, K) are one-hot classes; a neighbour's vote weighs exp(cosine / temperature) (Wu, Xiong, Yu and
    Lin 2018, section 3.4). Of zeros the cosine counts as 0.
    """
    x, asked = _unit(x), _unit(asked)
    k = min(k, len(x))
    votes = np.zeros((len(asked), y.shape[1]))
    size = max(1, AT_ONCE // len(x))
    for start in range(0, len(asked), size):
        cosines = asked[start : start + size] @ x.T
        near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        close = np.take_along_axis(cosines, near, axis=1)
        weights = np.exp((close - close.max(axis=1, keepdims=True)) / temperature)
        votes[start : start + size] = (weights[:, :, None] * y[near]).sum(axis=1)
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def _unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)

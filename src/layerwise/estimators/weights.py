"""Sample weights as scikit-learn means them: a row of weight 2 is a row that stands twice.

Whole-number weights become repeated rows and all rows are ordered by content before anything is
fitted. So a weight and the same number of repetitions give one and the same training set, in the same
order, and everything after it (reader, validation part, batches, dropout) is equal bit for bit.
Fractions cannot be repetitions and weigh the loss.
"""

from __future__ import annotations

import numpy as np

from layerwise.errors import DataError

__all__ = ["arranged", "checked_weights"]


def checked_weights(weights: object, n: int) -> np.ndarray | None:
    """(n,) float64 weights, finite and not negative; None stays None."""
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(n, float(array))
    if array.shape != (n,):
        raise ValueError(
            f"sample_weight needs one number for each of the {n} rows, got the shape {array.shape}"
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError("sample_weight needs finite numbers of at least 0; leave rows out by weight 0")
    if not (array > 0).any():
        raise DataError(
            "every sample weight is zero, so there is nothing to learn from: give some rows a weight"
        )
    return array


def arranged(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Which rows to train on, repeated and in order of content, and their weights where those are fractions."""
    rows = np.arange(len(X))
    fractions: np.ndarray | None = None
    if (
        weights is not None
        and np.array_equal(weights, np.round(weights))
        and weights.sum() <= 4 * len(X) + 1000
    ):
        rows = np.repeat(rows, weights.astype(np.int64))
    elif weights is not None:
        rows = np.flatnonzero(weights > 0)
        fractions = weights[rows]
    order = _by_content(X[rows], y[rows], fractions)
    return rows[order], None if fractions is None else fractions[order]


def _by_content(X: np.ndarray, y: np.ndarray, fractions: np.ndarray | None) -> np.ndarray:
    """A stable order of rows that depends on what they hold alone."""
    keys = [y] if y.ndim == 1 else list(y.T)
    parts = [X.reshape(len(X), -1), *(k.reshape(-1, 1) for k in keys)]
    if fractions is not None:
        parts.append(fractions.reshape(-1, 1))
    table = np.ascontiguousarray(np.hstack([np.asarray(p, np.float64) for p in parts]))
    as_bytes = table.view(np.dtype((np.void, table.dtype.itemsize * table.shape[1]))).reshape(-1)
    return np.argsort(as_bytes, kind="stable")

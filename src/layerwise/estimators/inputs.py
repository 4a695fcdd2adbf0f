"""What may be handed to an estimator as X, and how much of it scikit-learn's own checks can look at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from layerwise.data import Column
from layerwise.errors import DataError
from layerwise.kinds import KINDS

__all__ = ["kind_of", "plain", "varying"]


def plain(X: Any) -> bool:
    """Whether X is, or should be, a matrix of numbers (N, F), which scikit-learn checks."""
    if isinstance(X, str | os.PathLike):
        return False
    if isinstance(X, list | tuple) and X and all(isinstance(x, str | os.PathLike) for x in X):
        return False
    if isinstance(X, list | tuple) and X and all(isinstance(x, np.ndarray) and x.ndim > 1 for x in X):
        return False
    if isinstance(X, np.ndarray) and X.ndim > 2:
        return False
    if not hasattr(X, "columns"):
        return True
    return all(str(t).lower().startswith(("int", "uint", "float", "bool")) for t in X.dtypes)


def kind_of(columns: Mapping[str, Column]) -> str:
    """The kind of those columns; a matrix of numbers is a table here, whatever else it might be."""
    only = next(iter(columns.values()))
    if only.holds == "arrays" and np.ndim(only.values) == 2:
        return "table"
    claimed = (kind.name for kind in KINDS if kind.claims(columns) is not None)
    return next(claimed, "table")


def varying(X: np.ndarray) -> None:
    """Raise DataError where no column of a matrix (N, F) differs from row to row: nothing can be learned from it."""
    low, high = np.fmin.reduce(X), np.fmax.reduce(X)  # NaN where all are
    if not (low < high).any():
        empty = np.isnan(low)
        found = "missing" if empty.all() else "constant or missing" if empty.any() else "constant"
        raise DataError(
            f"every column of X is {found} throughout, and nothing is learned from what never differs: give"
            " columns that vary"
        )

"""What may be handed to an estimator as X, and how much of it scikit-learn's own checks can look at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from layerwise.data import Column
from layerwise.errors import UsageError, shown
from layerwise.kinds import KINDS

__all__ = ["kind_of", "plain", "seed_of", "widths_of"]


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


def seed_of(random_state: Any) -> int:
    """What scikit-learn calls a random state as a seed; None draws one."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    return int(random_state)


def widths_of(widths: Any) -> tuple[int, ...]:
    """How many units each level has. Raises UsageError for what is no list of them."""
    if not isinstance(widths, Sequence | np.ndarray) or isinstance(widths, str):
        raise UsageError(
            f"widths is a list with the units of each level, such as [500, 250], got {shown(widths)}"
        )
    return tuple(int(w) for w in widths)

"""What tasks share: cells as Python values, which of them are missing, weighted means, figures in words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from layerwise.errors import DataError, ModelError, UsageError, shown
from layerwise.recipe import Training

__all__ = [
    "cells",
    "explained",
    "missing",
    "numbers",
    "one_column",
    "refuse",
    "restored",
    "share",
    "weighted_mean",
]


def cells(targets: Any) -> list[Any]:
    """Target values as plain Python ones: bool, int, float, str, None or a list of these; others as text."""
    if isinstance(targets, pl.Series):
        targets = targets.to_list()
    elif isinstance(targets, np.ndarray):
        targets = targets.tolist()
    return [v if type(v) in PLAIN else _plain(v) for v in targets]


PLAIN = (str, int, float, bool, type(None))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple | np.ndarray | pl.Series):
        return cells(list(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, PLAIN) else str(value)


def one_column(targets: Any) -> list[Any]:
    """The cells of one target column. Raises DataError where there are several."""
    if isinstance(targets, np.ndarray) and targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    found = cells(targets)
    several = next((v for v in found if isinstance(v, list)), None)
    if several is not None:
        raise DataError(
            f"the target holds {shown(several)}, expected one value a row: name one column with --target, or"
            " ask for several labels a row with --task tags"
        )
    return found


def missing(value: Any) -> bool:
    """Whether a cell is empty: None, NaN or infinite, or text of blanks."""
    if isinstance(value, float):
        return not isfinite(value)
    return value is None or (isinstance(value, str) and not value.strip())


def weighted_mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """The mean of losses (N,) or (N, k); a row of weight 2 counts as one that stands twice."""
    if weights is None:
        return losses.mean()
    if losses.ndim == 2:
        losses = losses.mean(1)
    return (losses * weights).sum() / weights.sum().clamp_min(1e-12)


def refuse(task: str, training: Training, *names: str) -> None:
    """Raise UsageError where one of these lines of the recipe is set, which `task` has no use for."""
    for name in names:
        if getattr(training, name):
            raise UsageError(
                f"training.{name} is {shown(getattr(training, name))}, which is for classes; the task is"
                f" {task}: leave it out, or choose another task with --task"
            )


def restored(plain: Mapping[str, Any], name: str, known: Mapping[str, type]) -> dict[str, Any]:
    """The fields of a task's state, checked. Raises ModelError where one is missing or of another type."""
    if plain.get("task") != name:
        raise ModelError(f"the model's task is {shown(plain.get('task'))}, expected {shown(name)}")
    for key, kinds in known.items():
        value = plain.get(key)
        if kinds is float:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        else:
            fits = isinstance(value, kinds)
        if not fits:
            raise ModelError(f"the model's task has {shown(key)} = {shown(value)}: the folder is damaged")
    return {key: plain[key] for key in known}


def share(value: float) -> str:
    """A share as a count that people can picture: `71 of 100`, `994 of 1,000` near the ends."""
    if 0.01 < value < 0.99 or value in (0.0, 1.0):
        return f"{round(100 * value)} of 100"
    if 0.001 < value < 0.999:
        return f"{round(1000 * value)} of 1,000"
    return f"{round(10_000 * value):,} of 10,000"


def explained(r2: float) -> str:
    """The coefficient of determination as people say it."""
    if r2 <= 0:
        return "no better than always answering the mean"
    return f"explains {100 * r2:.0f} % of the variance"


def numbers(targets: Any, *, mark: bool = False) -> np.ndarray:
    """Targets as float64 of their shape; text is read as a number.

    Raises DataError where a cell is no finite number; with `mark` it becomes NaN.
    """
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "biuf":
        found = targets.astype(np.float64)
    else:
        rows = cells(targets)
        plain = [[_number(v, mark) for v in r] if isinstance(r, list) else _number(r, mark) for r in rows]
        found = np.array(plain, np.float64)
    if not mark and not np.isfinite(found).all():
        where = int(np.argwhere(~np.isfinite(found))[0][0])
        raise DataError(f"row {where + 1:,} of the target is {found[where]}, expected a finite number")
    return found


def _number(value: Any, mark: bool) -> float:
    if missing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        if mark:
            return float("nan")
        raise DataError(
            f"the target holds {shown(value)}, expected a number: leave such rows out, or ask for"
            " classes with --task classify"
        ) from None

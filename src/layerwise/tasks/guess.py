"""What the targets ask for, guessed from what they look like, with the reason in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from layerwise.errors import DataError, listed, shown
from layerwise.tasks.common import cells, missing
from layerwise.tasks.tags import MARK, pieces

__all__ = ["guess_task"]

FEW = 20  # at most as many different whole numbers are classes, whatever they are
CODES = 200  # and at most as many where they run 0, 1, 2, ... with every one about equally frequent
LONGEST_TAG = 40


def guess_task(targets: Sequence[Any] | np.ndarray, *, names: Sequence[str] = ()) -> tuple[str, str]:
    """(name of the task, reason in words) for targets (N,), or (N, K) of several columns.

    Raises DataError where there are no values at all, or several columns that are not all 0 and 1.
    """
    if isinstance(targets, np.ndarray) and targets.ndim == 2 and targets.shape[1] > 1:
        return _columns(targets, names)
    values = cells(targets.reshape(-1) if isinstance(targets, np.ndarray) else targets)
    known = [v for v in values if not missing(v)]
    if not known:
        raise DataError(
            f"all {len(values):,} values of the target{' ' if names else ''}{listed(names)} are missing:"
            " name another column with --target"
        )
    if any(isinstance(v, list | tuple) for v in known):
        return "tags", "each row holds a list of tags"
    as_numbers = [_number(v) for v in known]
    if all(x is not None for x in as_numbers) and not isinstance(known[0], bool):
        return _numbers([x for x in as_numbers if x is not None])
    return _labels(known)


def _columns(targets: np.ndarray, names: Sequence[str]) -> tuple[str, str]:
    for row in targets:
        for k, value in enumerate(cells(row)):
            if not missing(value) and _number(value) not in (0.0, 1.0):
                raise DataError(
                    f"{targets.shape[1]} target columns, of which {listed(names[k : k + 1]) or k + 1} holds"
                    f" {shown(value)}: several columns are tags and hold 0 and 1; or name one with --target"
                )
    return "tags", f"{targets.shape[1]} target columns hold only 0 and 1"


def _labels(known: list[Any]) -> tuple[str, str]:
    n, different = len(known), len(set(known))
    parted = sum(isinstance(v, str) and MARK in v for v in known)
    if parted:
        tally = Counter(piece for v in known for piece in pieces(v))
        recurring = sum(tally.values()) >= 2 * len(tally)
        if recurring and max(map(len, tally)) <= LONGEST_TAG:
            return (
                "tags",
                f"{parted:,} of {n:,} cells hold several of {len(tally):,} pieces parted by '{MARK}'",
            )
    what = "truth values" if all(isinstance(v, bool) for v in known) else "different texts"
    return "classify", f"{different:,} {what} in {n:,} rows"


def _numbers(values: list[float]) -> tuple[str, str]:
    tally = Counter(values)
    n, different = len(values), len(tally)
    if different <= 2:
        return "classify", f"only {different} different numbers in {n:,} rows"
    if not all(v.is_integer() for v in tally):
        return "regress", f"{different:,} different numbers in {n:,} rows, not all whole"
    if different <= min(FEW, n // 5):
        return "classify", f"only {different} different whole numbers in {n:,} rows"
    low = min(tally)
    in_a_row = low in (0, 1) and max(tally) - low == different - 1
    if in_a_row and different <= min(CODES, n // 5) and min(tally.values()) >= n / different / 5:
        return "classify", f"whole numbers {low:.0f} to {max(tally):.0f}, each about equally frequent"
    return "regress", f"{different:,} different whole numbers in {n:,} rows"


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if isfinite(found) else None

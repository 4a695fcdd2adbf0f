"""Learning rates, momenta and decays as functions of progress: 0 at the first step, 1 past the last.

Those of rates return the share of the highest rate. How long a phase is, and whether that was asked for in
epochs, steps or seconds, does not matter here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi
from typing import TypeAlias

__all__ = ["SCHEDULES", "Schedule", "constant", "one_cycle", "stepped", "trapezoid"]

Schedule: TypeAlias = Callable[[float], float]


def one_cycle(progress: float) -> float:
    """Up to the highest rate over the first 30 %, then down to nothing, both along half a cosine.

    Smith and Topin 2018, "Super-convergence"; from 1/25 of the rate to 1/10,000 of it.
    """
    if progress < 0.3:
        return _blend(1 / 25, 1.0, progress / 0.3)
    return _blend(1.0, 1e-4, (progress - 0.3) / 0.7)


def trapezoid(progress: float) -> float:
    """Up over the first 5 %, level, and straight down over the last 30 % (Zhai et al. 2022, section 3.5)."""
    return min(1.0, progress / 0.05, (1.0 - progress) / 0.3)


def constant(progress: float) -> float:  # noqa: ARG001
    """The highest rate throughout."""
    return 1.0


def stepped(first: float, later: float, *, at: float = 0.1) -> Schedule:
    """`first` until progress `at`, then `later`: a momentum of 0.5, then 0.9 (Hinton 2010, section 9)."""

    def value(progress: float) -> float:
        return first if progress < at else later

    return value


def _blend(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + cos(pi * min(share, 1.0))) / 2


SCHEDULES: Mapping[str, Schedule] = {"one-cycle": one_cycle, "trapezoid": trapezoid, "constant": constant}

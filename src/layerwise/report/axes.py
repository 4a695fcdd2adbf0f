"""A scale from values to places on a chart, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from layerwise.report.tables import typeset

__all__ = ["Axis", "Tick", "axis_over"]


class Tick(NamedTuple):
    """A labelled place on an axis, `at` percent of its length. A `minor` one yields where room is short."""

    text: str
    at: float
    minor: bool = False


class Axis(NamedTuple):
    """A linear scale over [low, high], low < high."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """Where `value` lies, in percent of the length, held within it."""
        return round(min(100.0, max(0.0, 100 * (value - self.low) / (self.high - self.low))), 2)

    def holds(self, value: float) -> bool:
        """Whether `value` lies on the axis."""
        slack = (self.high - self.low) * 1e-6
        return self.low - slack <= value <= self.high + slack


def axis_over(
    values: Iterable[float | None], *, most: int = 5, zero: bool = False, tight: bool = False
) -> Axis:
    """An axis over all finite values, of at most about `most` steps.

    It runs from round number to round number; `tight` ends it at the values; `zero` takes zero in.
    """
    known = [float(v) for v in values if v is not None and math.isfinite(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        margin = abs(low) / 10 or 0.5
        low, high = low - margin * (not zero or low < 0), high + margin
    step = _round_step((high - low) / most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    bare = Axis(low, high, ()) if tight else Axis(first * step, last * step, ())
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    marks = (i * step for i in range(first, last + 1))
    ticks = [Tick(_text(m, digits), bare.at(m)) for m in marks if bare.holds(m)]
    return bare._replace(ticks=_ranked(ticks))


def _ranked(ticks: list[Tick]) -> tuple[Tick, ...]:
    """The ticks, with those marked that a narrow page leaves out: the longer the texts, the more."""
    longest = max((len(t.text) for t in ticks), default=0)
    every = 1 if longest <= 4 else 2 if longest <= 6 else max(1, len(ticks) - 1)
    return tuple(t._replace(minor=bool(i % every)) for i, t in enumerate(ticks))


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _text(mark: float, digits: int) -> str:
    if digits > 6 or abs(mark) >= 1e7:
        return typeset(f"{mark:.6g}")
    return typeset(f"{round(mark, digits) + 0.0:,.{digits}f}")

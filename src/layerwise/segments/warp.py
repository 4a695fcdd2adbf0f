"""Numbers of any scale and skew as numbers that are about normal, by a map that never falls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["warped"]

FARTHEST = 4.0  # robust standard deviations; what is farther counts as that far
TAIL = 0.005  # of the values on either side, which count as the next ones where the power is chosen
POWERS = np.linspace(0.0, 1.0, 9)  # of positive numbers: from the logarithm to the number itself
BENDS = np.linspace(0.0, 2.0, 9)  # of numbers of either sign; 1 leaves them as they are
REACH = 1e6  # units, which nothing exceeds
NORMAL = 1.349  # quartile distance of a standard normal


def warped(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """`places` (B,) where `values` (N,), NaN where missing, are moved to have mean 0 and spread 1.

    Positive values go through the power of Box and Cox (1964), others through that of Yeo and Johnson (2000),
    whichever of nine makes them likeliest under a normal distribution; then they are held within four robust
    standard deviations, so that an outlier makes no segment.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    if len(np.unique(known)) < 2:
        return np.zeros(len(places))
    centre = float(np.median(known))
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    positive = known.min() > 0
    move, powers, unit = (_box_cox, POWERS, centre) if positive else (_yeo_johnson, BENDS, _spread(known))

    def scaled(x: np.ndarray) -> np.ndarray:
        x = x if positive else x - centre
        held = np.clip(x, -REACH * unit, REACH * unit) / unit  # held first: a tiny unit would overflow
        return np.maximum(held, 1 / REACH) if positive else held

    middle = scaled(np.clip(known, low, high))
    power = max(powers, key=lambda p: _likelihood(middle, p, move))
    moved = move(scaled(known), power)[0]
    level, spread = float(np.median(moved)), _spread(moved)

    def held(x: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.clip((x - level) / spread, -FARTHEST, FARTHEST)
        return found

    all_held = held(moved)
    result: np.ndarray = (held(move(scaled(places), power)[0]) - all_held.mean()) / (all_held.std() or 1.0)
    return result


def _spread(x: np.ndarray) -> float:
    """A robust standard deviation; the plain one where half of the values are next to equal."""
    first, third = np.quantile(x, [0.25, 0.75])
    plain = float(x.std())
    robust = float(third - first) / NORMAL
    return robust if robust > plain / REACH else plain or 1.0


def _box_cox(x: np.ndarray, power: float) -> tuple[np.ndarray, float]:
    """Positive numbers moved, and the mean log slope."""
    logs = np.log(x)
    moved = np.expm1(power * logs) / power if power else logs
    return moved, float((power - 1) * logs.mean())


def _yeo_johnson(x: np.ndarray, power: float) -> tuple[np.ndarray, float]:
    size = np.log1p(np.abs(x))

    def side(p: float) -> np.ndarray:
        found: np.ndarray = np.expm1(p * size) / p if p else size
        return found

    moved = np.where(x >= 0, side(power), -side(2 - power))
    return moved, float((power - 1) * (np.sign(x) * size).mean())


def _likelihood(
    x: np.ndarray, power: float, move: Callable[[np.ndarray, float], tuple[np.ndarray, float]]
) -> float:
    moved, slope = move(x, power)
    return float(slope - 0.5 * np.log(max(float(moved.var()), 1e-300)))

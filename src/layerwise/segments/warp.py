"""Numbers of any scale and skew as numbers that are about normal, by a map that never falls."""

from __future__ import annotations

import numpy as np

__all__ = ["warped"]

FARTHEST = 4.0  # robust standard deviations; what is farther counts as that far
TAIL = 0.005  # of the values on either side, which the power is not chosen by
POWERS = np.linspace(0.0, 1.0, 9)  # of positive numbers: from the logarithm to the number itself
BENDS = np.linspace(0.0, 2.0, 9)  # of numbers of either sign; 1 leaves them as they are
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
    middle = known[(known >= low) & (known <= high)]
    if known.min() > 0:
        powers, move, unit = POWERS, _box_cox, centre
        middle, known, places = middle / unit, known / unit, np.maximum(places, known.min()) / unit
    else:
        unit = _spread(known)
        powers, move = BENDS, _yeo_johnson
        middle, known, places = (middle - centre) / unit, (known - centre) / unit, (places - centre) / unit
    power = max(powers, key=lambda p: _likelihood(middle, p, move))
    moved = move(known, power)[0]
    centre, spread = float(np.median(moved)), _spread(moved)

    def held(x: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.clip((x - centre) / spread, -FARTHEST, FARTHEST)
        return found

    all_held = held(moved)
    result: np.ndarray = (held(move(places, power)[0]) - all_held.mean()) / (all_held.std() or 1.0)
    return result


def _spread(x: np.ndarray) -> float:
    first, third = np.quantile(x, [0.25, 0.75])
    return float(third - first) / NORMAL or float(x.std()) or 1.0


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


def _likelihood(x: np.ndarray, power: float, move: object) -> float:
    assert callable(move)
    moved, slope = move(x, power)
    return float(slope - 0.5 * np.log(max(float(moved.var()), 1e-300)))

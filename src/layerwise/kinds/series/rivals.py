"""Simple methods that a network for series has to beat."""

from __future__ import annotations

import numpy as np

from layerwise.kinds.base import ONLY, Rival, Values
from layerwise.kinds.features import Facts, Features, over_time
from layerwise.kinds.series.warping import warped_distances
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["resampled", "rivals", "to_training", "window"]

STEPS = 128  # that a series is resampled to
WARPED_STEPS = 96
PAIRS = 200_000  # of training and held-out series that are warped onto one another


def rivals(spec: Spec, task: Task) -> tuple[Rival, ...]:
    """For forecasts the season again and a ridge; else majority, linear, neighbours, boosting."""
    if task.name == "forecast":
        return (
            Rival("seasonal naive", "naive", window),
            Rival("linear on the window", "linear", window),
        )
    return (
        Rival("the most frequent answer", "majority"),
        Rival("linear on resampled values", "linear", resampled),
        Rival("nearest neighbours on resampled values", "neighbours", resampled),
        Rival("nearest neighbours under time warping", "distances", to_training, most_pairs=PAIRS),
        Rival("boosting on simple statistics", "boosting", over_time),
    )


def window(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, T): the past of the series that is forecast, which is the first channel."""
    return lambda values, facts: np.asarray(values[ONLY], np.float64)[:, :, 0]


def resampled(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, T' C): each series at equally many moments, in standard deviations of its channel."""
    steps = min(STEPS, spec.shape[0] or spec.longest or 1)
    return lambda values, facts: _resampled(values, spec, steps).reshape(len(values[ONLY]), -1)


def to_training(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, n): the distance under time warping to each of the n training series."""
    steps = min(WARPED_STEPS, spec.shape[0] or spec.longest or 1)
    training = _resampled(values, spec, steps)
    return lambda values, facts: warped_distances(_resampled(values, spec, steps), training)


def _resampled(values: Values, spec: Spec, steps: int) -> np.ndarray:
    """(N, steps, C) standardised, on the line between neighbouring steps."""
    centre, spread = (np.array(one, np.float32) for one in (spec.centre or (0.0,), spec.spread or (1.0,)))
    series = values[ONLY]
    if isinstance(series, np.ndarray):
        return _at(series, steps, axis=1, centre=centre, spread=spread)
    return np.stack([_at(one, steps, axis=0, centre=centre, spread=spread) for one in series])


def _at(x: np.ndarray, steps: int, *, axis: int, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    at = np.linspace(0, x.shape[axis] - 1, steps)
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, x.shape[axis] - 1)
    part = (at - before).astype(np.float32)[:, None]
    early, late = x.take(before, axis=axis), x.take(after, axis=axis)
    return np.asarray((early + part * (late - early) - centre) / spread, np.float32)

"""What simple rivals look at: matrices (N, F) from read examples. For `Rival.features` of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from layerwise.kinds.base import ONLY, Values
from layerwise.spec import Spec

__all__ = ["Facts", "Features", "Principal", "flattened", "of_facts", "over_time", "principal"]

Facts: TypeAlias = Mapping[str, np.ndarray]
Features: TypeAlias = Callable[[Values, Facts], Any]

LOUDEST = 10.0  # standard deviations beyond which a value is cut


def flattened(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, F): every value of examples of fixed shape, in standard deviations of its channel or feature."""
    axis = next((i for i, name in enumerate(spec.axes) if name in ("channel", "feature")), None)
    shape = [1] * len(spec.axes)
    if axis is not None and len(spec.centre) > 1:
        shape[axis] = len(spec.centre)
    centre = np.array(spec.centre or (0.0,), np.float32).reshape(shape)
    spread = np.array(spec.spread or (1.0,), np.float32).reshape(shape)

    def see(values: Values, facts: Facts) -> np.ndarray:
        x = (np.asarray(values[ONLY], np.float32) - centre) / spread
        return np.asarray(np.clip(x, -LOUDEST, LOUDEST).reshape(len(x), -1))

    return see


def over_time(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, 9 C + 1): statistics over time of sequences (T, C) or (T,) of any length, a set for each channel.

    Mean, spread, quartiles, extremes, mean step, first to last; and the length. Missing values (NaN) do
    not count; what nothing is known of is NaN.
    """
    return lambda values, facts: np.stack([_over_time(np.asarray(one)) for one in values[ONLY]])


def of_facts(*names: str) -> Callable[[Values, Facts, Spec], Features]:
    """Only facts of the container, such as the sampling rate: no example need be heard or seen for them."""

    def look(values: Values, facts: Facts, spec: Spec) -> Features:
        return lambda values, facts: np.column_stack([np.asarray(facts[n], np.float64) for n in names])

    return look


class Principal(NamedTuple):
    """Principal components: `mean` (F,), `axes` (F, k)."""

    mean: np.ndarray
    axes: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(N, k) float32 of `x` (N, F)."""
        return np.asarray(x @ self.axes - self.mean @ self.axes, np.float32)


def principal(x: np.ndarray, k: int, *, seed: int = 0, most: int = 5_000) -> Principal:
    """The first `k` principal components of the rows of `x` (N, F), from a fair draw of `most` of them.

    By the eigenvectors of the smaller of the two products of the centred draw with itself.
    """
    draw = np.sort(np.random.default_rng(seed).permutation(len(x))[:most])
    centred = np.asarray(x[draw], np.float64)
    mean = centred.mean(0)
    centred = centred - mean
    k = min(k, *centred.shape)
    if centred.shape[1] <= centred.shape[0]:
        axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :k]
    else:
        sizes, sides = np.linalg.eigh(centred @ centred.T)
        sizes, sides = sizes[::-1][:k], sides[:, ::-1][:, :k]
        axes = centred.T @ sides / np.sqrt(np.maximum(sizes, 1e-12 * max(sizes[0], 1e-300)))
    return Principal(mean.astype(np.float32), axes.astype(np.float32))


def _over_time(x: np.ndarray) -> np.ndarray:
    """(9 C + 1,) of one sequence (T, C) or (T,)."""
    x = (x[:, None] if x.ndim == 1 else x).astype(np.float64)
    channels = [_of_channel(column[np.isfinite(column)]) for column in x.T]
    return np.concatenate([*channels, [float(len(x))]])


def _of_channel(x: np.ndarray) -> np.ndarray:
    if not len(x):
        return np.full(9, np.nan)
    steps = np.abs(np.diff(x)).mean() if len(x) > 1 else 0.0
    quartiles = np.quantile(x, [0.0, 0.25, 0.5, 0.75, 1.0])
    return np.array([x.mean(), x.std(), *quartiles, steps, x[-1] - x[0]])

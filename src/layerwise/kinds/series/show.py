"""Series as small curves, and what first-level units look for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from layerwise.findings import Curves, Gallery, Tile
from layerwise.kinds.base import ONLY
from layerwise.kinds.series.reader import KNOWN
from layerwise.spec import Spec

__all__ = ["filters", "show"]

POINTS = 200  # of a curve
CHANNELS = 6  # that are drawn
MOST_FILTERS = 48


def show(values: Mapping[str, np.ndarray], spec: Spec) -> Curves:
    """One series (T, C) in its own units, thinned to 200 points; at most six channels, those that vary most."""
    series = np.asarray(values[ONLY], np.float64)
    names = spec.names or tuple(f"channel {i + 1}" for i in range(series.shape[1]))
    shown = [i for i, name in enumerate(names) if not name.endswith(KNOWN)]
    if len(shown) > CHANNELS:
        spread = np.array([series[:, i].std() / (spec.spread[i] if spec.spread else 1) for i in shown])
        shown = sorted(shown[k] for k in np.argsort(-spread, kind="stable")[:CHANNELS])
    every = max(1, -(-len(series) // POINTS))
    at = np.arange(0, len(series), every)
    x = at / spec.rate_hz if spec.rate_hz else at.astype(np.float64)
    lines = {names[i]: [float(v) for v in series[at, i]] for i in shown}
    label, scale = _time(spec, float(x[-1]) if len(x) else 0.0)
    channels = f", {len(shown)} of {series.shape[1]} channels" if len(names) > 1 else ""
    words = f"A series of {len(series):,} steps{channels}, from {series.min():.3g} to {series.max():.3g}."
    return Curves([float(v) for v in x / scale], lines, label, "value", words, small=True)


def filters(stage: nn.Module, spec: Spec) -> Gallery | None:
    """Kernels over time, or how past steps count in a linear forecast; None for other stages."""
    if spec.axes != ("time", "channel"):
        return None
    trend, rest = getattr(stage, "trend", None), getattr(stage, "rest", None)
    if isinstance(trend, nn.Parameter) and isinstance(rest, nn.Parameter):
        return _linear({"trend": _plain(trend)[0], "remainder": _plain(rest)[0]})
    channels = spec.length("channel")
    for module in stage.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim == 3 and weight.shape[1] == channels:
            return _kernels(_plain(weight), spec)
    return None


def _kernels(weights: np.ndarray, spec: Spec) -> Gallery:
    """(units, channels, size): of each unit the channels that weigh most in it."""
    units, channels, size = weights.shape
    names = spec.names or tuple(f"channel {i + 1}" for i in range(channels))
    tiles = []
    for unit, kernel in enumerate(weights[:MOST_FILTERS]):
        heaviest = sorted(np.argsort(-np.abs(kernel).sum(axis=1), kind="stable")[:3].tolist())
        lines = {names[c]: [float(v) for v in kernel[c]] for c in heaviest}
        words = f"Kernel of unit {unit}, {size} steps."
        tiles.append(Tile(Curves(list(range(size)), lines, "steps", "weight", words, small=True), f"{unit}"))
    some = "" if channels <= 3 else ", the three channels that weigh most in each"
    return Gallery(tiles, f"The kernels of {units} units over {size} steps{some}.")


def _linear(maps: Mapping[str, np.ndarray]) -> Gallery:
    """Maps (past, horizon): the weight of each past step for the first, the middle and the last answer."""
    past, horizon = next(iter(maps.values())).shape
    back = [float(v) for v in range(-past + 1, 1)]
    ahead = sorted({0, horizon // 2, horizon - 1})
    tiles = []
    for name, weights in maps.items():
        for h in ahead:
            words = f"Weights of the {name} of the past for the value {h + 1} steps ahead."
            line = {f"{h + 1} ahead": [float(v) for v in weights[:, h]]}
            curve = Curves(back, line, "steps back", "weight", words, small=True)
            tiles.append(Tile(curve, f"{name}, {h + 1} ahead"))
    return Gallery(tiles, "How much each step of the past counts for values near and far ahead.")


def _plain(weight: nn.Parameter) -> np.ndarray:
    array: np.ndarray = weight.detach().float().cpu().numpy()
    return array


def _time(spec: Spec, last: float) -> tuple[str, float]:
    """The name of the time axis, and by what it is divided."""
    if spec.rate_hz is None:
        return "step", 1.0
    for name, seconds in (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0)):
        if last > 2 * seconds:
            return name, seconds
    return "seconds", 1.0

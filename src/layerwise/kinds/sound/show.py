"""Clips to listen to and look at, and what first-level units look for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from layerwise.findings import Gallery, Image, Sound, Tile
from layerwise.kinds.base import ONLY
from layerwise.kinds.picture import heat, png, signed
from layerwise.kinds.sound.decode import encoded
from layerwise.kinds.sound.mel import decibels
from layerwise.spec import Spec

__all__ = ["filters", "show"]

SECONDS = 2.0  # of a clip that are kept to listen to
COLUMNS = 160
BANDS = 64
RANGE_DB = 70.0  # from the loudest point of the picture down to black
MOST_FILTERS = 64


def show(values: Mapping[str, np.ndarray], spec: Spec) -> Sound:
    """At most 2 seconds of a clip (T,) to listen to, with its mel spectrogram: low pitch at the bottom."""
    rate_hz = spec.rate_hz or 1.0
    samples = values[ONLY][: max(1, round(SECONDS * rate_hz))]
    seconds = len(samples) / rate_hz
    hop_seconds = max(0.005, seconds / COLUMNS, 32 / rate_hz)
    levels = decibels(spec.but(dtype=str(samples.dtype)), bands=BANDS, hop_seconds=hop_seconds)(samples)
    scaled = (levels - levels.max()) / RANGE_DB + 1
    drawn = heat(scaled.T[::-1])
    return Sound(encoded(samples, rate_hz), drawn, f"{seconds:.2g} s of sound, low pitch at the bottom")


def filters(stage: nn.Module, spec: Spec) -> Gallery | None:
    """Kernels that look at a spectrogram, time to the right and pitch upwards; None for stages further up."""
    if spec.axes != ("time", "channel", "band") or spec.shape[1] != 1:
        return None
    for module in stage.modules():
        weight = getattr(module, "weight", None)
        if weight is not None and weight.ndim == 4 and weight.shape[1] == 1:
            kernels = weight.detach().float().cpu().numpy()[:, 0]
            break
    else:
        return None
    units, times, bands = kernels.shape
    tiles = [
        Tile(Image(_drawn(k), f"kernel of unit {i}, {times} moments of {bands} bands"), caption=f"{i}")
        for i, k in enumerate(kernels[:MOST_FILTERS])
    ]
    words = f"The kernels of {units} units, time to the right, pitch upwards, blue below zero, red above."
    return Gallery(tiles, words)


def _drawn(kernel: np.ndarray) -> bytes:
    """One kernel (time, band) as a PNG."""
    return png(signed(np.ascontiguousarray(kernel.T[::-1]) / (float(np.abs(kernel).max()) or 1.0)))

"""Log-mel spectrograms of single clips, for pictures and rivals: the network's own stage, untrained."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import torch

from layerwise.nn.spectrum import LogMel
from layerwise.spec import Spec

__all__ = ["decibels"]


def decibels(spec: Spec, *, bands: int, hop_seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    """What turns samples (T,) of this look into levels (frames, at most `bands`) in dB below full scale.

    Windows are twice the hop, and at least 64 samples.
    """
    window = max(2 * hop_seconds, 64 / (spec.rate_hz or 1.0))
    stage = LogMel.from_spec(spec, bands=bands, window_seconds=window, hop_seconds=hop_seconds).eval()

    def levels(samples: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            spectrum = stage(torch.from_numpy(np.require(samples, requirements=["C", "W"]))[None])
        loudness: np.ndarray = spectrum[0, :, 0].numpy() * np.float32(10 / log(10))
        return loudness

    return levels

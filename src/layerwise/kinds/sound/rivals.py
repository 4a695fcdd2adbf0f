"""Simple methods that a network for sounds has to beat; two of them have heard nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from layerwise.kinds.base import ONLY, Rival, Values
from layerwise.kinds.features import Facts, Features, of_facts
from layerwise.kinds.patches import learn_patches
from layerwise.kinds.sound.mel import decibels
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["mel_statistics", "patches", "rivals"]

BANDS = 24
PARTS = 6  # stretches of equal length that a clip is cut into
FINE = 40  # bands of which patches are cut
SPREAD_DB = 20.0  # about the deviation of levels
CENTROIDS = 400


def rivals(spec: Spec, task: Task) -> tuple[Rival, ...]:
    """Majority, what the container gives away, then linear, neighbours and boosting on mel statistics."""
    return (
        Rival("the most frequent answer", "majority"),
        Rival("the sampling rate alone", "boosting", of_facts("rate_hz")),
        Rival(
            "boosting on the file's facts alone",
            "boosting",
            of_facts("rate_hz", "seconds", "channels", "bytes"),
        ),
        Rival("linear on mel statistics", "linear", mel_statistics),
        Rival("nearest neighbours on mel statistics", "neighbours", mel_statistics),
        Rival("boosting on mel statistics", "boosting", mel_statistics),
    )


def mel_statistics(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, 9 x 24 + 1): of each mel band mean, spread, largest, and the mean in six stretches; the length."""
    levels = decibels(spec, bands=BANDS, hop_seconds=max(0.0125, 32 / (spec.rate_hz or 1.0)))
    return lambda values, facts: np.stack([_statistics(levels(one), len(one)) for one in values[ONLY]])


def patches(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, 4 x 400): 6 x 6 patches of a mel spectrogram against centroids of k-means, by halves of time and
    pitch (Coates, Ng and Lee 2011; for sounds, Salamon and Bello 2015)."""
    levels = decibels(spec, bands=FINE, hop_seconds=max(0.02, 32 / (spec.rate_hz or 1.0)))

    def map_of(one: np.ndarray) -> np.ndarray:
        return levels(one)[None] / np.float32(SPREAD_DB)

    def maps(rows: np.ndarray) -> Iterator[np.ndarray]:
        return (map_of(values[ONLY][row]) for row in rows)

    learned = learn_patches(maps, len(values[ONLY]), size=(6, 6), centroids=CENTROIDS, seed=0)
    return lambda values, facts: np.concatenate([learned(map_of(one)[None]) for one in values[ONLY]])


def _statistics(levels: np.ndarray, samples: int) -> np.ndarray:
    """(F,) of one spectrogram (frames, bands)."""
    edges = np.linspace(0, len(levels), PARTS + 1).astype(int)
    stretches = [levels[a : max(a + 1, b)].mean(axis=0) for a, b in pairwise(edges)]
    whole = [levels.mean(axis=0), levels.std(axis=0), levels.max(axis=0)]
    return np.concatenate([*whole, *stretches, [samples]]).astype(np.float32)

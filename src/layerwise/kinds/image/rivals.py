"""Simple methods that a network for pictures has to beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from layerwise.kinds.base import ONLY, Rival, Values
from layerwise.kinds.features import Facts, Features
from layerwise.kinds.patches import learn_patches
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["patches", "rivals"]

MOST_PIXELS = 3_072  # numbers a picture; larger ones are averaged down
ANGLES = 8
CELLS = 4
CENTROIDS = 800


def rivals(spec: Spec, task: Task) -> tuple[Rival, ...]:
    """Majority, linear, nearest neighbours and boosting, cheapest first."""
    return (
        Rival("the most frequent answer", "majority"),
        Rival("linear on pixels", "linear", pixels, most=10_000),
        Rival("nearest neighbours on pixels", "neighbours", pixels, most=60_000),
        Rival("boosting on gradients and colours", "boosting", gradients, most=10_000),
    )


def pixels(values: Values, facts: Facts, spec: Spec) -> Features:
    """Pixels in standard deviations from the training mean, averaged over blocks in large pictures."""
    return lambda values, facts: _small(values, spec).reshape(len(values[ONLY]), -1)


def gradients(values: Values, facts: Facts, spec: Spec) -> Features:
    """In 4 x 4 cells: mean, spread, histogram of gradients (after Dalal and Triggs 2005)."""
    return lambda values, facts: _described(_scaled(values, spec))


def patches(values: Values, facts: Facts, spec: Spec, *, centroids: int = CENTROIDS) -> Features:
    """(N, 4 x centroids): 6 x 6 patches against centroids of k-means, by quadrants (Coates, Ng and Lee 2011).

    Large pictures are averaged over blocks first.
    """

    def maps(rows: np.ndarray) -> Iterator[np.ndarray]:
        return (_small({ONLY: np.asarray(values[ONLY])[[row]]}, spec)[0] for row in rows)

    learned = learn_patches(maps, len(values[ONLY]), size=(6, 6), centroids=centroids, seed=0)
    return lambda values, facts: learned(_small(values, spec))


def _scaled(values: Values, spec: Spec) -> np.ndarray:
    """Pictures (N, C, H, W) in standard deviations, float32."""
    pixels = np.asarray(values[ONLY], np.float32)
    centre = np.array(spec.centre, np.float32)[:, None, None]
    return (pixels - centre) / np.array(spec.spread, np.float32)[:, None, None]


def _small(values: Values, spec: Spec) -> np.ndarray:
    """(N, C, H, W) in standard deviations, averaged over blocks until at most `MOST_PIXELS` are left."""
    scaled = _scaled(values, spec)
    channels, height, width = scaled.shape[1:]
    block = 1
    while channels * -(-height // block) * -(-width // block) > MOST_PIXELS:
        block += 1
    return _averaged(scaled, -(-height // block), -(-width // block))


def _averaged(x: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(N, C, H, W) averaged over a grid of rows x columns cells of nearly equal size."""
    rows, columns = min(rows, x.shape[2]), min(columns, x.shape[3])
    tops = np.linspace(0, x.shape[2], rows + 1).astype(int)
    lefts = np.linspace(0, x.shape[3], columns + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(x, tops[:-1], axis=2), lefts[:-1], axis=3)
    counts = np.diff(tops)[:, None] * np.diff(lefts)[None, :]
    means: np.ndarray = (sums / counts).astype(np.float32)
    return means


def _described(x: np.ndarray) -> np.ndarray:
    """(N, F) of pictures (N, C, H, W)."""
    means = _averaged(x, CELLS, CELLS)
    spreads = np.sqrt(np.maximum(_averaged(x * x, CELLS, CELLS) - means**2, 0))
    grey = x.mean(axis=1)
    down, right = np.gradient(grey, axis=1), np.gradient(grey, axis=2)
    strength = np.hypot(down, right)
    angle = ((np.arctan2(down, right) % np.pi) / np.pi * ANGLES).astype(int) % ANGLES
    by_angle = np.stack([np.where(angle == a, strength, 0) for a in range(ANGLES)], axis=1)
    turned = _averaged(by_angle, CELLS, CELLS)
    return np.concatenate([p.reshape(len(x), -1) for p in (means, spreads, turned)], axis=1)

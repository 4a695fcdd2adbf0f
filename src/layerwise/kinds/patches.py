"""Features of small patches, by whitening and k-means: the engineered rival of what networks learn without labels.

Coates, Ng and Lee 2011, "An analysis of single-layer networks in unsupervised feature learning": patches of
maps are brought to one contrast, whitened, and compared with the centroids of k-means; how near they are to
each is averaged over the cells of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import Tensor

from layerwise.randomness import Randomness

__all__ = ["Patches", "Whitening", "evened", "learn_patches", "triangle", "whitening"]

FLAT = 0.0025  # added to a patch's variance, in that of all values: 10 where pixels run to 255 (section 3.1)
FLOOR = 0.1  # added to variances before they are divided by (section 3.1 with the authors' own 0.1)
DRAWN = 100_000  # patches to learn from
ROUNDS = 30  # of k-means
AT_ONCE = 1 << 24  # distances in flight


class Whitening(NamedTuple):
    """`mean` (F,) and the symmetric `matrix` (F, F) that makes the rest uncorrelated and of unit variance."""

    mean: np.ndarray
    matrix: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(N, F) float32 of `x` (N, F)."""
        return np.asarray((x - self.mean) @ self.matrix, np.float32)


def whitening(x: np.ndarray, *, floor: float = FLOOR) -> Whitening:
    """The whitening of `x` (N, F) that changes it least (Bell and Sejnowski 1997, "ZCA").

    `floor` is added to each variance, so that what hardly varies is not blown up; 0 whitens fully.
    """
    x = np.asarray(x, np.float64)
    mean = x.mean(0)
    sizes, axes = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    matrix = axes / np.sqrt(np.maximum(sizes, 0) + max(floor, 1e-12)) @ axes.T
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32))


def evened(patches: Tensor) -> Tensor:
    """Patches (N, F) about their own mean and in their own deviation; flat ones stay near 0."""
    spread = (patches.var(1, correction=0, keepdim=True) + FLAT).sqrt()
    return (patches - patches.mean(1, keepdim=True)) / spread


def triangle(distances: Tensor) -> Tensor:
    """(..., K) how much nearer each centroid is than centroids are on average; 0 where it is farther
    (section 3.2.1)."""
    return (distances.mean(-1, keepdim=True) - distances).clamp_min(0)


class Patches(NamedTuple):
    """What was learned: patches of `size` (H, W) are whitened, and compared with `centroids` (K, F)."""

    size: tuple[int, int]
    grid: tuple[int, int]
    whiten: Whitening
    centroids: np.ndarray

    def __call__(self, maps: np.ndarray) -> np.ndarray:
        """(N, rows x columns of the grid x K) of maps (N, C, H, W), float32.

        Maps smaller than a patch are continued by their edge.
        """
        values = _grown(torch.from_numpy(np.array(maps, np.float32)), self.size)
        places = (values.shape[2] - self.size[0] + 1) * (values.shape[3] - self.size[1] + 1)
        part = max(1, AT_ONCE // (places * len(self.centroids)))
        return np.concatenate([self._near(some).flatten(1).numpy() for some in torch.split(values, part)])

    def _near(self, values: Tensor) -> Tensor:
        """(n, K, rows, columns)."""
        n, height = len(values), values.shape[2] - self.size[0] + 1
        patches = evened(F.unfold(values, self.size).transpose(1, 2).flatten(0, 1))
        mean, matrix, centroids = (torch.from_numpy(a) for a in (*self.whiten, self.centroids))
        distances = torch.cdist((patches - mean) @ matrix, centroids, compute_mode="use_mm_for_euclid_dist")
        near = triangle(distances).view(n, height, -1, len(centroids)).permute(0, 3, 1, 2)
        return F.adaptive_avg_pool2d(near, self.grid)


def learn_patches(
    maps: Callable[[np.ndarray], Iterable[np.ndarray]],
    n: int,
    *,
    size: tuple[int, int],
    centroids: int,
    grid: tuple[int, int] = (2, 2),
    seed: int,
) -> Patches:
    """Learn from patches drawn at random places of maps, as many from each.

    `maps(rows)` gives, one by one, the maps (C, H, W) of some of the `n` examples, their values of about
    unit variance. There are at most as many centroids as half the patches.
    """
    draw = Randomness(seed).at("patches").numpy("places")
    rows = np.sort(draw.permutation(n)[:DRAWN])
    each = -(-DRAWN // len(rows))
    found = [_drawn(one, size, each, draw) for one in maps(rows)]
    patches = evened(torch.from_numpy(np.concatenate(found)[:DRAWN])).numpy()
    whiten = whitening(patches)
    white = whiten(patches)
    model = KMeans(
        max(1, min(centroids, len(white) // 2)), init="random", n_init=1, max_iter=ROUNDS, random_state=seed
    )
    return Patches(size, grid, whiten, np.asarray(model.fit(white).cluster_centers_, np.float32))


def _drawn(one: np.ndarray, size: Sequence[int], each: int, draw: np.random.Generator) -> np.ndarray:
    """(at most `each`, F) patches of a map (C, H, W), in the order of `unfold`."""
    grown = _grown(torch.from_numpy(np.array(one, np.float32))[None], size)[0].numpy()
    windows = np.lib.stride_tricks.sliding_window_view(grown, size, (1, 2))
    tops, lefts = windows.shape[1:3]
    places = draw.integers(0, tops * lefts, min(each, tops * lefts))
    return windows[:, places // lefts, places % lefts].swapaxes(0, 1).reshape(len(places), -1)


def _grown(values: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (N, C, H, W) that hold a patch at least."""
    down, right = (max(0, a - b) for a, b in zip(size, values.shape[2:], strict=True))
    return F.pad(values, (0, right, 0, down), mode="replicate") if down or right else values

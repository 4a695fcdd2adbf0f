"""k-means on raw values: the simple rival of segments."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from layerwise.figures import number
from layerwise.findings import Dots, Finding
from layerwise.look.segment_words import Table
from layerwise.randomness import Randomness
from layerwise.segments import Segments

__all__ = ["k_means_rival", "raw_of"]

MEASURED = 2000  # rows
SAME = 0.005  # of stabilities that are not told apart
FOLDS = 5
MOST_SIZE = 1 << 22  # indicators


class _Means(NamedTuple):
    labels: np.ndarray
    stability: float


def k_means_rival(raw: np.ndarray, labels: np.ndarray | None, found: Segments, seed: int) -> Finding:
    """k-means on raw values with as many clusters."""
    k = found.considered or 2
    drawn = Randomness(seed).numpy("rival").permutation(len(raw))[:MEASURED]
    means = _k_means(raw[drawn], k, seed)
    own = found.evidence[k - 1].stability if k <= len(found.evidence) else float("nan")
    chart = Dots(
        [("these segments", own, None, None), ("k-means on raw values", means.stability, None, None)],
        "stability",
        f"Stability of {k} segments found without one fifth of the rows or another.",
        strong=("these segments",),
    )
    behind = means.stability > own + SAME
    steady = "more steady" if behind else "as steady" if own < means.stability + SAME else "less steady"
    sentence = f"k-means on raw values is {steady} at {k} segments"
    value = None
    if labels is not None:
        value = float(adjusted_rand_score(labels[drawn], means.labels))
        sentence += f" and agrees with these to an adjusted Rand index of {number(value)}"
    lost = behind and labels is not None
    return Finding(
        "segments.rival",
        sentence + ".",
        value,
        n=len(drawn),
        method="numbers of mean 0 and spread 1, an indicator for each category; ten starts",
        caveat="The simple rival cuts the rows more steadily: look at its segments too." if lost else "",
        pictures=(chart,),
    )


def _k_means(raw: np.ndarray, k: int, seed: int) -> _Means:
    rng = Randomness(seed).at("k-means")

    def fitted(rows: np.ndarray, place: int) -> KMeans:
        with warnings.catch_warnings():  # of rows that are all copies of fewer there are fewer clusters
            warnings.simplefilter("ignore", ConvergenceWarning)
            return KMeans(k, n_init=10, random_state=rng.at(place).number("starts") >> 33).fit(rows)

    fold = rng.numpy("folds").permutation(len(raw)) % FOLDS
    labels = [fitted(raw[fold != i], i).predict(raw) for i in range(FOLDS)]
    agreed = [adjusted_rand_score(a, b) for a, b in combinations(labels, 2)]
    return _Means(fitted(raw, FOLDS).labels_, float(np.mean(agreed)))


def raw_of(table: Table) -> np.ndarray:
    """Numbers in standard deviations, 0 where missing, and indicators of categories: (N, columns)."""
    blocks: list[np.ndarray] = []
    values, spec = table.values, table.spec
    if "numbers" in spec.columns:
        own = spec.columns["numbers"]
        blocks.append(np.nan_to_num((np.asarray(values["numbers"], np.float64) - own.centre) / own.spread))
    if "categories" in spec.columns:
        for column, size in zip(
            np.asarray(values["categories"]).T, spec.columns["categories"].sizes, strict=True
        ):
            if size * len(column) <= MOST_SIZE:
                blocks.append((column[:, None] == np.arange(size)).astype(np.float64))
    return np.hstack(blocks)

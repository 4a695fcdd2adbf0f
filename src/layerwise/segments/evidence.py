"""What speaks for a number of segments: fit to new rows, stability over folds, and gaps between segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from scipy.stats import binom
from sklearn.metrics import adjusted_rand_score

from layerwise.randomness import Randomness
from layerwise.segments.mixture import fitted
from layerwise.segments.null import structureless
from layerwise.segments.traits import Traits

__all__ = ["Evidence", "null_stability", "studied"]

STARTS = 6
FOLDS = 5
GRID = np.linspace(0.25, 0.75, 21)  # where between two segments a gap may lie
PATIENCE = 2  # numbers of segments
FEWEST = 3  # rows of a segment


@dataclass(frozen=True)
class Evidence:
    """What rows that were not fitted on say of one number of segments.

    `density` (N,) is the log density of each row, in nats, of mixtures fitted without it. `stability` is the
    adjusted Rand index of the segments that two such mixtures give all rows, mean over pairs, 0 where a
    segment is left without rows. `apart` is the p-value of "two of these segments have no gap between them".
    """

    number: int
    stability: float
    density: np.ndarray = field(repr=False)
    apart: float

    @property
    def likelihood(self) -> float:
        """The mean log density of rows that were not fitted on."""
        return float(self.density.mean())


def studied(traits: Traits, most: int, *, own: bool, least: int, rng: Randomness) -> list[Evidence]:
    """Evidence for 1 to `most` segments: five mixtures are fitted, each without a fifth.

    It ends early, but not before `least`, where two numbers in a row suit new rows less than a lower one.

    A gap: fewer rows lie in a window about the thinnest place between two segments, found on four fifths of
    them, than about the smaller of their middles, in the fifth that was left out; for any density with one
    peak that is as likely as not at best.
    """
    found: list[Evidence] = []
    for k in range(1, most + 1):
        found.append(_of_number(traits, k, own, rng.at(k)))
        best = max(found, key=lambda e: e.likelihood)
        if k >= best.number + PATIENCE and k >= least:
            break
    return found


def _of_number(traits: Traits, number: int, own: bool, rng: Randomness) -> Evidence:
    fold, logits = _left_out(traits, number, FOLDS, own, rng)
    density = logsumexp(logits[fold, np.arange(len(traits))], axis=1)
    if number == 1:
        return Evidence(1, 1.0, density, 1.0)
    return Evidence(number, _stability(logits), density, _no_gap(_matched(logits), fold))


def _left_out(
    traits: Traits, number: int, fits: int, own: bool, rng: Randomness
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the fifth that each row is in, and the logits (fits, N, k) of mixtures fitted without a fifth."""
    fold = rng.numpy("folds").permutation(len(traits)) % FOLDS
    mixtures = (
        fitted(traits.take(np.flatnonzero(fold != i)), number, own=own, rng=rng.at(i), starts=STARTS)
        for i in range(fits)
    )
    return fold, np.array([m.logits(traits) for m in mixtures])


def _stability(logits: np.ndarray) -> float:
    return float(np.mean([_agreement(a, b, logits.shape[2]) for a, b in combinations(logits.argmax(2), 2)]))


def _agreement(mine: np.ndarray, theirs: np.ndarray, number: int) -> float:
    """The adjusted Rand index; 0 where a segment of either is next to empty, as there are not so many then."""
    least = min(np.bincount(labels, minlength=number).min() for labels in (mine, theirs))
    return float(adjusted_rand_score(mine, theirs)) if least >= FEWEST else 0.0


def _matched(logits: np.ndarray) -> np.ndarray:
    """(folds, N, k) the segments of each mixture in the order of those of the first."""
    labels, k = logits.argmax(2), logits.shape[2]
    found = []
    for own, some in zip(logits, labels, strict=True):
        table = np.zeros((k, k))
        np.add.at(table, (labels[0], some), 1)
        found.append(own[:, linear_sum_assignment(-table)[1]])
    return np.array(found)


def _no_gap(logits: np.ndarray, fold: np.ndarray) -> float:
    """The p-value of the two segments that are least apart, from logits (folds, N, k) and folds (N,)."""
    return max(_of_pair(logits, fold, i, j) for i, j in combinations(range(logits.shape[2]), 2))


def _of_pair(logits: np.ndarray, fold: np.ndarray, i: int, j: int) -> float:
    new = logits[fold, np.arange(len(fold))]
    either = np.isin(new.argmax(1), (i, j))
    odds = new[either, i] - new[either, j]
    if not _both(odds):
        return 1.0
    thinnest = np.array([_thinnest(own[fold != v], i, j) for v, own in enumerate(logits)])[fold[either]]
    low, high, reach = _middles(odds)
    between = _near(odds, low + thinnest * (high - low), reach)
    beside = min(_near(odds, low, reach), _near(odds, high, reach))
    return float(binom.cdf(between, between + beside, 0.5))


def _both(odds: np.ndarray) -> bool:
    return bool(min(np.sum(odds > 0), np.sum(odds <= 0)) >= FEWEST)


def _thinnest(logits: np.ndarray, i: int, j: int) -> float:
    """Where the rows are fewest, as a share of the way from one middle to the other."""
    either = np.isin(logits.argmax(1), (i, j))
    odds = logits[either, i] - logits[either, j]
    if not _both(odds):
        return 0.5
    low, high, reach = _middles(odds)
    counts = [_near(odds, low + share * (high - low), reach) for share in GRID]
    thinnest = GRID[counts == np.min(counts)]
    return float(thinnest[len(thinnest) // 2])


def _middles(odds: np.ndarray) -> tuple[float, float, float]:
    """The middles of both sides, and a sixth of the way from one to the other."""
    low, high = float(np.median(odds[odds <= 0])), float(np.median(odds[odds > 0]))
    return low, high, (high - low) / 6


def _near(odds: np.ndarray, where: np.ndarray | float, reach: float) -> float:
    return float(np.sum(np.abs(odds - where) < reach))


def null_stability(traits: Traits, number: int, *, own: bool, tables: int, rng: Randomness) -> np.ndarray:
    """(tables,) the stability of each of so many structureless tables of that look, of two mixtures each."""
    drawn = (structureless(traits, rng=rng.at(i)) for i in range(tables))
    return np.array([_stability(_left_out(d, number, 2, own, rng.at(i))[1]) for i, d in enumerate(drawn)])

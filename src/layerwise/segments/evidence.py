"""What speaks for a number of segments: fit to new rows, stability over folds, and gaps between segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from scipy.stats import binom
from sklearn.metrics import adjusted_rand_score

from layerwise.randomness import Randomness
from layerwise.segments.mixture import Mixture, fitted
from layerwise.segments.null import structureless
from layerwise.segments.traits import Traits

__all__ = ["Evidence", "Tell", "null_gains", "studied"]

Tell: TypeAlias = Callable[[float, str], None]
"""Called with the share of the work that is done, and what was done."""

STARTS = 12
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


def studied(
    traits: Traits, most: int, *, own: bool, least: int, rng: Randomness, tell: Tell
) -> list[Evidence]:
    """Evidence for 1 to `most` segments: five mixtures are fitted, each without a fifth.

    It ends early, but not before `least`, where two numbers in a row suit new rows less than a lower one.

    A gap: along the line that tells two segments apart were their variances the same, fewer rows lie in a
    window about the thinnest place between them, found on four fifths of the rows, than about the smaller of
    their middles, in the fifth that was left out; where there is one peak that is as likely as not at best.
    """
    found: list[Evidence] = []
    for k in range(1, most + 1):
        found.append(_of_number(traits, k, own, rng.at(k)))
        tell(k / most, f"{k} of up to {most} segments")
        best = max(found, key=lambda e: e.likelihood)
        if k >= best.number + PATIENCE and k >= least:
            break
    return found


def _of_number(traits: Traits, number: int, own: bool, rng: Randomness) -> Evidence:
    fold, mixtures = _left_out(traits, number, FOLDS, own, rng)
    logits = np.array([m.logits(traits) for m in mixtures])
    density = logsumexp(logits[fold, np.arange(len(traits))], axis=1)
    if number == 1:
        return Evidence(1, 1.0, density, 1.0)
    labels = logits.argmax(2)
    orders = [_matched(labels[0], some, number) for some in labels]
    lines = np.array([m.pooled().logits(traits)[:, o] for m, o in zip(mixtures, orders, strict=True)])
    own_names = np.array([np.argsort(o)[some] for o, some in zip(orders, labels, strict=True)])
    return Evidence(number, _stability(labels, number), density, _no_gap(own_names, lines, fold))


def _left_out(
    traits: Traits, number: int, fits: int, own: bool, rng: Randomness
) -> tuple[np.ndarray, list[Mixture]]:
    """(N,) the fifth that each row is in, and mixtures that are fitted without one of the fifths."""
    same = traits.copies()
    fold = (rng.numpy("folds").permutation(same.max() + 1) % FOLDS)[same]
    return fold, [
        fitted(traits.take(np.flatnonzero(fold != i)), number, own=own, rng=rng.at(i), starts=STARTS)
        for i in range(fits)
    ]


def _stability(labels: np.ndarray, number: int) -> float:
    return float(np.mean([_agreement(a, b, number) for a, b in combinations(labels, 2)]))


def _agreement(mine: np.ndarray, theirs: np.ndarray, number: int) -> float:
    """The adjusted Rand index; 0 where a segment of either is next to empty, as there are not so many then."""
    least = min(np.bincount(labels, minlength=number).min() for labels in (mine, theirs))
    return float(adjusted_rand_score(mine, theirs)) if least >= FEWEST else 0.0


def _matched(mine: np.ndarray, theirs: np.ndarray, number: int) -> np.ndarray:
    """(k,) their segment that is each of mine."""
    table = np.zeros((number, number))
    np.add.at(table, (mine, theirs), 1)
    order: np.ndarray = linear_sum_assignment(-table)[1]
    return order


def _no_gap(labels: np.ndarray, lines: np.ndarray, fold: np.ndarray) -> float:
    """The p-value of the two segments that are least apart.

    From each mixture's labels (folds, N), its logits with variances pooled (folds, N, k), and folds (N,).
    """
    return max(
        _of_pair(labels, lines[:, :, i] - lines[:, :, j], fold, (j, i))
        for i, j in combinations(range(lines.shape[2]), 2)
    )


def _of_pair(labels: np.ndarray, odds: np.ndarray, fold: np.ndarray, pair: tuple[int, int]) -> float:
    rows = np.arange(len(fold))
    new = _sides(labels[fold, rows], odds[fold, rows], pair)
    if min(map(len, new)) < FEWEST:
        return 1.0
    fitted_on = [
        _sides(some[fold != v], own[fold != v], pair)
        for v, (some, own) in enumerate(zip(labels, odds, strict=True))
    ]
    either = np.concatenate([fold[labels[fold, rows] == side] for side in pair])
    thinnest = np.array([_thinnest(*sides) for sides in fitted_on])[either]
    low, high, reach = _middles(*new)
    both = np.concatenate(new)
    between = _near(both, low + thinnest * (high - low), reach)
    beside = min(_near(both, low, reach), _near(both, high, reach))
    return float(binom.cdf(between, between + beside, 0.5))


def _sides(labels: np.ndarray, odds: np.ndarray, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The log odds of the rows of each of two segments."""
    return odds[labels == pair[0]], odds[labels == pair[1]]


def _thinnest(first: np.ndarray, second: np.ndarray) -> float:
    """Where the rows are fewest, as a share of the way from one middle to the other."""
    if min(len(first), len(second)) < FEWEST:
        return 0.5
    low, high, reach = _middles(first, second)
    odds = np.concatenate([first, second])
    counts = [_near(odds, low + share * (high - low), reach) for share in GRID]
    thinnest = GRID[counts == np.min(counts)]
    return float(thinnest[len(thinnest) // 2])


def _middles(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """The middles of both sides, and a sixth of the way from one to the other."""
    low, high = float(np.median(first)), float(np.median(second))
    return low, high, abs(high - low) / 6


def _near(odds: np.ndarray, where: np.ndarray | float, reach: float) -> float:
    return float(np.sum(np.abs(odds - where) < reach))


def null_gains(
    traits: Traits, number: int, *, own: bool, tables: int, rng: Randomness, tell: Tell
) -> np.ndarray:
    """(tables,) the nats by which so many segments make new rows likelier than one, in each of so many
    structureless tables of that look, of which two fifths are judged."""
    found = []
    for i in range(tables):
        table = structureless(traits, rng=rng.at(i))
        sums = []
        for k in (1, number):
            fold, mixtures = _left_out(table, k, 2, own, rng.at(i))
            sums.append(
                np.mean(
                    [m.density(table.take(np.flatnonzero(fold == v))).mean() for v, m in enumerate(mixtures)]
                )
            )
        found.append(sums[1] - sums[0])
        tell((i + 1) / tables, f"structureless table {i + 1} of {tables}")
    return np.array(found)

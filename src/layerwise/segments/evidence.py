"""What speaks for a number of segments: stability over halves, fit to new rows, and gaps between segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom, t
from sklearn.metrics import adjusted_rand_score

from layerwise.randomness import Randomness
from layerwise.segments.mixture import Covariance, Mixture, fitted
from layerwise.segments.null import structureless
from layerwise.segments.traits import Traits

__all__ = ["Evidence", "null_stability", "studied"]

STARTS = 4
GRID = np.linspace(0.25, 0.75, 21)  # where between two segments a gap may lie
PATIENCE = 3  # numbers of segments
FEWEST = 3  # rows of a segment


@dataclass(frozen=True)
class Evidence:
    """What halves of the rows say of one number of segments.

    `stability` is the adjusted Rand index of the segments that two halves give all rows, mean over splits,
    with a 95 % interval, 0 where a segment is left without rows; `likelihood` the mean log density, in nats,
    of rows that were not fitted on; `apart` the p-value of "two of these segments have no gap between them",
    from such rows.
    """

    number: int
    covariance: Covariance
    stability: float
    low: float
    high: float
    likelihood: float
    apart: float


def studied(
    traits: Traits, most: int, covariance: Covariance, *, least: int, splits: int, rng: Randomness
) -> list[Evidence]:
    """Evidence for 1 to `most` segments: both halves of each split are fitted on and judge one another.

    It ends early, but not before `least`, where three numbers in a row suit new rows less than a lower one.

    Stability: Lange, Roth, Braun and Buhmann 2004. A gap: fewer rows lie in a window about the thinnest place
    between two segments, found on one half, than about the smaller of their middles, on the other half; for
    any density with one peak that is as likely as not at best. Over splits, twice the median p-value
    (Meinshausen, Meier and Buehlmann 2009).
    """
    found: list[Evidence] = []
    for k in range(1, most + 1):
        found.append(_of_number(traits, k, covariance, splits, rng.at(k)))
        best = max(found, key=lambda e: e.likelihood)
        if k >= best.number + PATIENCE and k >= least:
            break
    return found


def _of_number(traits: Traits, number: int, covariance: Covariance, splits: int, rng: Randomness) -> Evidence:
    agreed, likely, gaps = [], [], []
    for place in range(splits):
        halves = list(_halves(traits, rng.at(place)))
        first, second = (
            fitted(h, number, covariance, rng=rng.at(place, i), starts=STARTS) for i, h in enumerate(halves)
        )
        likely.append((first.density(halves[1]).mean() + second.density(halves[0]).mean()) / 2)
        if number > 1:
            mine, theirs = (m.logits(traits).argmax(1) for m in (first, second))
            agreed.append(adjusted_rand_score(mine, theirs) if _all_there(mine, theirs, number) else 0.0)
            order = _matched(mine, theirs, number)
            counts = _gaps(first, *halves) + _gaps(second, *halves[::-1])[:, order][:, :, order]
            gaps.append(_no_gap(counts))
    mean, low, high = _interval(agreed) if number > 1 else (1.0, 1.0, 1.0)
    apart = min(1.0, 2 * float(np.median(gaps))) if number > 1 else 1.0
    return Evidence(number, covariance, mean, low, high, float(np.mean(likely)), apart)


def _halves(traits: Traits, rng: Randomness) -> Iterator[Traits]:
    order = rng.numpy("halves").permutation(len(traits))
    yield traits.take(order[: len(order) // 2])
    yield traits.take(order[len(order) // 2 :])


def _all_there(mine: np.ndarray, theirs: np.ndarray, number: int) -> bool:
    """Whether no segment of either is next to empty: then there are not so many."""
    return all(np.bincount(labels, minlength=number).min() >= FEWEST for labels in (mine, theirs))


def _matched(mine: np.ndarray, theirs: np.ndarray, number: int) -> np.ndarray:
    """(k,) their segment that is each of mine."""
    table = np.zeros((number, number))
    np.add.at(table, (mine, theirs), 1)
    order: np.ndarray = linear_sum_assignment(-table)[1]
    return order


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, mean, mean
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def _gaps(mixture: Mixture, fitted_on: Traits, new: Traits) -> np.ndarray:
    """(2, k, k) how many new rows lie near the thinnest place between two segments, and near a middle."""
    k = mixture.number
    here, there = mixture.logits(fitted_on), mixture.logits(new)
    counts = np.ones((2, k, k))
    for i in range(k):
        for j in range(i):
            found = _gap(_between(here, i, j), _between(there, i, j))
            counts[:, i, j] = counts[:, j, i] = found
    return counts


def _between(logits: np.ndarray, i: int, j: int) -> np.ndarray:
    """The log odds of two segments, of the rows that are in either."""
    own = logits.argmax(1)
    both = logits[(own == i) | (own == j)]
    odds: np.ndarray = both[:, i] - both[:, j]
    return odds


def _gap(fitted_on: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    if min(np.sum(side) for x in (fitted_on, new) for side in (x > 0, x <= 0)) < FEWEST:
        return 1.0, 1.0
    low, high, reach = _middles(fitted_on)
    counts = [_near(fitted_on, low + share * (high - low), reach) for share in GRID]
    thinnest = GRID[counts == np.min(counts)]
    share = thinnest[len(thinnest) // 2]
    low, high, reach = _middles(new)
    return _near(new, low + share * (high - low), reach), min(_near(new, low, reach), _near(new, high, reach))


def _middles(odds: np.ndarray) -> tuple[float, float, float]:
    """The middles of both sides, and a sixth of the way from one to the other."""
    low, high = float(np.median(odds[odds <= 0])), float(np.median(odds[odds > 0]))
    return low, high, (high - low) / 6


def _near(odds: np.ndarray, where: float, reach: float) -> float:
    return float(np.sum(np.abs(odds - where) < reach))


def _no_gap(counts: np.ndarray) -> float:
    """The p-value of the pair that is least apart."""
    pairs = np.triu_indices(counts.shape[1], 1)
    between, beside = counts[0][pairs], counts[1][pairs]
    return float(binom.cdf(between, between + beside, 0.5).max())


def null_stability(
    traits: Traits, number: int, covariance: Covariance, *, tables: int, rng: Randomness
) -> np.ndarray:
    """(tables,) the stability over one split of each of so many structureless tables of that look."""
    drawn = (structureless(traits, rng=rng.at(i)) for i in range(tables))
    return np.array([_of_number(d, number, covariance, 1, rng.at(i)).stability for i, d in enumerate(drawn)])

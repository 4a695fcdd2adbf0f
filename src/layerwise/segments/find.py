"""How many segments there are, which rows are in each, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerwise.errors import UsageError
from layerwise.randomness import Randomness
from layerwise.segments.evidence import Evidence, null_stability, studied
from layerwise.segments.mixture import Covariance, Mixture, fitted
from layerwise.segments.traits import Traits

__all__ = ["Segments", "find_segments"]

MOST = 10
LEAST_ROWS = 20  # a segment on average, in a half
STUDIED = 2_000  # rows
FITTED = 20_000  # rows
SPLITS = 6
NULLS = 10
STARTS = 12
CLOSE = 0.05  # of the highest stability
APART = 0.1  # p-value
NONE_STABLE = 0.5


@dataclass(frozen=True)
class Segments:
    """Segments of some rows, or none: `mixture` is None then.

    `evidence` is of one number after the other, from 1; `null` (tables, numbers) the stability that
    structureless tables of the same look show. `why` says in words how the number came about. `fixed` where
    the caller chose it.
    """

    mixture: Mixture | None
    evidence: tuple[Evidence, ...]
    null: np.ndarray
    why: str
    fixed: bool

    @property
    def number(self) -> int | None:
        """How many segments; None: no segments."""
        return None if self.mixture is None else self.mixture.number


def find_segments(
    traits: Traits, number: int | None = None, *, covariances: Sequence[Covariance] = ("own", "shared"), seed: int
) -> Segments:
    """Segments of the rows, as many as are stable and apart, or `number` of them.

    For each kind of covariance and each number up to 10, halves of at most 2,000 rows drawn by chance are
    fitted and compared. The covariance under which new rows are likeliest is taken, then the largest number
    whose stability is within 0.05 of the highest. There are segments at all where that stability exceeds that of structureless
    tables and where, at some number, all segments have gaps between them. They are fitted on at most 20,000
    rows. Raises UsageError for a number of segments that the rows do not allow.
    """
    rng = Randomness(seed).at("segments")
    most = min(MOST, len(traits) // (2 * LEAST_ROWS))
    if number is not None and not 2 <= number <= len(traits) // 2:
        raise UsageError(
            f"{len(traits):,} rows make 2 to {len(traits) // 2:,} segments, got {number}: give another number, or auto"
        )
    numbers = range(1, max(most, number or 1) + 1)
    some = _drawn(traits, STUDIED, rng)
    tried = [studied(some, numbers, c, splits=SPLITS, rng=rng.at(c)) for c in covariances]
    evidence = max(tried, key=lambda found: max(e.likelihood for e in found))
    null = null_stability(some, numbers, evidence[0].covariance, tables=NULLS, rng=rng.at("null"))
    chosen, why = _chosen(evidence, null) if number is None else (number, f"{number} were asked for.")
    mixture = None
    if chosen is not None:
        all_rows = _drawn(traits, FITTED, rng.at("fit"))
        mixture = fitted(all_rows, chosen, evidence[0].covariance, rng=rng.at("fit"), starts=STARTS)
    return Segments(mixture, tuple(evidence), null, why, number is not None)


def _drawn(traits: Traits, most: int, rng: Randomness) -> Traits:
    if len(traits) <= most:
        return traits
    return traits.take(np.sort(rng.numpy("rows").permutation(len(traits))[:most]))


def _chosen(evidence: Sequence[Evidence], null: np.ndarray) -> tuple[int | None, str]:
    several = evidence[1:]
    if not several:
        return None, "there are too few rows to tell segments from chance"
    top = max(e.stability for e in several)
    best = next(e for e in reversed(several) if e.stability >= top - CLOSE)
    by_chance = float(null[:, best.number - 1].max())
    apart = min(e.apart for e in several)
    told=f"k {best.number} stab {best.stability:.2f} null {by_chance:.2f} apart {apart:.3f} cov {best.covariance}"
    if top < NONE_STABLE or best.stability <= by_chance or apart > APART:
        return None, told
    return best.number, told

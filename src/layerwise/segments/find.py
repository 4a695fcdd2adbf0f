"""How many segments there are, which rows are in each, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerwise.errors import UsageError
from layerwise.figures import number as figure
from layerwise.randomness import Randomness
from layerwise.segments.evidence import Evidence, null_stability, studied
from layerwise.segments.mixture import Covariance, Mixture, fitted
from layerwise.segments.traits import Traits
from layerwise.segments.tuned import tuned

__all__ = ["Segments", "find_segments"]

MOST = 10  # segments that are looked for
LEAST_ROWS = 20  # of a segment on average, in a half
STUDIED = 2_000  # rows
FITTED = 20_000  # rows
SPLITS = 6
NULLS = 10
STARTS = 12
CLOSE = 0.05  # to the highest stability
APART = 0.25  # p-value, which is large where there is one peak: no gap is the edge of what it tests
STABLE = 0.5  # the least stability of segments
STEADY = 0.75  # and of a peak


@dataclass(frozen=True)
class Segments:
    """Segments of some rows, or none: `mixture` is None then.

    `evidence` is of one number after the other, from 1. `considered` is the number that was weighed against
    none, `null` (tables,) the stability of so many segments in structureless tables of the same look; empty
    where that was not asked. `why` says how the number came about; `fixed`: the caller chose it.
    """

    mixture: Mixture | None
    evidence: tuple[Evidence, ...]
    considered: int | None
    null: np.ndarray
    why: str
    fixed: bool

    @property
    def number(self) -> int | None:
        """How many segments; None: no segments."""
        return None if self.mixture is None else self.mixture.number


def find_segments(
    traits: Traits,
    number: int | None = None,
    *,
    covariances: Sequence[Covariance] = ("own", "shared"),
    seed: int,
) -> Segments:
    """As many segments as are stable and apart, or `number` of them.

    Under each kind of covariance, halves of at most 2,000 rows, drawn by chance, are fitted with 1 to 10
    segments and compared. The covariance counts under which new rows are likeliest, and the largest number
    whose stability is within 0.05 of the highest, or is a peak above 0.75 at which all segments have gaps
    between them: few large segments are steady too where each holds several. There are segments at all where,
    at some number, all have gaps between them (p <= 0.25), and where the stability is above one half and above
    that of ten structureless tables. They are then fitted on at most 20,000 rows and, where covariances of
    their own are allowed, tuned.

    Raises UsageError for a number of segments that the rows do not allow.
    """
    if number is not None and not 2 <= number <= len(traits) // 2:
        raise UsageError(
            f"{len(traits):,} rows make from 2 to {len(traits) // 2:,} segments, got {number}:"
            " give another number, or auto"
        )
    rng = Randomness(seed).at("segments")
    some = _drawn(traits, STUDIED, rng)
    most = max(min(MOST, len(some) // (2 * LEAST_ROWS)), number or 1)
    tried = [studied(some, most, c, least=number or 2, splits=SPLITS, rng=rng.at(c)) for c in covariances]
    evidence = tuple(max(tried, key=lambda found: max(e.likelihood for e in found)))
    covariance = evidence[0].covariance
    considered = number or _stablest(evidence)
    null, why = np.empty(0), "the number was asked for"
    if number is None:
        why = _doubt(evidence, considered)
        if considered is not None and not why:
            null = null_stability(some, considered, covariance, tables=NULLS, rng=rng.at("null"))
            why = _by_chance(evidence[considered - 1], null)
    found = None
    if number is not None or not why:
        rows = _drawn(traits, FITTED, rng.at("fit"))
        found = fitted(rows, considered or 1, covariance, rng=rng.at("fit"), starts=STARTS)
        found = (tuned(found, rows) if "own" in covariances else found).by_size(rows)
    return Segments(
        found, evidence, considered, null, why or _reason(evidence, considered), number is not None
    )


def _drawn(traits: Traits, most: int, rng: Randomness) -> Traits:
    if len(traits) <= most:
        return traits
    return traits.take(np.sort(rng.numpy("rows").permutation(len(traits))[:most]))


def _stablest(evidence: Sequence[Evidence]) -> int | None:
    """The largest number whose stability is close to the highest, or peaks at segments that are all apart."""
    several = evidence[1:]
    top = max((e.stability for e in several), default=0.0)
    heights = [0.0, *(e.stability for e in several), 0.0]
    for found, before, after in reversed(list(zip(several, heights, heights[2:], strict=False))):
        peak = STEADY <= found.stability >= max(before, after) and found.apart <= APART
        if peak or found.stability >= top - CLOSE:
            return found.number
    return None


def _doubt(evidence: Sequence[Evidence], considered: int | None) -> str:
    """Why there are no segments; empty where nothing speaks against them yet."""
    if considered is None:
        return "there are too few rows to tell segments from chance"
    if evidence[considered - 1].stability < STABLE:
        return "two halves of the rows do not agree on any segments"
    if min(e.apart for e in evidence[1:]) > APART:
        return "the rows thin out nowhere between one part and another"
    return ""


def _by_chance(found: Evidence, null: np.ndarray) -> str:
    if found.stability > null.max():
        return ""
    return (
        f"structureless tables of the same columns can be cut as steadily: stability {figure(float(null.max()))}"
        f" there, {figure(found.stability)} here"
    )


def _reason(evidence: Sequence[Evidence], considered: int | None) -> str:
    found = evidence[(considered or 1) - 1]
    return (
        f"{found.number} is the largest number on which two halves of the rows agree steadily, with an adjusted"
        f" Rand index of {figure(found.stability)}"
    )

"""How many segments there are, which rows are in each, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerwise.errors import UsageError
from layerwise.figures import number as figure
from layerwise.randomness import Randomness
from layerwise.segments.evidence import Evidence, Tell, null_gains, studied
from layerwise.segments.mixture import fitted
from layerwise.segments.rule import Rule, linear, taught
from layerwise.segments.traits import Traits

__all__ = ["APART", "STABLE", "STEADY", "Segments", "find_segments", "likeliest", "unheard"]

MOST = 10  # segments that are looked for
LEAST_ROWS = 40  # of a segment on average
STUDIED = 2_000  # rows
FITTED = 20_000  # rows
NULLS = 10
STUDY, WEIGHED = 0.6, 0.9  # of the work is done, about, once evidence is there, and what chance does
STARTS = 12
APART = 0.25  # p-value, which is large where there is one peak: no gap is the edge of what it tests
STABLE, STEADY = 0.5, 0.85  # the least stability of segments, and what is asked of their number
WORTH = 0.05  # nats a row: what is likelier by less is as likely
LIKELY = 2.0  # standard errors: the same
SURE, SURELY = 0.95, 4.0  # unless it is as stable as that, and likelier by so many standard errors


@dataclass(frozen=True)
class Segments:
    """Segments of some rows, or none: `rule` is None then.

    `evidence` is of one number after the other, from 1. `considered` is the number that was weighed against
    none, `null` (tables,) the nats a row by which so many segments make new rows likelier in structureless
    tables of the same look; empty where that was not asked. `why` says how the number came about; `fixed`:
    the caller chose it.
    """

    rule: Rule | None
    evidence: tuple[Evidence, ...]
    considered: int | None
    null: np.ndarray
    why: str
    fixed: bool

    @property
    def number(self) -> int | None:
        """How many segments; None: no segments."""
        return None if self.rule is None else self.rule.number


def unheard(done: float, words: str) -> None:
    """Nobody listens."""


def find_segments(
    traits: Traits, number: int | None = None, *, own: bool = True, seed: int, tell: Tell = unheard
) -> Segments:
    """As many segments as make new rows likely, or `number` of them.

    Of at most 2,000 rows, drawn by chance, mixtures of 1 to 10 segments are fitted to four fifths and judged
    on the fifth. Among the numbers whose stability is 0.85, or the highest where none has that, it is the
    smallest under which new rows are as likely as under any higher one of them: within two standard errors
    (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3, who take one) or 0.05 nats, unless the higher one's
    stability is 0.95 and it is likelier by four standard errors. There are segments at all where that is more
    than one, where at that number or a lower one all have gaps between them (p <= 0.25), and where new rows gain
    more by them than in ten structureless tables. They are then fitted on at most 20,000 rows. `own`: segments
    have variances of their own.

    `tell` hears how far that is. Raises UsageError for a number of segments that the rows do not allow.
    """
    if number is not None and not 2 <= number <= len(traits) // 2:
        raise UsageError(
            f"{len(traits):,} rows make from 2 to {len(traits) // 2:,} segments, got {number}:"
            " give another number, or auto"
        )
    rng = Randomness(seed).at("segments")
    some = _drawn(traits, STUDIED, rng)
    most = max(min(MOST, len(some) // LEAST_ROWS), number or 1)
    evidence = tuple(
        studied(
            some, most, own=own, least=number or 2, rng=rng.at("study"), tell=lambda d, w: tell(STUDY * d, w)
        )
    )
    considered = number or likeliest(evidence)
    null, why = np.empty(0), "the number was asked for"
    if number is None:
        why = _doubt(evidence, considered)
        if considered > 1 and not why:
            null = null_gains(
                some, considered, own=own, tables=NULLS, rng=rng.at("null"),
                tell=lambda d, w: tell(STUDY + (WEIGHED - STUDY) * d, w),
            )  # fmt: skip
            why = _by_chance(evidence[considered - 1].likelihood - evidence[0].likelihood, null)
    rule = None
    if number is not None or not why:
        rows = _drawn(traits, FITTED, rng.at("fit"))
        mixture = fitted(rows, considered, own=own, rng=rng.at("fit"), starts=STARTS)
        rule = (taught(mixture, rows) if own else linear(mixture)).by_size(rows)
    tell(1.0, "no segments" if rule is None else f"{rule.number} segments")
    return Segments(
        rule,
        evidence,
        considered if considered > 1 else None,
        null,
        why or _reason(evidence[considered - 1], evidence),
        number is not None,
    )


def _drawn(traits: Traits, most: int, rng: Randomness) -> Traits:
    if len(traits) <= most:
        return traits
    return traits.take(np.sort(rng.numpy("rows").permutation(len(traits))[:most]))


def likeliest(evidence: Sequence[Evidence]) -> int:
    """The smallest steady number under which new rows are as likely as under any higher steady one.

    Real tables have ever finer cuts that make new rows likelier, and on which their parts agree less and less.
    """
    asked = min(STEADY, max(e.stability for e in evidence[1:])) if len(evidence) > 1 else STEADY
    steady = [e for e in evidence if e.stability >= asked]
    return next(e.number for e in steady if not any(_likelier(more, e) for more in steady))


def _likelier(more: Evidence, than: Evidence) -> bool:
    """By more than chance and 0.05 nats; segments that are surely the same again may gain less, if surely."""
    gain = more.density - than.density
    mean, error = float(gain.mean()), float(gain.std()) / np.sqrt(len(gain))
    sure = more.stability >= SURE and mean > SURELY * error
    return more.number > than.number and (mean > max(WORTH, LIKELY * error) or sure)


def _doubt(evidence: Sequence[Evidence], considered: int) -> str:
    """Why there are no segments; empty where nothing speaks against them yet."""
    if len(evidence) < 2:
        return f"at least {2 * LEAST_ROWS} rows are needed to tell segments from chance"
    if max(e.stability for e in evidence[1:]) <= STABLE:
        return "parts of the rows do not agree on any segments"
    if considered == 1:
        return "segments make new rows no likelier"
    if min(e.apart for e in evidence[1:considered]) > APART:
        return "the rows thin out nowhere between one part and another"
    return ""


def _by_chance(gain: float, null: np.ndarray) -> str:
    if gain > null.max():
        return ""
    return (
        "structureless tables of the same columns gain as much by segments:"
        f" {figure(float(null.max()))} nats a row there, {figure(gain)} here"
    )


def _reason(found: Evidence, evidence: Sequence[Evidence]) -> str:
    most = evidence[-1].number
    if found.number == most:
        return f"no smaller number makes new rows clearly likelier, and {most} is the most that is tried"
    if any(_likelier(e, found) for e in evidence):
        finer = max(evidence, key=lambda e: e.likelihood)
        return (
            f"of 1 to {most} tried, {finer.number} make new rows likeliest, but different parts of the rows"
            f" agree on those to {figure(finer.stability)} only"
        )
    return f"of 1 to {most} tried, no other number makes new rows clearly likelier"

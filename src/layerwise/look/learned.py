"""What features that were learned without labels are worth: spread, neighbours, and labels read off them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from layerwise.errors import shown
from layerwise.figures import count, number
from layerwise.findings import Dots, Finding, Gallery, Section, Tile
from layerwise.look.examples import Examples
from layerwise.look.labels import labels_of
from layerwise.look.levels import Known
from layerwise.look.readable import Probe
from layerwise.look.words import NAMES, capital, with_article
from layerwise.tasks.metrics import paired

__all__ = ["Learned", "learned"]

QUERIES, NEAREST = 6, 5
CONSTANT = 1e-6  # of the largest deviation: a feature that varies less says nothing
AT_ONCE = 1 << 24  # distances in flight


class Learned(NamedTuple):
    """The verdict, the section, and the same for programs."""

    verdict: Finding
    section: Section
    checks: dict[str, object]


def learned(
    codes: np.ndarray,
    *,
    examples: Examples,
    known: Known | None,
    ways: Mapping[str, tuple[np.ndarray, np.ndarray]],
    n: int,
    seed: int = 0,
) -> Learned:
    """`codes` (M, K) and `examples` are of the same held-out rows; `n` is how many examples were learned from.

    With `known` labels, `ways` holds features by name, those learned first: of `known.rows` and of the held-out
    rows; a linear probe on each is judged.
    """
    things = examples.kind.plural
    dimensions, dead = _spread(codes)
    told = number(round(dimensions, 1))
    width = codes.shape[1]
    said = f"{count(width)} features learned from {count(n)} {things} without labels"
    labels = None if known is None else labels_of(known.task, known.held_targets)
    findings = [_dimensions(dimensions, dead, width, len(codes)), _neighbours(codes, examples, labels)]
    checks: dict[str, object] = {"dimensions": dimensions, "constant": dead, "features": width}
    if known is None:
        sentence = (
            f"{said}: on held-out {things} they vary in about {told} independent directions. No label was"
            " known, so what the features serve is not judged here."
        )
        verdict = Finding("verdict", sentence, n=len(codes))
    else:
        judge = known.judge(np.arange(len(known.rows)), np.arange(len(known.held_targets)), seed)
        probes = {name: judge.probe(*pair) for name, pair in ways.items()}
        # of ways that are as good, the simplest, which come last
        best = max(reversed(list(probes)[1:]), key=lambda name: probes[name].score.value)
        ahead = _ahead(probes, best, known, seed)
        findings.insert(0, ahead)
        verdict = _verdict(said, probes, best, ahead, fitted=len(known.rows), things=things)
        checks["probes"] = {name: p.score.to_json() for name, p in probes.items()}
        checks["ahead"] = {"of": best, "value": ahead.value, "low": ahead.low, "high": ahead.high}
    heading = f"The {count(width)} features vary in about {told} independent directions."
    return Learned(verdict, Section("quality", heading, tuple(findings)), checks)


def _spread(codes: np.ndarray) -> tuple[float, int]:
    """The participation ratio of the spectrum of covariances, and how many features are constant."""
    x = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    deviation = x.std(axis=0)
    dead = int((deviation <= CONSTANT * max(float(deviation.max()), 1e-12)).sum())
    x = x / np.where(deviation > 0, deviation, 1.0)
    spectrum = np.linalg.svd(x, compute_uv=False) ** 2
    total = float(spectrum.sum())
    return (total**2 / float((spectrum**2).sum()) if total else 0.0), dead


def _dimensions(dimensions: float, dead: int, width: int, n: int) -> Finding:
    said = f"independent directions in which {count(width)} features vary"
    said += f"; {count(dead)} of them are the same for all." if dead else "."
    few = dimensions < 2 or dead > width / 2
    return Finding(
        "quality.dimensions",
        said,
        round(dimensions, 1),
        n=n,
        method="participation ratio of the correlations' spectrum over held-out examples",
        caveat="Nearly everything is made the same: learning has collapsed. More data, or another method,"
        " may help."
        if few
        else "",
    )


def _neighbours(codes: np.ndarray, examples: Examples, labels: Sequence[str] | None) -> Finding:
    """A few held-out examples, each with those that lie nearest by angle once every feature counts the same."""
    x = codes.astype(np.float32) - codes.mean(axis=0)
    x /= np.maximum(x.std(axis=0), 1e-12)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    galleries = []
    for query in np.linspace(0, len(x) - 1, min(QUERIES, len(x))).astype(int):
        near = x @ x[query]
        near[query] = np.inf
        order = np.argsort(-near, kind="stable")[: NEAREST + 1]
        tiles = [
            Tile(examples.show(int(i)), labels[i] if labels else "", shown(examples.ids[int(i)], 60)[1:-1])
            for i in order
        ]
        galleries.append(
            Gallery(
                tiles, f"{shown(examples.ids[int(query)], 60)[1:-1]}, and those nearest to it.", examples=True
            )
        )
    things = examples.kind.plural
    said = f"Some held-out {things}, each with those whose features are nearest."
    return Finding("quality.neighbours", said, pictures=tuple(galleries))


def _ahead(probes: Mapping[str, Probe], best: str, known: Known, seed: int) -> Finding:
    """How far a probe on the learned features is ahead of one on `best`, the best of the others."""
    ours = next(iter(probes))
    metric = probes[ours].score.name
    units = known.task.units(len(known.held_targets), known.groups)
    value, low, high = paired(
        known.task, probes[ours].decoded, probes[best].decoded, known.held_targets, units, metric=metric,
        seed=seed,
    )  # fmt: skip
    name = NAMES.get(metric, metric)
    rows = [(way, p.score.value, p.score.low, p.score.high) for way, p in probes.items()]
    dots = Dots(rows, name, f"{capital(name)} of a linear probe on each.", strong=(ours,))
    side = "ahead of" if low > 0 else "behind" if high < 0 else "not told from"
    return Finding(
        "quality.probe",
        f"in {name}: a linear probe on the features learned is {side} the best of the other ways, {best}.",
        value,
        low,
        high,
        n=len(known.held_targets),
        method="paired difference on the same held-out rows",
        pictures=(dots,),
    )


def _verdict(
    said: str, probes: Mapping[str, Probe], best: str, ahead: Finding, *, fitted: int, things: str
) -> Finding:
    score, other = next(iter(probes.values())).score, probes[best].score
    name = NAMES.get(score.name, score.name)
    here, there = (number(m.value, m.low, m.high) for m in (score, other))
    alike = (ahead.low or 0.0) <= 0 <= (ahead.high or 0.0)
    told = f", a difference that these {things} do not show" if alike else ""
    sentence = (
        f"{said}: a linear probe on them, fitted with {count(fitted)} labels, reaches {with_article(name)} of"
        f" {here} on held-out {things}; on {best} it reaches {there}{told}."
    )
    return Finding("verdict", sentence, score.value, score.low, score.high, n=score.n)

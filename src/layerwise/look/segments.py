"""Segments on the page: whether there are any, how many and why, what each is, and a rival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import silhouette_samples

from layerwise.figures import count, number, share
from layerwise.findings import Bars, Dots, Finding, Gallery, Rows, Scatter, Section, Tile
from layerwise.kinds.base import Values
from layerwise.look.examples import Examples
from layerwise.look.segment_labels import labels_by_segment
from layerwise.look.segment_rival import k_means_rival, raw_of
from layerwise.look.segment_words import Mark, cells_of, marks_of
from layerwise.randomness import Randomness
from layerwise.segments import Cut, Segments
from layerwise.spec import Spec
from layerwise.tasks.intervals import wilson

__all__ = ["segment_section"]

TOLD = 3  # marks in a sentence
TYPICAL = 6  # rows of a segment
BESIDE = 5  # columns of a typical row
POINTS = 1200
MEASURED = 2000  # rows: silhouettes
APART = 0.25  # p-value


def segment_section(
    cut: Cut,
    *,
    values: Values | None = None,
    spec: Spec | None = None,
    examples: Examples | None = None,
    ids: Sequence[str],
    answers: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> Section:
    """Everything to be said of the segments of some rows, and of k-means on raw values beside them.

    `values` and `spec` are the rows of a table as read, from which segments are told in words; other kinds
    are told by their most typical rows alone, which `examples` (N,) show. `ids` (N,) name the rows, `answers`
    (N,) each are labels that were not looked at (see `labels_by_segment`). The rival sees what was looked at.
    """
    found, labels = cut.segments, cut.labels
    raw = raw_of(values, spec) if values is not None and spec is not None else cut.traits.scores
    findings = [_verdict(cut), *([_stability(found)] if len(found.evidence) > 1 else [])]
    parts: list[Section] = []
    if labels is not None:
        plane, axes = _plane(cut, labels, seed)
        findings += [_sizes(labels, cut.probabilities), plane, _silhouettes(axes, labels, seed)]
        segments = cut.probabilities.shape[1]
        findings += [labels_by_segment(n, c, labels, segments) for n, c in (answers or {}).items()]
        parts = [
            _part(cut, labels, segment, values, spec, examples, ids)
            for segment in range(cut.probabilities.shape[1])
        ]
    if found.considered is not None:
        findings.append(k_means_rival(raw, labels, found, seed))
    return Section("segments", _heading(cut), tuple(findings), tuple(parts))


def _heading(cut: Cut) -> str:
    n, k = count(len(cut.traits)), cut.segments.number
    return f"The {n} rows make {k} segments." if k else f"The {n} rows make no segments."


def _verdict(cut: Cut) -> Finding:
    found = cut.segments
    if found.number is None:
        return Finding(
            "segments",
            f"No segments: {found.why}.",
            n=len(cut.traits),
            caveat="There may be some that overlap so much that nothing tells them from one lot of rows.",
        )
    several = {e.number: e.apart for e in found.evidence[1:]}
    apart = several.get(found.number, 1.0)
    caveats, though = [], ""
    if found.fixed:
        caveats.append("The number was asked for, not found.")
    if apart > APART:
        parted = max((k for k, p in several.items() if k < found.number and p <= APART), default=0)
        though = (
            f", though only {parted} lie clearly apart"
            if parted
            else ", though nothing says that rows part there"
        )
        caveats.append("They run into one another: a finer cut of the same rows.")
    return Finding(
        "segments",
        f"{found.number} segments{though}: {found.why}.",
        float(found.number),
        n=len(cut.traits),
        method=f"gaps between segments in rows that were not fitted on: p = {number(apart)}",
        caveat=" ".join(caveats)
        or "Rows between two segments are assigned to the nearer one; how surely, predict says.",
    )


def _stability(found: Segments) -> Finding:
    several = found.evidence[1:]
    best = next((e for e in several if e.number == found.considered), several[0])
    chart = Dots(
        [(f"{e.number} segments", e.stability, None, None) for e in several],
        "stability",
        "How far segments found without one fifth of the rows agree with those found without another, as an"
        " adjusted Rand index: 0 is chance, 1 the same segments.",
        strong=(f"{best.number} segments",),
    )
    table = Rows(
        ["segments", "stability", "log density of new rows", "p, no gaps"],
        [(e.number, e.stability, e.likelihood, e.apart) for e in several],
        "Log density in nats for a row that was not fitted on; the p-value is that two of the segments have"
        " no gap between them.",
    )
    null, gain = "", best.likelihood - found.evidence[0].likelihood
    if len(found.null):
        most = float(found.null.max())
        there = f"likelier by {number(most)} nats at most" if most > 0 else "no likelier"
        here = f"by {number(gain)} nats" if gain > 0 else "no likelier"
        null = (
            f"; in {count(len(found.null))} structureless tables of the same columns, so many make new rows"
            f" {there}, here {here}"
        )
    return Finding(
        "segments.stability",
        f"At {best.number} segments, parts of the rows agree with a stability of"
        f" {number(best.stability)}{null}.",
        best.stability,
        method="five fits, each without a fifth of the rows; mean over pairs of fits",
        pictures=(chart, table),
    )


def _sizes(labels: np.ndarray, probabilities: np.ndarray) -> Finding:
    n, k = probabilities.shape
    rows = []
    for segment in range(k):
        size = int((labels == segment).sum())
        rows.append((_name(segment), size / n, *wilson(size, n)))
    sure = float((probabilities.max(1) >= 0.9).mean())
    return Finding(
        "segments.sizes",
        f"{share(sure)} of the rows are in their segment with a probability of 90 % or more.",
        sure,
        *wilson(sure * n, n),
        n=n,
        method="95 % intervals of the shares",
        pictures=(Dots(rows, "share of the rows", "How large each segment is."),),
    )


def _plane(cut: Cut, labels: np.ndarray, seed: int) -> tuple[Finding, np.ndarray]:
    """A map of the rows, and (N, axes) where they lie on the axes that part the segments best."""
    scores = cut.traits.scores / np.maximum(cut.traits.scores.std(0), 1e-12)
    axes = np.asarray(scores[:, :1])
    if len(np.unique(labels)) > 1:
        parting = LinearDiscriminantAnalysis(shrinkage="auto", solver="eigen")
        with suppress(np.linalg.LinAlgError):  # where the rows of each segment are all the same
            axes = parting.fit_transform(scores, labels)
    other = next((s for s in scores.T if abs(np.corrcoef(s, axes[:, 0])[0, 1]) < 0.9), scores[:, -1])
    flat = axes[:, :2] if axes.shape[1] > 1 else np.column_stack([axes, other])
    drawn = Randomness(seed).numpy("map").permutation(len(labels))[:POINTS]
    groups = {}
    for segment in range(cut.probabilities.shape[1]):
        x, y = flat[drawn[labels[drawn] == segment]].T
        groups[_name(segment)] = (x.round(3).tolist(), y.round(3).tolist())
    picture = Scatter(
        groups,
        "first axis",
        "second axis",
        f"{count(len(drawn))} rows, drawn by chance, where the segments lie furthest apart.",
    )
    caveat = "The axes were chosen to part the segments, so they look further apart than on any others."
    return Finding(
        "segments.map", "The segments on a plane.", n=len(drawn), caveat=caveat, pictures=(picture,)
    ), axes


def _silhouettes(axes: np.ndarray, labels: np.ndarray, seed: int) -> Finding:
    drawn = Randomness(seed).numpy("silhouettes").permutation(len(labels))[:MEASURED]
    own = labels[drawn]
    if len(np.unique(own)) < 2:
        return Finding("segments.silhouettes", "Silhouettes cannot be told of one segment.")
    widths = silhouette_samples(axes[drawn], own)
    rows = [(_name(s), float(widths[own == s].mean())) for s in np.unique(own)]
    return Finding(
        "segments.silhouettes",
        f"The mean silhouette is {number(float(widths.mean()))}.",
        float(widths.mean()),
        n=len(drawn),
        method="Rousseeuw 1987, on the axes of the map and all further ones that part the segments",
        caveat="Segments of unequal spread have low silhouettes even where they are real.",
        pictures=(Bars(rows, "mean silhouette", "1: far from all others; 0: between two segments."),),
    )


def _part(
    cut: Cut,
    labels: np.ndarray,
    segment: int,
    values: Values | None,
    spec: Spec | None,
    examples: Examples | None,
    ids: Sequence[str],
) -> Section:
    n, size = len(labels), int((labels == segment).sum())
    marks = marks_of(values, spec, labels, segment) if values is not None and spec is not None else []
    told = ", ".join(m.words for m in marks[:TOLD])
    heading = f"{_name(segment, capital=True)}, {share(size / n)} of rows{': ' + told if told else ''}."
    low, high = wilson(size, n)
    findings = [
        Finding(
            f"segments.{segment + 1}",
            f"{count(size)} rows.",
            size / n,
            low,
            high,
            n=n,
            method="share of all rows",
            caveat=_caveat(marks, values is not None),
            pictures=(_table(marks),) if marks else (),
        ),
        _typical(cut, labels, segment, marks, values, spec, examples, ids),
    ]
    return Section(f"segments.{segment + 1}", heading, tuple(findings))


def _caveat(marks: Sequence[Mark], table: bool) -> str:
    if marks:
        return (
            "The segments were made from these columns, so the differences are no tests; they say what it is."
        )
    return "No single column sets it apart; columns together do." if table else ""


def _table(marks: Sequence[Mark]) -> Rows:
    rows = [(m.words, m.effect) for m in marks]
    columns = (
        "The column in which it differs" if len(rows) == 1 else f"All {len(rows)} columns in which it differs"
    )
    words = f"{columns}; the effect is Cliff's delta: 1 where every row of it is higher than every other."
    return Rows(["what sets it apart", "effect"], rows, words, fold=len(rows) > 2 * TOLD)


def _typical(
    cut: Cut,
    labels: np.ndarray,
    segment: int,
    marks: Sequence[Mark],
    values: Values | None,
    spec: Spec | None,
    examples: Examples | None,
    ids: Sequence[str],
) -> Finding:
    """The rows nearest the middle of the segment on all principal axes; of a table, what sets it apart in them."""
    rows, words = typical(cut, labels, segment), "Those nearest its middle."
    sure = [float(cut.probabilities[i, segment]) for i in rows]
    picture: Rows | Gallery
    if examples is None:
        cells = {} if values is None or spec is None else cells_of(values, spec, rows)
        shown = [mark.column for mark in marks[:BESIDE]]
        named = list(zip([ids[i] for i in rows], sure, *(cells[column] for column in shown), strict=True))
        picture = Rows(["row", "probability", *shown], named, words)
    else:
        tiles = [Tile(examples.show(i), number(p), ids[i]) for i, p in zip(rows, sure, strict=True)]
        picture = Gallery(tiles, f"{words} Below each how surely it belongs there.", examples=True)
    return Finding(f"segments.{segment + 1}.typical", "Its most typical rows.", pictures=(picture,))


def typical(cut: Cut, labels: np.ndarray, segment: int) -> list[int]:
    """Up to six rows of the segment, those nearest its middle first."""
    inside = np.flatnonzero(labels == segment)
    scores = cut.traits.scores[inside]
    off = scores - np.median(scores, axis=0) if len(inside) else scores
    order = np.argsort((off**2).sum(1), kind="stable")[:TYPICAL]
    return [int(i) for i in inside[order]]


def _name(segment: int, *, capital: bool = False) -> str:
    return f"{'S' if capital else 's'}egment {segment + 1}"

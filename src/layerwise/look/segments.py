"""Segments on the page: whether there are any, how many and why, what each is, and a rival."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import silhouette_samples

from layerwise.figures import count, number, share
from layerwise.findings import Bars, Dots, Finding, Rows, Scatter, Section
from layerwise.look.examples import Examples
from layerwise.look.segment import called, segment_part
from layerwise.look.segment_labels import labels_by_segment
from layerwise.look.segment_rival import k_means_rival, raw_of
from layerwise.look.segment_words import Table
from layerwise.randomness import Randomness
from layerwise.segments import APART, STABLE, STEADY, Cut, Segments
from layerwise.tasks.intervals import wilson

__all__ = ["segment_section"]

POINTS = 1200
MEASURED = 2000  # rows: silhouettes


def segment_section(
    cut: Cut, rows: Table | Examples, *, answers: Mapping[str, np.ndarray] | None = None, seed: int = 0
) -> Section:
    """Everything to be said of the segments of some rows, and of k-means on raw values beside them.

    Of a table, segments are told in words; of other kinds by their most typical examples alone. `answers`
    (N,) each are labels that were not looked at (see `labels_by_segment`). The rival sees what was looked at.
    """
    found, labels = cut.segments, cut.labels
    raw = raw_of(rows) if isinstance(rows, Table) else cut.traits.scores
    findings = [_verdict(cut), *([_stability(found)] if len(found.evidence) > 1 else [])]
    parts: list[Section] = []
    if labels is not None:
        plane, axes = _plane(cut, labels, seed)
        findings += [_sizes(labels, cut.probabilities), plane, _silhouettes(axes, labels, seed)]
        segments = cut.probabilities.shape[1]
        findings += [labels_by_segment(n, c, labels, segments) for n, c in (answers or {}).items()]
        parts = [segment_part(cut, labels, segment, rows) for segment in range(segments)]
    if found.considered is not None:
        findings.append(k_means_rival(raw, labels, found, seed))
    return Section("segments", _heading(cut), tuple(findings), tuple(parts))


def _heading(cut: Cut) -> str:
    n, k = count(len(cut.traits)), cut.segments.number
    return f"The {n} rows make {k} segments." if k else f"The {n} rows make no segments."


def _verdict(cut: Cut) -> Finding:
    found, n = cut.segments, len(cut.traits)
    again = n - 1 - int(cut.traits.copies().max())
    copies = f" Rows that are copies of others: {count(again)}; they are left out together." if again else ""
    if found.number is None:
        return Finding(
            "segments",
            f"No segments: {found.why}.",
            n=n,
            caveat="There may be some that overlap so much that nothing tells them from one lot of rows."
            + copies,
        )
    [own] = [e for e in found.evidence if e.number == found.number]
    alike = (
        "alike" if own.stability >= STEADY else "roughly alike" if own.stability > STABLE else "hardly alike"
    )
    if own.stability <= STABLE:
        caveat = "Parts of the rows do not agree on so many segments: these may be chance."
    elif own.apart > APART:
        caveat = "At least two of them run into one another."
    else:
        caveat = "Rows between two segments are assigned to the nearer one; how surely, predict says."
    return Finding(
        "segments",
        f"{found.number} segments, {'as asked for, ' if found.fixed else ''}found {alike} in different parts of"
        f" the rows (adjusted Rand index {number(own.stability)}: 1 the same, 0 chance).",
        float(found.number),
        n=n,
        method=f"{found.why}; gaps between segments in rows that were not fitted on: {_p_value(own.apart)}",
        caveat=caveat + copies,
    )


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {number(round(p, 3))}"


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
        "Log density in nats for a row that was not fitted on. The p-value is that of no gap between two of the"
        " segments: how often chance would part them so far.",
    )
    null, gain = "", best.likelihood - found.evidence[0].likelihood
    if len(found.null):
        most = float(found.null.max())
        there = f"by {number(most)} nats at most" if most > 0 else "not at all"
        here = f"by {number(gain)} nats" if gain > 0 else "not"
        null = (
            f" They make new rows likelier {here}, and {there} in {count(len(found.null))} structureless tables"
            " of the same columns."
        )
    return Finding(
        "segments.stability",
        f"At {best.number} segments, parts of the rows agree with a stability of"
        f" {number(best.stability)}.{null}",
        best.stability,
        method="five fits, each without a fifth of the rows; mean over pairs of fits",
        pictures=(chart, table),
    )


def _sizes(labels: np.ndarray, probabilities: np.ndarray) -> Finding:
    n, k = probabilities.shape
    rows = []
    for segment in range(k):
        size = int((labels == segment).sum())
        rows.append((called(segment), size / n, *wilson(size, n)))
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
        groups[called(segment)] = (x.round(3).tolist(), y.round(3).tolist())
    picture = Scatter(
        groups,
        "first axis",
        "second axis",
        f"{count(len(drawn))} rows{', drawn by chance' if len(drawn) < len(labels) else ''}, where the segments"
        " lie furthest apart.",
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
    rows = [(called(s), float(widths[own == s].mean())) for s in np.unique(own)]
    return Finding(
        "segments.silhouettes",
        f"The mean silhouette is {number(float(widths.mean()))}.",
        float(widths.mean()),
        n=len(drawn),
        method="Rousseeuw 1987, on the axes of the map and all further ones that part the segments",
        caveat="Segments of unequal spread have low silhouettes even where they are real.",
        pictures=(Bars(rows, "mean silhouette", "1: far from all others; 0: between two segments."),),
    )

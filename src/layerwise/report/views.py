"""From sections to what the template draws: every picture as geometry, every anchor unique."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from layerwise.figures import count, interval, number
from layerwise.findings import (
    Bars,
    Code,
    Curves,
    Dots,
    Finding,
    Gallery,
    Heat,
    Picture,
    Rows,
    Scatter,
    Section,
)
from layerwise.report.axes import Axis, axis_over
from layerwise.report.charts import Mark, heat, mark, marks, plot, scatter
from layerwise.report.media import gallery
from layerwise.report.tables import are_figures, table, typeset

__all__ = ["FindingView", "LevelRow", "Levels", "PictureView", "SectionView", "view"]


class PictureView(NamedTuple):
    """A picture and the anchor of its words."""

    id: str
    drawn: Any


class FindingView(NamedTuple):
    """A claim. `figure` is empty where there is no value."""

    sentence: str
    parts: tuple[str, str, str]  # of the sentence: before its figure, the figure, and after it
    figure: str
    unit: str
    interval: str
    n: str
    method: str
    caveat: str
    pictures: tuple[PictureView, ...]


class LevelRow(NamedTuple):
    """A line of the table of levels."""

    id: str
    name: str
    facts: tuple[str, ...]
    probe: Mark | None


class Levels(NamedTuple):
    """All levels at a glance: what each is, and how readable the answer is there, on one scale."""

    labels: tuple[str, ...]
    figures: tuple[bool, ...]
    rows: tuple[LevelRow, ...]
    axis: Axis | None


class SectionView(NamedTuple):
    """A section; `depth` is that of its heading."""

    id: str
    name: str
    label: str
    heading: str
    depth: int
    facts: Mapping[str, str]
    findings: tuple[FindingView, ...]
    parts: tuple[SectionView, ...]
    levels: Levels | None
    probe: Mark | None


class _Anchors:
    """Anchors of a page: lower-case words, none twice, the same for the same page."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def take(self, wanted: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-") or "part"
        plain = plain if plain[0].isalpha() else f"part-{plain}"
        name, tries = plain, 1
        while name in self._taken:
            tries += 1
            name = f"{plain}-{tries}"
        self._taken.add(name)
        return name


def view(sections: Sequence[Section]) -> tuple[SectionView, ...]:
    """What the template draws of these sections."""
    anchors = _Anchors(("main", "top"))
    return tuple(_section(s, 2, None, anchors) for s in sections)


def _section(section: Section, depth: int, axis: Axis | None, anchors: _Anchors) -> SectionView:
    own = anchors.take(section.name)
    probe = _probe(section)
    if section.name == "levels":
        axis = _probe_axis(section)
    parts = tuple(_section(p, min(depth + 1, 6), axis, anchors) for p in section.parts)
    placed = None
    if probe is not None and axis is not None and probe.value is not None:
        placed = mark(section.heading, probe.value, probe.low, probe.high, axis)
    return SectionView(
        id=own,
        name=section.name,
        label=section.name.rpartition(".")[2].replace("_", " ").replace("-", " "),
        heading=section.heading,
        depth=depth,
        facts=section.facts,
        findings=tuple(_finding(f, anchors) for f in section.findings),
        parts=parts,
        levels=_levels(parts, axis) if section.name == "levels" and parts else None,
        probe=placed,
    )


def _probe(section: Section) -> Finding | None:
    return next((f for f in section.findings if f.name == f"{section.name}.probe"), None)


def _probe_axis(section: Section) -> Axis | None:
    """One scale for the probes of all levels."""
    probes = [p for p in map(_probe, _below(section)) if p is not None and p.value is not None]
    return axis_over(v for p in probes for v in (p.value, p.low, p.high)) if probes else None


def _below(section: Section) -> Iterable[Section]:
    for part in section.parts:
        yield part
        yield from _below(part)


def _levels(parts: Sequence[SectionView], axis: Axis | None) -> Levels:
    flat = list(_flat(parts))
    labels = tuple(dict.fromkeys(label for part in flat for label in part.facts))
    figures = tuple(are_figures([part.facts.get(k) for part in flat]) for k in labels)
    rows = (
        LevelRow(p.id, p.name.removeprefix("levels."), tuple(p.facts.get(k, "") for k in labels), p.probe)
        for p in flat
    )
    return Levels(labels, figures, tuple(rows), axis)


def _flat(parts: Iterable[SectionView]) -> Iterable[SectionView]:
    for part in parts:
        yield part
        yield from _flat(part.parts)


def _finding(finding: Finding, anchors: _Anchors) -> FindingView:
    low, high = finding.low, finding.high
    plain = "" if finding.value is None else number(finding.value, low, high)
    between = "" if low is None or high is None else _interval(finding.sentence, finding.method, low, high)
    said = re.search(rf"(?<![\w.,-]){re.escape(plain)}(?![\w]|[.,]\d)", finding.sentence) if plain else None
    cut = (0, 0) if said is None else said.span()
    return FindingView(
        sentence=finding.sentence,
        parts=(finding.sentence[: cut[0]], finding.sentence[slice(*cut)], finding.sentence[cut[1] :]),
        figure=typeset(plain),
        unit=finding.unit,
        interval=typeset(between),
        n="" if finding.n is None else count(finding.n),
        method=finding.method,
        caveat=finding.caveat,
        pictures=tuple(PictureView(anchors.take("picture"), _drawn(p)) for p in finding.pictures if _any(p)),
    )


def _interval(sentence: str, method: str, low: float, high: float) -> str:
    """The interval in words, unless the sentence says it."""
    if number(low, low, high) in sentence and number(high, low, high) in sentence:
        return ""
    return (
        interval(low, high)
        if "interval" in method or "95 %" in method
        else f"95 % interval {interval(low, high)}"
    )


def _any(picture: Picture) -> bool:
    """Whether there is anything to draw."""
    match picture:
        case Curves():
            return any(v is not None and math.isfinite(v) for line in picture.lines.values() for v in line)
        case Gallery():
            return bool(picture.tiles)
        case Code():
            return bool(picture.text)
        case Scatter():
            return any(len(xs) for xs, _ in picture.groups.values())
        case _:
            return bool(picture.rows)


def _drawn(picture: Picture) -> Any:
    match picture:
        case Curves():
            return plot(picture)
        case Dots() | Bars():
            return marks(picture)
        case Heat():
            return heat(picture)
        case Scatter():
            return scatter(picture)
        case Rows():
            return table(picture.header, picture.rows, words=picture.words, fold=picture.fold)
        case Gallery():
            return gallery(picture)
        case Code():
            return CodeView("code", tuple(picture.text.split("\n")), picture.words)


class CodeView(NamedTuple):
    """Lines to copy."""

    kind: str  # "code"
    lines: tuple[str, ...]
    words: str

"""Charts as geometry: from the plain pictures of findings to places in percent that the template draws.

Marks are SVG stretched to the width at hand with strokes that keep theirs; words are text of the page,
placed in percent. So one chart fits a phone and a desk, in the page's own font and theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from layerwise.figures import interval, number, share
from layerwise.findings import Bars, Curves, Dots, Heat, Scatter
from layerwise.report.axes import Axis, axis_over
from layerwise.report.tables import Table, table, typeset

__all__ = [
    "Cell",
    "HeatRow",
    "HeatView",
    "Line",
    "Mark",
    "MarksView",
    "PlotView",
    "heat",
    "mark",
    "marks",
    "plot",
    "scatter",
]

MOST_NAMED = 40  # classes in a matrix that can still be read
PLOT_HEIGHT = 240  # pixels, as in page.css
LABEL_HEIGHT = 19
COLOURS = 6


class Mark(NamedTuple):
    """A value with its interval on an axis; `at`, `start`, `end` in percent."""

    label: str
    value: str
    interval: str
    at: float | None
    start: float
    end: float
    strong: bool = False


class MarksView(NamedTuple):
    """Rows of dots or bars under one axis."""

    kind: str  # "dots", "bars"
    marks: tuple[Mark, ...]
    axis: Axis
    label: str
    words: str


class Line(NamedTuple):
    """A curve in a square of 1000 x 1000, y downwards; `label_at` in percent from the top."""

    name: str
    path: str
    band: str
    points: str
    label_at: float
    colour: int
    again: bool = False  # another line has that colour already: dashed, or hollow points


class PlotView(NamedTuple):
    """Curves over two axes, and their numbers."""

    kind: str  # "plot"
    lines: tuple[Line, ...]
    x: Axis
    y: Axis
    x_label: str
    y_label: str
    words: str
    square: bool
    diagonal: str
    numbers: Table | None
    cloud: bool = False


class Cell(NamedTuple):
    """A cell of a matrix: `strength` 0 to 100 of its colour."""

    text: str
    strength: int
    same: bool


class HeatRow(NamedTuple):
    """A row of a matrix; `number` stands for its name at the head of the columns where names are long."""

    name: str
    cells: tuple[Cell, ...]


class HeatView(NamedTuple):
    """A matrix with named rows and columns, or `worst` pairs where it would be too large to read."""

    kind: str  # "heat"
    rows: tuple[HeatRow, ...]
    columns: tuple[str, ...]
    row_label: str
    column_label: str
    words: str
    slanted: bool
    worst: Table | None


def mark(
    label: str, value: float, low: float | None, high: float | None, axis: Axis, *, strong: bool = False
) -> Mark:
    """One dot with its interval on `axis`."""
    if not math.isfinite(value):
        return Mark(label, typeset(number(value)), "", None, 0, 0, strong)
    if low is None or high is None:
        return Mark(label, typeset(number(value)), "", axis.at(value), axis.at(value), axis.at(value), strong)
    text, between = typeset(number(value, low, high)), typeset(interval(low, high))
    return Mark(label, text, between, axis.at(value), axis.at(low), axis.at(high), strong)


def marks(picture: Dots | Bars) -> MarksView:
    """Rows of dots with intervals, or of bars from zero."""
    if isinstance(picture, Bars):
        axis = axis_over((v for _, v in picture.rows), zero=True)
        zero = axis.at(0)
        bars = (mark(label, v, None, None, axis) for label, v in picture.rows)
        drawn = tuple(
            b if b.at is None else b._replace(start=min(zero, b.at), end=max(zero, b.at)) for b in bars
        )
        return MarksView("bars", drawn, axis, picture.x_label, picture.words)
    axis = axis_over(v for row in picture.rows for v in row[1:])
    dots = tuple(mark(*row, axis, strong=row[0] in picture.strong) for row in picture.rows)
    return MarksView("dots", dots, axis, picture.x_label, picture.words)


def plot(picture: Curves) -> PlotView:
    """Curves with their axes, or without labels where `small`."""
    within = [v for low, high in picture.bands.values() for v in (*low, *high)]
    x = axis_over(picture.x, tight=True)
    y = axis_over([*(v for line in picture.lines.values() for v in line), *within], most=4)
    if picture.diagonal:
        x = y = axis_over([*picture.x, *(v for line in picture.lines.values() for v in line), *within])
    lines = [
        _line(name, colour, picture, values, x, y)
        for colour, (name, values) in enumerate(picture.lines.items())
    ]
    numbers = None
    if not picture.small:
        header = [picture.x_label, *picture.lines]
        rows = _thinned(list(zip(picture.x, *picture.lines.values(), strict=False)))
        numbers = table(header, rows, words="")
    return PlotView(
        "plot",
        _apart(lines),
        x,
        y,
        picture.x_label,
        picture.y_label,
        picture.words,
        picture.diagonal,
        "M0 1000L1000 0" if picture.diagonal else "",
        numbers,
    )


def scatter(picture: Scatter) -> PlotView:
    """Points over two axes, and the middle of each group as numbers."""
    x = axis_over(v for xs, _ in picture.groups.values() for v in xs)
    y = axis_over((v for _, ys in picture.groups.values() for v in ys), most=4)
    lines, middles = [], []
    for colour, (name, (xs, ys)) in enumerate(picture.groups.items()):
        points = "".join(_path([p], x, y) + "h0" for p in zip(xs, ys, strict=True))
        middles.append((name, _middle(xs), _middle(ys)))
        at = 100 - y.at(middles[-1][2])
        lines.append(Line(name, "", "", points, at, colour % COLOURS, colour >= COLOURS))
    header = ["middle of", picture.x_label, picture.y_label]
    return PlotView(
        "plot",
        _apart(lines),
        x,
        y,
        picture.x_label,
        picture.y_label,
        picture.words,
        False,
        "",
        table(header, middles, words=""),
        cloud=True,
    )


def _middle(values: Sequence[float]) -> float:
    """The median; 0 of none."""
    ranked = sorted(values) or [0.0]
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def _thinned(rows: list[tuple[float | None, ...]], most: int = 200) -> list[tuple[float | None, ...]]:
    """At most `most` rows, evenly drawn, and the last one."""
    every = math.ceil(len(rows) / most)
    return rows if every <= 1 else [*rows[:-1:every], rows[-1]]


def _line(name: str, colour: int, picture: Curves, values: Sequence[float | None], x: Axis, y: Axis) -> Line:
    points = [
        (at, None if v is None or not math.isfinite(v) else v)
        for at, v in zip(picture.x, values, strict=False)
    ]
    known = [(at, v) for at, v in points if v is not None]
    few = len(known) <= 20 and not picture.small
    label_at = 100 - y.at(known[-1][1]) if known else 50.0
    band = ""
    if name in picture.bands:
        lows, highs = picture.bands[name]
        around = [*zip(picture.x, highs, strict=False), *reversed(list(zip(picture.x, lows, strict=False)))]
        band = _path([(at, v) for at, v in around if math.isfinite(v)], x, y) + "Z"
    dots = "".join(_path([p], x, y) + "h0" for p in known) if few or len(known) == 1 else ""
    path = _path(points, x, y)
    return Line(name, path, band, dots, label_at, colour % COLOURS, colour >= COLOURS)


def _path(points: Sequence[tuple[float, float | None]], x: Axis, y: Axis) -> str:
    """An SVG path in whole thousandths; it pauses where a value is missing."""
    steps, pen = [], "M"
    for at, value in points:
        if value is None:
            pen = "M"
            continue
        steps.append(f"{pen}{round(10 * x.at(at))} {round(1000 - 10 * y.at(value))}")
        pen = "L"
    return "".join(steps)


def _apart(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines with their labels moved so far apart that each can be read."""
    gap = 100 * LABEL_HEIGHT / PLOT_HEIGHT
    order = sorted(range(len(lines)), key=lambda i: lines[i].label_at)
    places: dict[int, float] = {}
    floor = 0.0
    for i in order:
        places[i] = max(lines[i].label_at, floor)
        floor = places[i] + gap
    ceiling = 100.0
    for i in reversed(order):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    return tuple(line._replace(label_at=round(places[i], 1)) for i, line in enumerate(lines))


def heat(picture: Heat) -> HeatView:
    """A matrix as coloured cells: agreement quiet, the rest as strong as its share of the row."""
    if max(len(picture.rows), len(picture.columns)) > MOST_NAMED:
        return HeatView(
            "heat", (), (), picture.row_label, picture.column_label, picture.words, False, _worst(picture)
        )
    confusion = list(picture.rows) == list(picture.columns)
    totals = [sum(v for v in row if math.isfinite(v)) or 1.0 for row in picture.values]
    off = [
        v / total for i, (row, total) in enumerate(zip(picture.values, totals, strict=True))
        for j, v in enumerate(row) if math.isfinite(v) and not (confusion and i == j)
    ]  # fmt: skip
    most = max(off, default=0.0) or 1.0
    rows = []
    for i, (name, values, total) in enumerate(zip(picture.rows, picture.values, totals, strict=True)):
        cells = []
        for j, v in enumerate(values):
            same = confusion and i == j
            part = v / total if math.isfinite(v) else 0.0
            strength = round(100 * (part if same else part / most))
            cells.append(Cell("" if v == 0 else typeset(number(v)), max(0, strength), same))
        rows.append(HeatRow(name, tuple(cells)))
    slanted = max(map(len, picture.columns), default=0) > 3
    return HeatView(
        "heat",
        tuple(rows),
        tuple(picture.columns),
        picture.row_label,
        picture.column_label,
        picture.words,
        slanted,
        None,
    )


def _worst(picture: Heat, most: int = 20) -> Table:
    """The largest cells off the diagonal."""
    pairs = [
        (v, name, column, v / (sum(row) or 1.0))
        for name, row in zip(picture.rows, picture.values, strict=True)
        for column, v in zip(picture.columns, row, strict=True)
        if column != name and v > 0
    ]
    pairs.sort(key=lambda p: (-p[0], p[1], p[2]))
    rows = [(name, column, v, share(part)) for v, name, column, part in pairs[:most]]
    header = (picture.row_label, picture.column_label, "times", f"of all {picture.row_label}")
    return table(header, rows, words=f"The {len(rows)} largest of {len(pairs)} confusions.")

"""Claims about a finished run, and the pictures beside them, as plain data.

Rooms that look at a model make findings; the page and `--json` are drawn from the same ones. A picture
is a description (numbers and words), not a drawing: `report` draws it. Every picture carries words for
those who cannot see it. What shows raw examples (`Shown`) stays out of the model folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Bars",
    "Code",
    "Curves",
    "Dots",
    "Finding",
    "Gallery",
    "Heat",
    "Image",
    "Media",
    "Picture",
    "Rows",
    "Scatter",
    "Section",
    "Snippet",
    "Sound",
    "Tile",
]


@dataclass(frozen=True)
class Image:
    """A small picture, PNG bytes."""

    png: bytes
    words: str


@dataclass(frozen=True)
class Sound:
    """A clip to listen to, with a picture of it."""

    mp3: bytes
    png: bytes
    words: str


@dataclass(frozen=True)
class Snippet:
    """A piece of text; `marks` are (start, end) ranges to set off."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Curves:
    """Lines over a shared axis: name -> values, None where there is none. `bands`: name -> (lows, highs)."""

    x: Sequence[float]
    lines: Mapping[str, Sequence[float | None]]
    x_label: str
    y_label: str
    words: str
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)
    diagonal: bool = False  # draw y = x, for reliability
    small: bool = False  # one example in a gallery, not a chart of its own


@dataclass(frozen=True)
class Dots:
    """One dot with its interval in each row: (label, value, low, high). `strong`: rows to stress."""

    rows: Sequence[tuple[str, float, float | None, float | None]]
    x_label: str
    words: str
    strong: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bars:
    """One bar in each row: (label, value)."""

    rows: Sequence[tuple[str, float]]
    x_label: str
    words: str


@dataclass(frozen=True)
class Heat:
    """A matrix of counts or rates with named rows and columns (a confusion matrix)."""

    values: Sequence[Sequence[float]]
    rows: Sequence[str]
    columns: Sequence[str]
    row_label: str
    column_label: str
    words: str


@dataclass(frozen=True)
class Scatter:
    """Points of several groups on a plane: name -> (xs, ys)."""

    groups: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    x_label: str
    y_label: str
    words: str


@dataclass(frozen=True)
class Rows:
    """A plain table; numbers are set right-aligned. `fold`: hide behind a summary when long."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | float | int | None]]
    words: str
    fold: bool = False


Media: TypeAlias = Image | Sound | Snippet | Curves | Rows


@dataclass(frozen=True)
class Tile:
    """One thing in a gallery: what it is, and words under it."""

    media: Media
    caption: str = ""
    title: str = ""


@dataclass(frozen=True)
class Gallery:
    """Things side by side. `examples`: these are raw examples of the data, which stay out of the model."""

    tiles: Sequence[Tile]
    words: str
    examples: bool = False


@dataclass(frozen=True)
class Code:
    """Lines to copy, as a terminal or Python takes them."""

    text: str
    words: str


Picture: TypeAlias = Curves | Dots | Bars | Heat | Scatter | Rows | Gallery | Code


@dataclass(frozen=True)
class Finding:
    """One claim: a sentence, its value with interval, n and method, a caveat, and a picture beside it.

    A level's finding "levels.NAME.probe" is drawn on a scale that all levels share.
    """

    name: str  # for programs: "accuracy", "levels.conv1.probe"
    sentence: str  # for people
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str = ""
    caveat: str = ""
    pictures: tuple[Picture, ...] = ()
    unit: str = ""  # of the value: "s", "MB"; accuracies and the like have none


@dataclass(frozen=True)
class Section:
    """A part of the page: a heading that is a sentence, findings, and sections below it.

    The sentence of the first finding in "verdict" heads the page. `facts` are short (label -> text); those of
    the parts of "levels" (stage, shape, sees, weights, cost) also make the table that heads the levels.
    """

    name: str  # "verdict", "use", "data", "quality", "levels", "training", "rivals", "doubts"
    heading: str
    findings: tuple[Finding, ...] = ()
    parts: tuple[Section, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

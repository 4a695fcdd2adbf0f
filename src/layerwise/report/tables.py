"""Tables as text: one column, one number of digits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Table", "are_figures", "table", "typeset"]

FIGURE = re.compile(r"[-+−]?[\d.,]+( ?[^\s\d]{1,5})?")


class Table(NamedTuple):
    """A table of text; `figures` says of each column whether it is set right-aligned."""

    kind: str  # "table"
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: tuple[bool, ...]
    words: str
    fold: bool


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, words: str, fold: bool = False) -> Table:
    """The table as text. Rows that are short are filled up, long ones keep their surplus columns."""
    width = max(len(header), *(len(row) for row in rows), 0) if rows else len(header)
    columns = [[row[i] if i < len(row) else None for row in rows] for i in range(width)]
    texts = [_column(column) for column in columns]
    figures = tuple(are_figures(column) for column in columns)
    heads = tuple(str(header[i]) if i < len(header) else "" for i in range(width))
    return Table("table", heads, tuple(zip(*texts, strict=True)), figures, words, fold)


def typeset(figure: str) -> str:
    """A number with a true minus."""
    return figure.replace("-", "\u2212")


def are_figures(column: Sequence[Any]) -> bool:
    """Whether all that stands in a column are numbers, or text that reads as one: `98.1 %`."""
    known = [v for v in column if v not in (None, "")]
    return bool(known) and all(
        (isinstance(v, int | float) and not isinstance(v, bool))
        or (isinstance(v, str) and FIGURE.fullmatch(v))
        for v in known
    )


def _column(column: Sequence[Any]) -> list[str]:
    """Each value as text; floats with the same digits after the point, three significant in the largest."""
    floats = [v for v in column if isinstance(v, float) and math.isfinite(v)]
    largest = max(map(abs, floats), default=0.0) or 1.0
    digits = min(9, max(0, 2 - math.floor(math.log10(largest))))
    while digits and all(round(v, digits - 1) == round(v, digits) for v in floats):
        digits -= 1
    return [_text(v, digits) for v in column]


def _text(value: Any, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "unknown"
    return typeset(f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}")

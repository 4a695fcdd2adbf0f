"""What each column of a table is, and why: number, date, category, text, file, or nothing to learn from."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from layerwise.data.source import Column
from layerwise.kinds.base import Kind
from layerwise.kinds.table.cells import ABSENT, numbers_of, pattern_of, texts_of

__all__ = ["MANY", "guess"]

NUMERIC = 0.9  # share of the cells that must parse for text to be numbers
MANY = 50  # rows from which distinct values look like names of the rows
LABEL = re.compile(r"(?:^|[^a-z])(?:id|uuid|guid|index|row|unnamed: \d+)$|[a-z](?:Id|ID)$|^PID$")


def guess(column: Column, rows: np.ndarray, members: Sequence[Kind]) -> tuple[str, str]:
    """(what, reason): "number", "numbers", "date", "category", "left out", or the name of a member kind.

    Looks at the given rows only. The reason is empty where there is nothing to say.
    """
    if column.holds == "cells":
        return _cells(column.name, column.values[rows], members)
    values = column.values
    if (
        column.holds == "arrays"
        and isinstance(values, np.ndarray)
        and values.ndim <= 2
        and values.dtype.kind in "fiub"
    ):
        return "numbers", ""
    return _claimed(column, members) or ("left out", "no kind of data that can be read")


def _claimed(column: Column, members: Sequence[Kind]) -> tuple[str, str] | None:
    claims = ((member.name, member.claims({column.name: column})) for member in members)
    return next(((name, reason) for name, reason in claims if reason is not None), None)


def _cells(name: str, series: pl.Series, members: Sequence[Kind]) -> tuple[str, str]:
    known = series.drop_nulls()
    if len(known) == 0:
        return "left out", "empty"
    if known.n_unique() == 1 and len(known) == len(series):
        return "left out", "the same in every row"
    if series.dtype.is_temporal() and series.dtype not in (pl.Duration, pl.Time):
        return "date", ""
    if series.dtype == pl.Boolean:
        return "number", ""
    if series.dtype.is_numeric():
        return _number(name, known)
    return _text(name, texts_of(series), members)


def _number(name: str, known: pl.Series) -> tuple[str, str]:
    """A number, unless it names the row: whole, never twice, and counted from the start or called an id."""
    numbers = numbers_of(known)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) == 0:
        return "left out", "empty"
    low, high = numbers.min(), numbers.max()
    counted = high - low < 2 * len(numbers) and 0 <= low <= 0.1 * (high - low)
    names_rows = (
        len(numbers) >= MANY
        and bool((numbers == np.round(numbers)).all())
        and len(np.unique(numbers)) == len(numbers)
        and (counted or LABEL.search(name) is not None)
    )
    return ("left out", "a number of its own for every row") if names_rows else ("number", "")


def _text(name: str, texts: pl.Series, members: Sequence[Kind]) -> tuple[str, str]:
    present = texts.filter(~texts.str.to_lowercase().is_in(ABSENT).fill_null(True))
    if len(present) == 0:
        return "category", ""
    parsed = max(np.isfinite(numbers_of(present, d)).mean() for d in (".", ","))
    codes = present.str.contains(r"^0\d+$").mean() or 0
    if parsed >= NUMERIC and float(codes) < 0.01:  # type: ignore[arg-type]
        missing = len(texts) - round(parsed * len(present))
        what, reason = _number(name, present)
        return what, reason or (f"{missing:,} cells are no numbers and count as missing" if missing else "")
    if pattern_of(present) is not None:
        return "date", ""
    if claimed := _claimed(Column(name, "cells", present), members):
        return claimed
    if present.n_unique() == len(present) >= MANY:
        return "left out", "a name of its own for every row"
    return "category", ""

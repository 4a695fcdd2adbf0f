"""Two sources as one: what is held out comes from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from layerwise.data.source import Column, Part, Source
from layerwise.errors import DataError, listed, shown, suggest

__all__ = ["appended"]


def appended(source: Source, other: Source, *, part: Part = "test") -> Source:
    """The rows of `source`, then those of `other`, all of them of that part.

    Rows that `source` itself holds out are trained on then. Raises DataError where `other` lacks a
    column, or holds something else in it.
    """
    for name in source.columns:
        if name not in other.columns:
            raise DataError(
                f"no column {shown(name)} in {other.called}{suggest(name, other.columns) or '.'} It needs"
                " the columns"
                f" of {source.called}; it has {listed(other.columns)}"
            )
    own = np.full(len(source), "train") if source.parts is None else source.parts
    own = np.where(own == part, "train", own)
    return replace(
        source,
        columns={name: _joined(column, other.columns[name]) for name, column in source.columns.items()},
        ids=_unlike(source.ids, other.ids, part),
        parts=np.concatenate([own, np.full(len(other), part)]),
        left_out=source.left_out + other.left_out,
        notes=tuple(dict.fromkeys(source.notes + other.notes)),
        bytes=None if source.bytes is None or other.bytes is None else source.bytes + other.bytes,
        spools=tuple(dict.fromkeys(source.spools + other.spools)),
    )


def _joined(one: Column, two: Column) -> Column:
    if one.holds != two.holds:
        raise DataError(
            f"the column {shown(one.name)} holds {one.holds} in one table and {two.holds} in the other"
        )
    values: Any
    if one.holds == "cells":
        values = _cells(one.values, two.values)
    elif isinstance(one.values, np.ndarray) and isinstance(two.values, np.ndarray):
        if one.values.shape[1:] != two.values.shape[1:]:
            values = [*one.values, *two.values]
        else:
            values = np.concatenate([one.values, two.values])
    else:
        values = [*one.values, *two.values]
    return replace(one, values=values)


def _cells(one: pl.Series, two: pl.Series) -> pl.Series:
    """Cells of both, as text where they are of types that do not go together."""
    numbers = one.dtype.is_numeric() and two.dtype.is_numeric()
    if one.dtype != two.dtype and not numbers:
        one, two = one.cast(pl.String), two.cast(pl.String)
    elif one.dtype != two.dtype:
        one, two = one.cast(pl.Float64), two.cast(pl.Float64)
    return pl.concat([one, two.alias(one.name)])


def _unlike(one: Any, two: Any, part: str) -> list[str]:
    """Ids of both; those of the second say their part where they stand in the first too."""
    known = set(one)
    clash = any(i in known for i in two)
    return [*one, *(f"{part} {i}" if clash else i for i in two)]

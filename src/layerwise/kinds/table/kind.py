"""The table as a kind of data, made with the kinds whose columns it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from layerwise.data.source import Column
from layerwise.figures import day
from layerwise.findings import Rows
from layerwise.kinds.base import Kind
from layerwise.kinds.table.blueprint import LIKES, blueprint
from layerwise.kinds.table.filters import filters
from layerwise.kinds.table.methods import by_masks
from layerwise.kinds.table.reader import CATEGORIES, NUMBERS, TableReader
from layerwise.kinds.table.rivals import rivals
from layerwise.kinds.table.unlike import unlike
from layerwise.spec import Spec

__all__ = ["make"]


def make(members: tuple[Kind, ...]) -> Kind:
    """The kind `table`; `members` are the kinds that read its columns of pictures, sounds and texts."""
    reader = type("TableReader", (TableReader,), {"members": members})
    return Kind(
        name="table",
        plural="rows",
        claims=claims,
        reader=reader,
        blueprint=partial(blueprint, members=members),
        likes={name: partial(like, members=members) for name, like in LIKES.items()},
        methods={"masked": partial(by_masks, members=members)},
        branch=None,
        alter=lambda spec, settings: None,
        rivals=partial(rivals, members=members),
        show=show,
        filters=partial(filters, members=members),
        unlike=unlike,
        cuts={"bins": 64, "dates": "days"},  # fine enough for a curve in pieces; one column for each
    )


def claims(columns: Mapping[str, Column]) -> str | None:
    """The reason why these columns are a table: cells, an array (N, F) of numbers, or several kinds."""
    if any(c.holds == "cells" for c in columns.values()):
        return f"a table of {len(columns)} columns" if len(columns) > 1 else "a column of a table"
    flat = [c for c in columns.values() if isinstance(c.values, np.ndarray) and c.values.ndim <= 2]
    if flat:
        width = sum(int(np.prod(c.values.shape[1:])) for c in flat)
        return f"an array of {width:,} numbers an example"
    return "columns of several kinds" if len(columns) > 1 else None


def show(values: Mapping[str, np.ndarray], spec: Spec) -> Rows:
    """One row of the table as the network is given it: column and value."""
    rows: list[tuple[str, str]] = []
    for field, own in spec.columns.items():
        value = values[field]
        if field == NUMBERS:
            dates = dict(own.days)
            for place, (name, number) in enumerate(zip(own.names, value, strict=True)):
                rows.append((dates.get(place, name), _told(number, date=place in dates)))
        elif field == CATEGORIES:
            rows += [
                (n, own.tokens[k][int(v)]) for k, (n, v) in enumerate(zip(own.names, value, strict=True))
            ]
        elif own.tokens:
            words = [own.tokens[0][int(t)] for t in value[:60]]
            rows.append((field, " ".join(words)))
        else:
            rows.append((field, " x ".join(str(s) for s in np.shape(value)) if np.any(value) else "missing"))
    return Rows(("column", "value"), rows, "One row of the table, column by column.")


def _told(number: np.floating, *, date: bool) -> str:
    """A number as it may have stood in its cell: the shortest that float32 cannot tell from it, or a day."""
    if not np.isfinite(number):
        return "missing"
    return day(float(number)) if date else str(np.float32(number)).removesuffix(".0")

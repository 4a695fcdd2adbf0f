"""What sets a segment apart from the other rows, in the columns as people know them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from layerwise.errors import shown
from layerwise.figures import day, number
from layerwise.kinds.base import Values
from layerwise.spec import Spec

__all__ = ["Mark", "Table", "cells_of", "marks_of"]

FEW = 3  # values up to which a column of numbers is told by its values
LEAST = 0.147  # Cliff's delta that is not negligible (Romano et al. 2006)
MOST_ROWS = 20_000
MUCH = 0.5  # of the rows: "mostly"


@dataclass(frozen=True)
class Table:
    """Rows of a table as read, what their columns are, and (N,) what the rows are called."""

    values: Values
    spec: Spec
    ids: Sequence[str]


class Mark(NamedTuple):
    """A column in which a segment differs; `effect` is Cliff's delta, -1 to 1."""

    column: str
    words: str
    effect: float


def marks_of(table: Table, labels: np.ndarray, segment: int) -> list[Mark]:
    """Every column in which the segment differs from the other rows, the strongest first, one mark for each.

    The effect is Cliff's delta (1993): how much oftener a row of the segment has the higher value than one of
    the rest than the lower. Of a category, or a missing cell, it is the difference of the two shares.
    """
    inside = labels == segment
    if inside.all() or not inside.any():
        return []
    # of two values, one of which is what the other is not, "mostly" says more than "seldom"
    strongest = [max(found, key=_strength) for found in _columns(table, inside) if found]
    return sorted((m for m in strongest if abs(m.effect) >= LEAST), key=lambda m: -abs(m.effect))


def cells_of(table: Table, rows: Sequence[int]) -> dict[str, list[str | float | None]]:
    """What stands in every column of those rows, by the names that marks have; None where it is missing."""
    found: dict[str, list[str | float | None]] = {}
    for name, column, date in _numbers(table):
        told = [None if np.isnan(v) else day(v) if date else _shortest(v) for v in column[rows]]
        found[name] = told
    for name, words, tokens in _categories(table):
        found[name] = [_plain(words[token]) for token in tokens[rows]]
    return found


def _strength(mark: Mark) -> tuple[float, bool]:
    return round(abs(mark.effect), 9), mark.effect > 0


def _columns(table: Table, inside: np.ndarray) -> Iterator[list[Mark]]:
    for name, column, date in _numbers(table):
        yield _of_number(name, column, inside, date=date)
    for name, words, tokens in _categories(table):
        yield _of_category(name, words, tokens, inside)


def _numbers(table: Table) -> Iterator[tuple[str, np.ndarray, bool]]:
    """Name, values (N,) in float64, and whether they are days since 1970."""
    own = table.spec.columns.get("numbers")
    if own is not None:
        dates = dict(own.days)
        for place, column in enumerate(np.asarray(table.values["numbers"], np.float64).T):
            yield _plain(dates.get(place, own.names[place])), column, place in dates


def _categories(table: Table) -> Iterator[tuple[str, Sequence[str], np.ndarray]]:
    """Name, what each token stands for, and the tokens (N,)."""
    own = table.spec.columns.get("categories")
    if own is not None:
        columns = np.asarray(table.values["categories"]).T
        for name, words, column in zip(own.names, own.tokens, columns, strict=True):
            yield _plain(name), words, column


def _of_number(name: str, column: np.ndarray, inside: np.ndarray, *, date: bool) -> list[Mark]:
    known = np.isfinite(column)
    marks = [] if known.all() else [_of_share(name, "missing", ~known, inside)]
    distinct = np.unique(column[known])
    if len(distinct) <= FEW:
        told = day if date else _value
        return marks + [_of_share(name, told(float(v)), column == v, inside) for v in distinct]
    own, other = column[known & inside], column[known & ~inside]
    if not len(own) or not len(other):
        return marks
    effect = _delta(own, other)
    if date:
        middles = f"median {day(np.median(own))}, others {day(np.median(other))}"
        words = f"{'late' if effect > 0 else 'early'} {name} ({middles})"
    else:
        words = f"{'high' if effect > 0 else 'low'} {name} ({_middles(own, other)})"
    return [*marks, Mark(name, words, effect)]


def _middles(own: np.ndarray, other: np.ndarray) -> str:
    """Both medians; of counts and other numbers of few values, whose medians are the same, both means."""
    told, rest = _value(float(np.median(own))), _value(float(np.median(other)))
    if told != rest:
        return f"median {told}, others {rest}"
    return f"mean {_value(float(own.mean()))}, others {_value(float(other.mean()))}"


def _value(value: float) -> str:
    """A value of a column; four figures are not parted, as they may be a year."""
    text = number(value)
    return text.replace(",", "") if abs(value) < 10_000 else text


def _of_category(name: str, words: Sequence[str], column: np.ndarray, inside: np.ndarray) -> list[Mark]:
    return [_of_share(name, _plain(words[token]), column == token, inside) for token in np.unique(column)]


def _of_share(name: str, value: str, there: np.ndarray, inside: np.ndarray) -> Mark:
    own, other = float(there[inside].mean()), float(there[~inside].mean())
    often = "mostly" if own >= MUCH else "more often" if own > other else "seldom"
    return Mark(
        name, f"{name} {often} {value} ({own:.0%}, others {other:.0%})".replace("%", " %"), own - other
    )


def _delta(own: np.ndarray, other: np.ndarray) -> float:
    """Cliff's delta from ranks (Mann and Whitney 1947); of many rows, of evenly drawn ones."""
    own, other = (x[:: max(1, len(x) // MOST_ROWS)] for x in (own, other))
    ranks = rankdata(np.concatenate([own, other]))[: len(own)]
    above = ranks.sum() - len(own) * (len(own) + 1) / 2
    return float(2 * above / (len(own) * len(other)) - 1)


def _shortest(value: float) -> float:
    """The shortest decimal that float32, in which tables are read, cannot tell from `value`."""
    return float(str(np.float32(value)))


def _plain(text: str) -> str:
    return shown(text, 40)[1:-1]

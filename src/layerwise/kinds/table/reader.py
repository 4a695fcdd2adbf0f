"""Tables to numbers: numbers and dates, categories, and columns that another kind's reader reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Literal, Self

import numpy as np

from layerwise.data.source import Column
from layerwise.errors import DataError, UsageError, listed, shown, suggest
from layerwise.kinds.base import Kind, Read, Reader
from layerwise.kinds.table.bins import numbers_spec
from layerwise.kinds.table.cells import DAYS, Category, Date, Matrix, Number, Numeric, series_of
from layerwise.kinds.table.guess import MANY, guess
from layerwise.kinds.table.members import Member, absent
from layerwise.spec import Spec

__all__ = ["CATEGORIES", "NUMBERS", "TableReader"]

NUMBERS, CATEGORIES = "numbers", "categories"
"""The fields of all numbers (N, F) float32 and of all categories (N, K) int32."""

OTHER, MISSING = "(rare or new)", "(missing)"
SETTINGS = ("columns", "bins", "rare", "most", "dates", "inner")
LOOKED_AT = 200_000  # training rows that quantiles are taken from
WIDEST = 4096  # bins over all number columns
NUMERIC: Mapping[str, type[Number] | type[Date] | type[Matrix]] = {
    "number": Number,
    "date": Date,
    "numbers": Matrix,
}


class TableReader(Reader):
    """Columns of a table to `numbers` (N, F), `categories` (N, K) and a field for each text or file column.

    Settings: `columns` says by name what a column is read as (number, date, category, left out, or the name
    of a kind); `bins`, `rare` and `most` shape the encoding; `dates` are read as days and the parts of a calendar
    and a clock ("parts"), or as days alone ("days"); `inner` holds the settings of other kinds'
    readers by column.
    """

    members: ClassVar[tuple[Kind, ...]] = ()

    def __init__(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        bins: int | None = None,
        rare: int | None = None,
        most: int | None = None,
        dates: Literal["parts", "days"] | None = None,
        inner: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.columns = dict(columns or {})
        self.bins, self.rare, self.most, self.dates = bins, rare, most, dates
        self.inner = {name: dict(settings) for name, settings in (inner or {}).items()}
        self.why: dict[str, str] = {}
        self.numeric: tuple[Numeric, ...] = ()
        self.categories: tuple[Category, ...] = ()
        self.others: tuple[Member, ...] = ()
        self._spec = Spec()

    def fit(self, columns: Mapping[str, Column], rows: np.ndarray) -> Self:
        """Choose what each column is, its bins and tokens, from these rows.

        Raises DataError where no column is left to learn from, UsageError for a setting that does not fit.
        """
        self._check(columns)
        few = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(np.int64)]
        self.bins = self.bins or int(np.clip(len(rows) // 50, 4, 96))
        self.rare = self.rare or int(np.clip(len(rows) // 500, 2, 10))
        self.most = self.most or int(np.clip(len(rows) // 20, 8, 1000))
        reasons = self._assign(columns, few)
        numeric: list[Numeric] = []
        categories: list[Category] = []
        others: list[Member] = []
        for name, what in self.columns.items():
            column = columns.get(name)
            if column is None or what == "left out":
                continue
            if what == "category":
                series = series_of(column.take(rows))
                category = Category.fit(name, series, rare=self.rare, most=self.most)
                categories.append(category)
                self._pooled(category, series.n_unique(), reasons)
            elif what in NUMERIC:
                numeric.append(_fit_numeric(column, few, what, days=self.dates == "days"))
            else:
                others.append(self._fit_member(column, rows, what, {o.field for o in others}))
        self.numeric = tuple(n for n in numeric if n.names)
        self.categories = tuple(c for c in categories if c.tokens)
        self.others = tuple(others)
        self._spec = self._look(columns, few, reasons)
        self._explain(reasons, len(rows))
        return self

    @property
    def spec(self) -> Spec:
        """A Spec of `columns`: numbers with quantile edges, categories with sizes, the other kinds' own."""
        return self._spec

    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Read:
        """Read some rows. A row is rejected only where another kind's reader rejects its file."""
        used = self._used
        for name in used:
            if name not in chunk:
                raise DataError(
                    f"no column {shown(name)}{suggest(name, chunk) or '.'} The network was trained on "
                    f"{listed(used)}; give a table with the same columns"
                )
        n = len(chunk[used[0]])
        fields: dict[str, np.ndarray | list[np.ndarray]] = {}
        blocks = [part.read(chunk[part.name]) for part in self.numeric]
        rejected: dict[int, str] = {}
        for other in self.others:
            fields[other.field], empty, bad = other.read(chunk[other.name])
            rejected |= bad
            if other.gaps:
                blocks.append(empty.astype(np.float32)[:, None])
        if blocks:
            fields[NUMBERS] = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        if self.categories:
            fields[CATEGORIES] = np.stack([c.read(chunk[c.name]) for c in self.categories], axis=1)
        kept = np.array([i for i in range(n) if i not in rejected], np.int64) if rejected else np.arange(n)
        return Read({name: _kept(fields[name], kept, n) for name in self._spec.columns}, kept, rejected)

    @property
    def _used(self) -> list[str]:
        return [p.name for p in (*self.numeric, *self.categories, *self.others)]

    def needs(self, names: Sequence[str]) -> tuple[str, ...]:
        """All but those that nothing is learned from."""
        used = set(self._used)
        return tuple(name for name in names if name in used)

    def check(self, columns: Mapping[str, Column]) -> None:
        """Raise DataError where a column that held numbers in training holds other text alone."""
        for part in self.numeric:
            column = columns[part.name]
            if isinstance(part, Number) and column.holds == "cells":
                part.check(column.values)

    def choices(self) -> tuple[dict[str, Any], dict[str, str]]:
        """`columns`, `bins`, `rare`, `most`, `dates` as chosen; the other kinds' choices by column under `inner`."""
        chosen: dict[str, Any] = {
            "columns": dict(self.columns),
            "bins": self.bins,
            "rare": self.rare,
            "most": self.most,
        }
        if any(isinstance(part, Date) for part in self.numeric):
            chosen["dates"] = self.dates or "parts"
        why = dict(self.why)
        if self.others:
            inner = {o.name: o.reader.choices() for o in self.others}
            chosen["inner"] = {name: settings for name, (settings, _) in inner.items()}
            why["inner"] = "; ".join(
                f"{shown(name)[1:-1]}: {key}: {reason}"
                for name, (_, whys) in inner.items()
                for key, reason in whys.items()
            )
        return chosen, why

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that reading needs; the arrays of other kinds' readers as FIELD/NAME."""
        arrays: dict[str, np.ndarray] = {}
        others = []
        for o in self.others:
            plain, own = o.reader.state()
            others.append({"name": o.name, "kind": o.kind, "field": o.field, "gaps": o.gaps, "reader": plain})
            arrays |= {f"{o.field}/{name}": array for name, array in own.items()}
        plain = {
            **{name: getattr(self, name) for name in SETTINGS},
            "why": self.why,
            "numeric": [asdict(part) for part in self.numeric],
            "categories": [asdict(category) for category in self.categories],
            "others": others,
            "spec": self._spec.to_json(),
        }
        return plain, arrays

    @classmethod
    def restore(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The reader that `state` described."""
        reader = cls(**{name: plain.get(name) for name in SETTINGS})
        kinds = {member.name: member for member in cls.members}
        reader.why = dict(plain["why"])
        reader.numeric = tuple(NUMERIC[p["what"]](**_tuples(p)) for p in plain["numeric"])
        reader.categories = tuple(Category(**_tuples(p)) for p in plain["categories"])
        reader.others = tuple(
            Member(
                name=o["name"], kind=o["kind"], field=o["field"], gaps=o["gaps"],
                reader=kinds[o["kind"]].reader.restore(o["reader"], _under(arrays, o["field"])),
            )
            for o in plain["others"]
        )  # fmt: skip
        reader._spec = Spec.from_json(plain["spec"])
        return reader

    def _check(self, columns: Mapping[str, Column]) -> None:
        known = ["number", "numbers", "date", "category", "left out", *(m.name for m in self.members)]
        for name, what in self.columns.items():
            if what not in known:
                raise UsageError(
                    f"reading.columns: {shown(name)} cannot be read as {shown(what)}{suggest(what, known) or '.'} "
                    f"Expected is one of {listed(known, 9)}"
                )
            if name not in columns:
                raise UsageError(
                    f"reading.columns: no column {shown(name)}{suggest(name, columns) or '.'} "
                    f"Its columns: {listed(columns)}"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        # a class that was made with members cannot be found by its name, and reading needs none of them
        return _revived, (self.__dict__,)

    def _assign(self, columns: Mapping[str, Column], rows: np.ndarray) -> dict[str, str]:
        """Fill `self.columns`; the reasons for what is worth saying, by column."""
        reasons: dict[str, str] = {}
        chosen: dict[str, str] = {}
        for name, column in columns.items():
            if name in self.columns:
                chosen[name], reasons[name] = self.columns[name], "set by you"
                continue
            chosen[name], reason = guess(column, rows, self.members)
            if reason:
                reasons[name] = reason
        self.columns = chosen
        return reasons

    def _fit_member(self, column: Column, rows: np.ndarray, what: str, taken: set[str]) -> Member:
        kind = next(m for m in self.members if m.name == what)
        empty = absent(column.take(rows))
        present = rows[~empty]
        if len(present) == 0:
            raise DataError(
                f"column {shown(column.name)} is empty in every training row; leave it out with --input"
            )
        reader = kind.reader(**self.inner.get(column.name, {})).fit({column.name: column}, present)
        field = f"{what}_{re.sub(r'[^0-9A-Za-z]+', '_', column.name).strip('_') or 'column'}"
        while field in taken:
            field += "_"
        return Member(column.name, what, field, reader, bool(empty.any()))

    def _pooled(self, category: Category, distinct: int, reasons: dict[str, str]) -> None:
        left = distinct - len(category.tokens)
        if left >= MANY:
            beyond = f" or beyond the commonest {self.most:,}" if len(category.tokens) == self.most else ""
            reasons[category.name] = (
                f"{left:,} of {distinct:,} values share one token: fewer than {self.rare} rows each{beyond}"
            )

    def _look(self, columns: Mapping[str, Column], rows: np.ndarray, reasons: Mapping[str, str]) -> Spec:
        fields: dict[str, Spec] = {}
        names = [name for part in self.numeric for name in part.names]
        blocks = [part.read(columns[part.name].take(rows)) for part in self.numeric]
        for other in self.others:
            if other.gaps:
                names.append(f"{other.name} is missing")
                blocks.append(absent(columns[other.name].take(rows)).astype(np.float32)[:, None])
        if blocks:
            numbers = np.concatenate(blocks, axis=1)
            bins = max(1, min(self.bins or 1, WIDEST // len(names)))
            fields[NUMBERS] = numbers_spec(numbers, names, bins).but(days=_days(self.numeric))
        if self.categories:
            sizes = tuple(len(c.tokens) + 1 for c in self.categories)
            tokens = tuple((OTHER, *(MISSING if t is None else t for t in c.tokens)) for c in self.categories)
            names_ = tuple(c.name for c in self.categories)
            fields[CATEGORIES] = Spec(
                ("category",), (len(sizes),), "int32", sizes=sizes, tokens=tokens, names=names_
            )
        fields |= {other.field: other.reader.spec for other in self.others}
        if not fields:
            left_out = [
                f"{shown(n)[1:-1]} {w}, {reasons.get(n, 'the same wherever known')}"
                for n, w in self.columns.items()
            ]
            raise DataError(
                f"no column to learn from among {listed(columns)}: {'; '.join(left_out[:3])}."
                " Name the ones to use with --input, or say what they are with --set reading.columns"
            )
        return Spec(columns=fields)

    def _explain(self, reasons: Mapping[str, str], n: int) -> None:
        notes = [
            f"{shown(name)[1:-1]} as {self.columns[name]}: {why}"
            for name, why in reasons.items()
            if name in self.columns
        ]
        if notes:
            self.why["columns"] = "; ".join(notes)
        self.why["bins"] = f"quantiles of {n:,} training rows, about 50 in a bin, 96 bins at most"
        self.why["rare"] = f"fewer of {n:,} training rows teach a category nothing of its own"
        self.why["most"] = (
            f"the commonest categories of a column, at least 20 of {n:,} training rows for each"
        )


def _revived(state: dict[str, Any]) -> TableReader:
    reader = TableReader()
    reader.__dict__.update(state)
    return reader


def _fit_numeric(column: Column, rows: np.ndarray, what: str, *, days: bool) -> Numeric:
    values = column.take(rows)
    if what == "number":
        return Number.fit(column.name, series_of(values))
    if what == "date":
        return Date.fit(column.name, series_of(values), days=days)
    array = np.asarray(values).reshape(len(rows), -1).astype(np.float64)
    known = np.isfinite(array)
    low = np.where(known, array, np.inf).min(0)
    high = np.where(known, array, -np.inf).max(0)
    return Matrix(column.name, tuple(np.flatnonzero(low < high).tolist()), array.shape[1])


def _days(parts: Sequence[Numeric]) -> tuple[tuple[int, str], ...]:
    """Where among the numbers of those columns the days of a date stand, and of which column."""
    found, start = [], 0
    for part in parts:
        if isinstance(part, Date) and DAYS in part.parts:
            found.append((start + part.parts.index(DAYS), part.name))
        start += len(part.names)
    return tuple(found)


def _kept(field: np.ndarray | list[np.ndarray], kept: np.ndarray, n: int) -> np.ndarray | list[np.ndarray]:
    if len(kept) == n:
        return field
    return [field[int(i)] for i in kept] if isinstance(field, list) else field[kept]


def _tuples(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}


def _under(arrays: Mapping[str, np.ndarray], field: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{field}/"): a for name, a in arrays.items() if name.startswith(f"{field}/")}

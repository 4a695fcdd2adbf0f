"""One column of a table as numbers: parsing of cells, and what is kept of a column for reading it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl

from layerwise.errors import DataError, shown

__all__ = [
    "DAYS",
    "Category",
    "Date",
    "Matrix",
    "Number",
    "Numeric",
    "Raw",
    "numbers_of",
    "pattern_of",
    "series_of",
    "texts_of",
    "times_of",
]

Raw: TypeAlias = "pl.Series | np.ndarray | Sequence[Any]"
"""The rows of one column as a source hands them out."""

ABSENT = ("", "na", "n/a", "nan", "null", "none", "?", "-", "--", ".", "missing", "unknown")
"""How people write that a number is missing, in lower case."""

PATTERNS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
)

DAY = 86_400_000_000  # microseconds
DAYS = "days since 1970"  # the part of a date that is the whole of it


def series_of(values: Raw) -> pl.Series:
    """Cells as a polars Series, whatever sequence they came in."""
    if isinstance(values, pl.Series):
        return values
    if isinstance(values, np.ndarray) and values.dtype != object:
        return pl.Series(values)
    return pl.Series(values=[None if v is None else v for v in values], strict=False)


def texts_of(series: pl.Series) -> pl.Series:
    """Cells as text without outer spaces; 3 and 3.0 both as "3", so that a column's type does not matter."""
    if series.dtype.is_float() or series.dtype.is_decimal():
        series = series.cast(pl.Float64).fill_nan(None)
        whole = (series == series.round()) & (series.abs() < 1e15)
        text = series.cast(pl.Int64, strict=False).cast(pl.String)
        text = text.zip_with(whole.fill_null(True), series.cast(pl.String))
    elif series.dtype == pl.Object:
        text = pl.Series([None if v is None else str(v) for v in series], dtype=pl.String)
    else:
        text = series.cast(pl.String, strict=False)
    text = text.str.strip_chars()
    return text.set(text == "", None)


def numbers_of(series: pl.Series, decimal: str = ".") -> np.ndarray:
    """(N,) float64; NaN where a cell is empty, no number or not finite. Truth values become 1 and 0.

    Text may carry a currency or per cent sign and separators of thousands.
    """
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        numbers = series.cast(pl.Float64)
    elif series.dtype.is_temporal() or series.dtype.is_nested():
        return np.full(len(series), np.nan)
    else:
        text = texts_of(series).str.strip_chars("$€£%  ").str.to_lowercase()
        comma = "." if decimal == "," else ","
        grouped = text.str.contains(rf"^[+-]?\d{{1,3}}(?:\{comma}\d{{3}})+(?:\{decimal}\d+)?$")
        text = text.str.replace_all(comma, "", literal=True).zip_with(grouped.fill_null(False), text)
        if decimal == ",":
            text = text.str.replace(",", ".", literal=True)
        truth = text.replace_strict({"true": 1.0, "false": 0.0}, default=None, return_dtype=pl.Float64)
        numbers = text.cast(pl.Float64, strict=False).zip_with(truth.is_null(), truth)
    array = numbers.fill_null(np.nan).to_numpy().astype(np.float64)
    array[~np.isfinite(array)] = np.nan
    return array


def times_of(series: pl.Series, pattern: str | None) -> pl.Series:
    """Cells as points in time (UTC, microseconds), null where a cell is none; text by its pattern."""
    if series.dtype == pl.Datetime:
        zone = getattr(series.dtype, "time_zone", None)
        if zone is not None:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return series.cast(pl.Datetime("us"))
    if series.dtype == pl.Date:
        return series.cast(pl.Datetime("us"))
    if (
        series.dtype.is_numeric()
        or series.dtype.is_temporal()
        or series.dtype == pl.Boolean
        or pattern is None
    ):
        return pl.Series([None] * len(series), dtype=pl.Datetime("us"))
    text = texts_of(series)
    if "%H" not in pattern:
        return text.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
    return text.str.to_datetime(pattern, strict=False, time_unit="us", time_zone=None)


def pattern_of(texts: pl.Series) -> str | None:
    """The pattern by which at least 95 % of these texts are points in time; None where there is none."""
    some = texts.drop_nulls().head(2000)
    if len(some) == 0 or not bool(some.head(50).str.contains(r"\d").all()):
        return None
    shares = [(1 - times_of(some, p).null_count() / len(some), -i) for i, p in enumerate(PATTERNS)]
    best, place = max(shares)
    return PATTERNS[-place] if best >= 0.95 else None


@dataclass(frozen=True)
class Number:
    """A column of numbers. `offset` is taken off where float32 could not tell values apart."""

    name: str
    offset: float = 0.0
    decimal: str = "."
    what: Literal["number"] = "number"

    @classmethod
    def fit(cls, name: str, series: pl.Series) -> Number:
        decimals = {d: numbers_of(series, d) for d in (".", ",")}
        decimal = max(decimals, key=lambda d: (np.isfinite(decimals[d]).sum(), d == "."))
        known = np.unique(decimals[decimal][np.isfinite(decimals[decimal])])
        lost = len(np.unique(_single(known))) < 0.99 * len(known)
        return cls(name, float(np.median(known)) if lost else 0.0, decimal)

    @property
    def names(self) -> tuple[str, ...]:
        return (f"{self.name} less {self.offset:,.10g}" if self.offset else self.name,)

    def check(self, series: pl.Series) -> None:
        """Raise DataError where the cells of new data hold text, and no number among it."""
        if series.dtype != pl.String:
            return
        cells = texts_of(series).drop_nulls()
        cells = cells.filter(~cells.str.to_lowercase().is_in(ABSENT))
        if len(cells) and not np.isfinite(numbers_of(cells, self.decimal)).any():
            raise DataError(
                f"the column {shown(self.name)} holds text such as {shown(cells[0])}, expected numbers as in"
                " training: give numbers, or leave cells empty where they are missing"
            )

    def read(self, values: Raw) -> np.ndarray:
        """(N, 1) float32, NaN where missing."""
        return _single(numbers_of(series_of(values), self.decimal) - self.offset)[:, None]


@dataclass(frozen=True)
class Date:
    """A column of points in time, as days since 1970 and as the parts of a calendar and a clock that vary."""

    name: str
    pattern: str | None = None
    parts: tuple[str, ...] = ()
    what: Literal["date"] = "date"

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, days: bool = False) -> Date:
        """`days`: as nothing else."""
        pattern = pattern_of(texts_of(series)) if series.dtype == pl.String else None
        parts = _calendar(times_of(series, pattern).drop_nulls())
        varying = (p for p, v in parts.items() if len(v) and np.ptp(v) > 0)
        return cls(name, pattern, tuple(p for p in varying if p == DAYS or not days))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}: {part}" for part in self.parts)

    def read(self, values: Raw) -> np.ndarray:
        """(N, parts) float32, NaN where missing."""
        parts = _calendar(times_of(series_of(values), self.pattern))
        return np.stack([_single(parts[p]) for p in self.parts], axis=1)


@dataclass(frozen=True)
class Matrix:
    """An array (N, F) or (N,) of numbers; `kept` are the columns that vary."""

    name: str
    kept: tuple[int, ...]
    width: int
    what: Literal["numbers"] = "numbers"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,) if self.width == 1 else tuple(f"{self.name} {i + 1}" for i in self.kept)

    def read(self, values: Raw) -> np.ndarray:
        """(N, kept) float32, NaN where missing or not finite."""
        array = np.asarray(values).reshape(len(values), -1)
        if array.shape[1] == self.width != len(self.kept):
            array = array[:, np.array(self.kept, np.int64)]
        return _single(array)


Numeric: TypeAlias = Number | Date | Matrix


@dataclass(frozen=True)
class Category:
    """A column of categories: token 0 for what was rare or unseen in training, then these by frequency.

    The token None stands for an empty cell, where empty cells are common enough to be a category.
    """

    name: str
    tokens: tuple[str | None, ...]
    what: Literal["category"] = "category"

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, rare: int, most: int) -> Category:
        counts = texts_of(series).rename("token").value_counts(name="n").filter(pl.col("n") >= rare)
        counts = counts.sort(["n", "token"], descending=[True, False], nulls_last=True).head(most)
        return cls(name, tuple(counts["token"].to_list()))

    def read(self, values: Raw) -> np.ndarray:
        """(N,) int32."""
        codes = {token: i + 1 for i, token in enumerate(self.tokens) if token is not None}
        texts = texts_of(series_of(values))
        tokens = texts.replace_strict(codes, default=0, return_dtype=pl.Int32).to_numpy().astype(np.int32)
        tokens[texts.is_null().to_numpy()] = self.tokens.index(None) + 1 if None in self.tokens else 0
        return tokens


def _single(numbers: np.ndarray) -> np.ndarray:
    """As float32; NaN for what is not finite, the largest number for what float32 cannot hold."""
    if np.issubdtype(numbers.dtype, np.floating):
        most = np.finfo(np.float32).max
        if numbers.dtype.itemsize > 4:
            numbers = np.where(np.isfinite(numbers), np.clip(numbers, -most, most), np.nan)
        elif not np.isfinite(numbers).all():
            numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    return np.ascontiguousarray(numbers, dtype=np.float32)


def _calendar(times: pl.Series) -> dict[str, np.ndarray]:
    """Points in time as numbers, NaN where null: name of the part -> (N,) float64."""
    days = times.cast(pl.Int64).cast(pl.Float64).fill_null(np.nan).to_numpy() / DAY
    year = 2 * np.pi * _floats(times.dt.ordinal_day()) / 365.25
    clock = 2 * np.pi * (days - np.floor(days))
    return {
        DAYS: days,
        "year": _floats(times.dt.year()),
        "month": _floats(times.dt.month()),
        "day of the week": _floats(times.dt.weekday()),
        "hour": _floats(times.dt.hour()),
        "season (sine)": np.sin(year),
        "season (cosine)": np.cos(year),
        "time of day (sine)": np.sin(clock),
        "time of day (cosine)": np.cos(clock),
    }


def _floats(series: pl.Series) -> np.ndarray:
    return series.cast(pl.Float64).fill_null(np.nan).to_numpy()

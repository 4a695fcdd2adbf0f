"""Cells become the same numbers whatever type their column came in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.kinds.table.cells import (
    Category,
    Date,
    Matrix,
    Number,
    numbers_of,
    pattern_of,
    texts_of,
    times_of,
)


def test_numbers_are_read_from_any_type() -> None:
    cells = pl.Series(["1", " 2.5 ", "$1,234.50", "12 %", "NA", "", None, "-3e2", "inf", "true", "x"])
    expected = [1, 2.5, 1234.5, 12, np.nan, np.nan, np.nan, -300, np.nan, 1, np.nan]
    np.testing.assert_array_equal(numbers_of(cells), expected)
    np.testing.assert_array_equal(numbers_of(pl.Series([True, None, False])), [1, np.nan, 0])
    np.testing.assert_array_equal(numbers_of(pl.Series([1, None])), [1, np.nan])
    assert np.isnan(numbers_of(pl.Series([datetime(2020, 1, 1)]))).all()


def test_decimal_commas_are_seen() -> None:
    number = Number.fit("price", pl.Series(["1.234,5", "0,25", "7"]))
    assert number.decimal == ","
    np.testing.assert_array_equal(number.read(pl.Series(["1.234,5", "0,25"]))[:, 0], [1234.5, 0.25])


@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.none(), min_size=1))
def test_text_and_numbers_read_alike(values: list[float | None]) -> None:
    known = [v for v in values if v is not None]
    number = Number.fit("x", pl.Series([*known, 0.0]))
    text = pl.Series([None if v is None else repr(v) for v in values], dtype=pl.String)
    np.testing.assert_array_equal(number.read(text), number.read(pl.Series(values, dtype=pl.Float64)))


def test_numbers_that_float32_cannot_tell_apart_lose_an_offset() -> None:
    times = pl.Series(np.arange(1_700_000_000, 1_700_000_100))
    number = Number.fit("time", times)
    read = number.read(times)[:, 0]
    np.testing.assert_array_equal(np.diff(read), 1)
    assert number.names == (f"time less {number.offset:,.10g}",)
    assert Number.fit("age", pl.Series(range(100))).offset == 0


def test_numbers_past_float32_stay_finite() -> None:
    assert np.isfinite(Number("x").read(pl.Series([1e300, -1e300]))).all()
    array = np.array([[1e300, np.inf]])
    assert np.isfinite(Matrix("x", (0, 1), 2).read(array)).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["2020-01-31", "2021-12-01"], "%Y-%m-%d"),
        (["2020-01-31 10:00:00", "2021-12-01 11:30:00"], "%Y-%m-%d %H:%M:%S%.f"),
        (["2020-01-31T10:00:00Z"], "%Y-%m-%dT%H:%M:%S%.fZ"),
        (["01/31/2020", "12/01/2021"], "%m/%d/%Y"),
        (["31/01/2020", "12/01/2021"], "%d/%m/%Y"),
        (["31.01.2020"], "%d.%m.%Y"),
        (["Jan 31, 2020"], "%b %d, %Y"),
        (["12", "13"], None),
        (["red", "blue"], None),
    ],
)
def test_dates_are_recognised(cells: list[str], pattern: str | None) -> None:
    assert pattern_of(pl.Series(cells)) == pattern


def test_dates_read_alike_as_text_and_as_dates() -> None:
    start = datetime(2020, 1, 1)
    times = [start + timedelta(hours=7 * i) for i in range(200)]
    typed, text = pl.Series(times), pl.Series([t.strftime("%Y-%m-%d %H:%M:%S") for t in times])
    date = Date.fit("when", text)
    assert "when: hour" in date.names
    np.testing.assert_array_equal(date.read(text), date.read(typed))
    zoned = pl.Series([t.replace(tzinfo=UTC) for t in times])
    np.testing.assert_array_equal(date.read(zoned), date.read(typed))
    hour = date.read(text)[:, date.names.index("when: hour")]
    np.testing.assert_array_equal(hour, [t.hour for t in times])
    assert np.isnan(date.read(pl.Series(["no date", None], dtype=pl.String))).all()


def test_parts_of_a_date_that_never_vary_are_left_out() -> None:
    days = pl.Series([f"2020-03-{d:02}" for d in range(1, 29)])
    names = Date.fit("day", days).names
    assert "day: year" not in names
    assert "day: hour" not in names
    assert "day: day of the week" in names


def test_days_before_1970_keep_their_clock() -> None:
    times = pl.Series([datetime(1960, 5, 5, 6), datetime(1960, 5, 5, 18)])
    date = Date.fit("when", times)
    sine = date.read(times)[:, date.names.index("when: time of day (sine)")]
    np.testing.assert_allclose(sine, [1, -1], atol=1e-5)


def test_categories_are_counted_and_the_rare_share_token_zero() -> None:
    cells = pl.Series(["b"] * 5 + ["a"] * 5 + ["rare"] + [None] * 3)
    category = Category.fit("c", cells, rare=2, most=10)
    assert category.tokens == ("a", "b", None)
    read = category.read(pl.Series(["a", "b", "rare", "new", None, " a "]))
    assert read.tolist() == [1, 2, 0, 0, 3, 1]
    assert read.dtype == np.int32
    assert Category.fit("c", cells, rare=2, most=1).tokens == ("a",)
    assert Category("c", ("a",)).read(pl.Series([None, "a"])).tolist() == [0, 1]


def test_categories_do_not_depend_on_the_type_of_the_column() -> None:
    category = Category.fit("zip", pl.Series(["1", "2", "2", "1", "x"]), rare=1, most=9)
    whole, floats = category.read(pl.Series([1, 2, None])), category.read(pl.Series([1.0, 2.0, None]))
    np.testing.assert_array_equal(whole, floats)
    assert texts_of(pl.Series([1.0, 2.5, float("nan")])).to_list() == ["1", "2.5", None]


def test_points_in_time_of_other_types_are_missing() -> None:
    assert times_of(pl.Series([1, 2]), "%Y-%m-%d").null_count() == 2

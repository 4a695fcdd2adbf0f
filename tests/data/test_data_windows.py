"""Windows for forecasts."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest

from layerwise.data import Column, Source, cut_windows
from layerwise.errors import DataError, UsageError

T = 400


def hourly(t=T, parts=None, drop=(), **columns) -> Source:
    start = datetime.datetime(2020, 1, 1)
    kept = [i for i in range(t) if i not in drop]
    values = {"date": [start + datetime.timedelta(hours=i) for i in kept], "load": [float(i) for i in kept]}
    values |= {"hour": [i % 24 for i in kept]} | columns
    made = {n: Column(n, "cells", pl.Series(n, v)) for n, v in values.items()}
    return Source("load", made, [f"row {i + 1}" for i in range(len(kept))], parts=parts)


def test_windows_and_what_follows():
    found = cut_windows(hourly(), target="load", horizon=5, length=10)
    x, y = found.source.columns["series"], found.source.columns["load"]
    assert x.values.shape == (386, 10, 2)
    assert x.channels == ("load", "hour")
    assert x.rate_hz == pytest.approx(1 / 3600)
    assert np.array_equal(x.values[7, :, 0], np.arange(7, 17))
    assert np.array_equal(x.values[7, :, 1], np.arange(7, 17) % 24)
    assert np.array_equal(y.values[7], np.arange(17, 22))
    assert found.source.ids[7] == "row 18"
    assert np.shares_memory(x.values, y.values) or x.values.base is not None
    assert x.values[:20].nbytes == 20 * 10 * 2 * 4


def test_parts_follow_in_time_and_share_no_value_to_forecast():
    found = cut_windows(hourly(), target="load", horizon=5, length=10)
    y = found.source.columns["load"].values
    sides = [np.unique(y[part]) for part in (found.split.train, found.split.validation, found.split.test)]
    assert sides[0].max() < sides[1].min()
    assert sides[1].max() < sides[2].min()
    assert [len(s) for s in sides] == [230, 80, 80]
    assert found.split.kind == "time"
    assert found.scale == (pytest.approx(np.arange(240).mean()), pytest.approx(np.arange(240).std()))


def test_rows_in_any_order_are_put_in_order():
    source = hourly()
    order = np.random.default_rng(0).permutation(T)
    mixed = Source(
        "load",
        {n: Column(n, "cells", c.values.gather(order)) for n, c in source.columns.items()},
        [source.ids[i] for i in order],
    )
    a, b = (cut_windows(s, target="load", horizon=5) for s in (source, mixed))
    assert np.array_equal(a.source.columns["series"].values, b.source.columns["series"].values)
    assert a.source.ids == b.source.ids


def test_windows_over_gaps_and_unknown_values_take_no_part():
    values = [None if i == 100 else float(i) for i in range(T) if i not in range(200, 210)]
    found = cut_windows(hourly(drop=range(200, 210), load=values), target="load", horizon=5, length=10)
    used = np.concatenate([found.split.train, found.split.validation, found.split.test])
    assert np.isfinite(found.source.columns["load"].values[used]).all()
    whole = np.concatenate(
        [found.source.columns["series"].values[used, :, 0], found.source.columns["load"].values[used]], 1
    )
    assert set(np.unique(np.diff(whole, axis=1))) == {0, 1, 2}  # 99 stands in for the unknown value
    assert found.source.left_out[0].path == "19 windows"  # 14 span the gap, 5 have the unknown value ahead


def test_given_parts_decide():
    parts = np.array(["train"] * 300 + ["val"] * 40 + ["test"] * 60)
    found = cut_windows(hourly(parts=parts), target="load", horizon=5)
    y = found.source.columns["load"].values
    assert (y[found.split.train].max(), y[found.split.validation].min(), y[found.split.test].min()) == (
        299,
        300,
        340,
    )
    with pytest.raises(DataError, match="later than all others"):
        cut_windows(hourly(parts=parts[::-1]), target="load", horizon=5)


@pytest.mark.parametrize(
    ("source", "asked", "message"),
    [
        (hourly(40), {"horizon": 20}, "too few for windows of 8 and 20"),
        (hourly(), {"target": "laod"}, "did you mean 'load'"),
        (hourly(), {"time": "when"}, "no column 'when'"),
        (hourly(s=["x"] * T), {"target": "s"}, "must hold numbers"),
        (hourly(s=["x"] * T), {"time": "s"}, "must hold a date or a number"),
        (hourly(date=[datetime.datetime(2020, 1, 1)] * T), {}, "more than once"),
    ],
)
def test_what_cannot_be_cut_says_why(source, asked, message):
    with pytest.raises(DataError, match=message):
        cut_windows(source, **{"target": "load", "horizon": 5, **asked})


def test_a_horizon_of_nothing():
    with pytest.raises(UsageError, match="horizon must be at least 1, got 0"):
        cut_windows(hourly(), target="load", horizon=0)

"""Forecasting: a table in the order of time as windows of the past with the values that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from layerwise.data.source import Column, LeftOut, Source
from layerwise.data.split import Split
from layerwise.errors import DataError, UsageError, listed, shown, suggest

__all__ = ["Windows", "cut_windows"]

SHARES = 0.6, 0.8  # where training and validation end, as shares of the time (Zhou et al. 2021)
UNIX = 1e6  # microseconds a second


class Windows(NamedTuple):
    """Windows as a source, and how they are split."""

    source: Source
    split: Split
    scale: tuple[float, float]  # mean and standard deviation of the target over the training time


def cut_windows(
    source: Source,
    *,
    target: str,
    horizon: int,
    time: str | None = None,
    length: int | None = None,
    inputs: Sequence[str] = (),
) -> Windows:
    """Every window of `length` moments (None: twice the horizon, at least 24) of a table of numbers.

    The new source has a column `series`, arrays (N, length, C) float32 that share memory, the target
    in channel 0, and a column of the target's name, arrays (N, horizon) with the values that follow.
    Windows that span a gap in time or whose following values are not all known are in no part.
    Training, validation and test follow each other in time as 60, 20 and 20 %, or as the source's own
    parts say; no value that is to be forecast stands in two of them.

    Raises DataError for columns that are not there or hold no numbers, for a time that repeats, and
    for a table too short for the horizon.
    """
    if horizon < 1:
        raise UsageError(f"horizon must be at least 1, got {horizon}")
    length = length or max(24, 2 * horizon)
    moments, order, time = _in_time(source, time)
    names = (target, *(n for n in (inputs or _numbers(source, time)) if n != target))
    values = np.stack([_channel(source, name)[order] for name in names], axis=1)  # (T, C)
    count = len(values) - length - horizon + 1
    cuts = _cuts(source, order)
    if count < 1 or min(cuts[0], len(values) - cuts[1]) < horizon or cuts[0] < length + horizon:
        raise DataError(
            f"{source.called} has {len(values):,} moments, too few for windows of {length} and {horizon}"
            " to follow"
            " in each of training, validation and test: give a smaller --horizon"
        )
    series = sliding_window_view(values[: len(values) - horizon], length, axis=0).swapaxes(1, 2)
    following = sliding_window_view(values[length:, 0], horizon)
    whole = _unbroken(moments[order], length + horizon) & np.isfinite(following).all(axis=1)
    columns = {
        "series": Column("series", "arrays", series, _rate(source, time, moments[order]), names),
        target: Column(target, "arrays", following),
    }
    ends = np.arange(count) + length  # the first moment to forecast
    made = replace(
        source,
        columns=columns,
        ids=[source.ids[order[e]] for e in ends],
        target=target,
        inputs=("series",),
        group=None,
        parts=None,
        left_out=source.left_out + _skipped(whole),
    )
    known = values[: cuts[0], 0]
    scale = float(np.nanmean(known)), float(np.nanstd(known)) or 1.0
    return Windows(made, _split(ends, whole, cuts, horizon, time), scale)


def _in_time(source: Source, time: str | None) -> tuple[np.ndarray, np.ndarray, str | None]:
    """When each row is (seconds, or its number), and the rows in the order of time."""
    if time is None:
        dates = [n for n, c in source.columns.items() if c.holds == "cells" and c.values.dtype.is_temporal()]
        time = dates[0] if len(dates) == 1 else None
    if time is None:
        moments = np.arange(len(source), dtype=np.float64)
        return moments, np.arange(len(source)), None
    if time not in source.columns:
        raise DataError(f"no column {shown(time)} in {source.called}{suggest(time, source.columns)}")
    cells = source.columns[time].values
    if not (cells.dtype.is_temporal() or cells.dtype.is_numeric()) or cells.null_count():
        raise DataError(
            f"{shown(time)} must hold a date or a number in every row, so that rows have an order"
        )
    moments = cells.cast(pl.Datetime("us")) if cells.dtype.is_temporal() else cells
    seconds = moments.to_physical().cast(pl.Float64).to_numpy() / (UNIX if cells.dtype.is_temporal() else 1)
    order = np.argsort(seconds, kind="stable")
    steps = np.diff(seconds[order])
    if (steps == 0).any():
        twice = cells[int(order[int(np.argmax(steps == 0))])]
        raise DataError(
            f"{shown(time)} holds {shown(twice)} more than once: several series in one table are not read;"
            " keep one of them"
        )
    return seconds, order, time


def _numbers(source: Source, time: str | None) -> list[str]:
    return [
        n
        for n, c in source.columns.items()
        if n != time and c.holds == "cells" and (c.values.dtype.is_numeric() or c.values.dtype == pl.Boolean)
    ]


def _channel(source: Source, name: str) -> np.ndarray:
    """One column as float32, NaN where missing."""
    column = source.columns.get(name)
    if column is None:
        raise DataError(
            f"no column {shown(name)} in {source.called}{suggest(name, source.columns) or '.'}"
            f" Its columns: {listed(source.columns)}"
        )
    if column.holds != "cells" or not (column.values.dtype.is_numeric() or column.values.dtype == pl.Boolean):
        raise DataError(
            f"{shown(name)} must hold numbers to be forecast from, got {column.holds}, not numbers"
        )
    return np.asarray(column.values.cast(pl.Float32).fill_null(np.nan).to_numpy(), np.float32)


def _cuts(source: Source, order: np.ndarray) -> tuple[int, int]:
    """The moments at which validation and test begin."""
    n = len(order)
    if source.parts is None or not (source.parts == "test").any():
        return int(n * SHARES[0]), int(n * SHARES[1])
    parts = source.parts[order]
    test = int(np.argmax(parts == "test"))
    if (parts[test:] != "test").any():
        raise DataError(f"the held-out rows of {source.called} must be later than all others, to be forecast")
    own = np.flatnonzero(parts[:test] == "val")
    return int(own[0]) if len(own) else int(test * 0.875), test


def _unbroken(moments: np.ndarray, span: int) -> np.ndarray:
    """(N,) whether the moments of each window and of what follows it are equally far apart."""
    steps = np.diff(moments)
    usual = float(np.median(steps))
    broken = np.concatenate([[0], np.cumsum(np.abs(steps - usual) > 0.5 * usual)])
    return np.asarray(broken[span - 1 :] == broken[: len(broken) - span + 1])


def _rate(source: Source, time: str | None, moments: np.ndarray) -> float | None:
    dated = time is not None and source.columns[time].values.dtype.is_temporal()
    return 1 / float(np.median(np.diff(moments))) if dated else None


def _skipped(whole: np.ndarray) -> tuple[LeftOut, ...]:
    gone = int((~whole).sum())
    reason = "span a gap in time, or what follows is not all known"
    return (LeftOut(f"{gone:,} windows", reason),) if gone else ()


def _split(
    ends: np.ndarray, whole: np.ndarray, cuts: tuple[int, int], horizon: int, time: str | None
) -> Split:
    last = ends + horizon  # one past the last moment to forecast
    train = np.flatnonzero(whole & (last <= cuts[0]))
    validation = np.flatnonzero(whole & (ends >= cuts[0]) & (last <= cuts[1]))
    test = np.flatnonzero(whole & (ends >= cuts[1]))
    if not min(len(train), len(validation), len(test)):
        raise DataError(
            "gaps leave no whole window in training, validation or test: give a smaller --horizon"
        )
    why = (
        f"by {'time' if time is None else shown(time)}: {len(train):,} windows train, {len(validation):,}"
        f" choose when to stop, the {len(test):,} latest are held out"
    )
    return Split(train, validation, test, "time", why, None)

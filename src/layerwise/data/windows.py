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

__all__ = ["SERIES", "Windows", "cut_windows", "latest_window"]

SERIES = "series"  # the column of windows
SHARES = 0.6, 0.8  # where training and validation end, as shares of the time (Zhou et al. 2021)
SHORTEST, LONGEST = 24, 512  # moments of a window whose length nobody has said
MOST_BYTES = 1 << 30  # of all windows when each is stored; of more, every second, third, ... is kept
UNIX = 1e6  # microseconds a second


class Windows(NamedTuple):
    """Windows as a source, and how they are split."""

    source: Source
    split: Split
    scale: tuple[float, float]  # mean and standard deviation of the target over the training time
    time: str | None  # the column that orders them


def cut_windows(
    source: Source,
    *,
    target: str,
    horizon: int,
    time: str | None = None,
    length: int | None = None,
    inputs: Sequence[str] = (),
) -> Windows:
    """Every window of `length` moments (None: 3.5 horizons) of a table of numbers.

    The new source has a column `series`, arrays (N, length, C) float32 that share memory, the target
    in channel 0, and a column of the target's name, arrays (N, horizon) with the values that follow.
    In windows a missing value is the last known one. Windows that span a gap in time or whose following
    values are not all known are in no part. Training, validation and test follow each other in time as
    60, 20 and 20 %, or as the source's own parts say; no value that is to be forecast stands in two of
    them.

    Raises DataError for columns that are not there or hold no numbers, for a time that repeats, and
    for a table too short for the horizon.
    """
    if horizon < 1:
        raise UsageError(f"horizon must be at least 1, got {horizon}")
    moments, order, time = _in_time(source, time)
    names = (target, *(n for n in (inputs or _numbers(source, time)) if n != target))
    values = _channels(source, names)[order]
    cuts = _cuts(source, order)
    length = length or _length(horizon, cuts[0])
    if cuts[0] < length + horizon or min(cuts[1] - cuts[0], len(values) - cuts[1]) < horizon:
        raise DataError(
            f"{source.called} has {len(values):,} moments, too few for windows of {length} and {horizon} to"
            " follow in each of training, validation and test: give a smaller --horizon"
        )
    series = sliding_window_view(_carried(values)[: len(values) - horizon], length, axis=0).swapaxes(1, 2)
    following = sliding_window_view(values[length:, 0], horizon)
    whole = _unbroken(moments[order], length + horizon) & np.isfinite(following).all(axis=1)
    columns = {
        SERIES: Column(SERIES, "arrays", series, _rate(source, time, moments[order]), names),
        target: Column(target, "arrays", following),
    }
    ends = np.arange(len(series)) + length  # the first moment to forecast
    every = -(-series.size * series.itemsize // MOST_BYTES)
    made = replace(
        source,
        columns=columns,
        ids=[source.ids[order[e]] for e in ends],
        target=target,
        inputs=(SERIES,),
        group=None,
        parts=None,
        left_out=source.left_out + _skipped(whole),
        notes=(*source.notes, *_told(length, names, every)),
    )
    known = values[: cuts[0], 0]
    scale = float(np.nanmean(known)), float(np.nanstd(known)) or 1.0
    used = whole & (ends % every == 0)
    return Windows(made, _split(ends, used, cuts, horizon, time), scale, time)


def latest_window(
    source: Source,
    *,
    names: Sequence[str],
    length: int,
    time: str | None = None,
    rate_hz: float | None = None,
) -> Source:
    """The last `length` moments of a table as a source of one row, whose id says after which moment it ends.

    `names` are the channels in their order, `rate_hz` how often moments must follow one another. Raises
    DataError where there are fewer moments, or where they are further apart or closer.
    """
    moments, order, time = _in_time(source, time)
    if len(order) < length:
        raise DataError(
            f"{source.called} has {len(order):,} moments, but the {length:,} before a forecast are needed:"
            " give more of the past"
        )
    last = order[-length:]
    found = _rate(source, time, moments[last])
    if rate_hz is not None and found is not None and abs(found / rate_hz - 1) > 0.01:
        raise DataError(
            f"the moments of {source.called} are {1 / found:,.6g} s apart where {1 / rate_hz:,.6g} s were"
            " expected: bring them to the same distance"
        )
    values = _carried(_channels(source, names)[order])[-length:]
    end = source.ids[order[-1]] if time is None else source.columns[time].values[int(order[-1])]
    return replace(
        source,
        columns={SERIES: Column(SERIES, "arrays", values[None], found, tuple(names))},
        ids=[f"after {end}"],
        target=None,
        inputs=(SERIES,),
        group=None,
        parts=None,
    )


def _length(horizon: int, training: int) -> int:
    """3.5 horizons (336 for 96, as Zeng et al. 2023), within limits, at most a third of the training time."""
    return max(1, min(max(SHORTEST, round(3.5 * horizon)), max(LONGEST, horizon), training // 3))


def _told(length: int, names: Sequence[str], every: int) -> tuple[str, ...]:
    others = f" of {listed(names)}" if len(names) > 1 else ""
    thinned = (
        (f"Of the windows one in {every} is kept, as all would take too much room.",) if every > 1 else ()
    )
    return f"Each forecast sees the {length:,} moments before it{others} (--set reading.steps).", *thinned


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
        found = column.holds if column.holds != "cells" else f"such as {shown(column.values.drop_nulls()[0])}"
        raise DataError(
            f"{shown(name)} must hold numbers to be forecast from, got {found}: name another column with"
            " --forecast or --input"
        )
    return np.asarray(column.values.cast(pl.Float32).fill_null(np.nan).to_numpy(), np.float32)


def _channels(source: Source, names: Sequence[str]) -> np.ndarray:
    """(T, C) float32."""
    return np.stack([_channel(source, name) for name in names], axis=1)


def _carried(values: np.ndarray) -> np.ndarray:
    """Values (T, C) with the last known one in place of a missing one, or the first, or 0."""
    known = np.isfinite(values)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], -1), axis=0)
    place = np.where(latest < 0, known.argmax(axis=0), latest)
    return np.asarray(np.nan_to_num(np.take_along_axis(values, place, axis=0), posinf=0.0, neginf=0.0))


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
    spare = int(whole.sum()) - len(train) - len(validation) - len(test)
    between = f"; {spare:,} reach over from one part into the next and take no part" if spare else ""
    if not min(len(train), len(validation), len(test)):
        raise DataError(
            "gaps leave no whole window in training, validation or test: give a smaller --horizon"
        )
    why = (
        f"by {'the order of the rows (--time)' if time is None else shown(time)}: {len(train):,} windows"
        f" train, {len(validation):,} choose when to stop, the {len(test):,} latest are held out"
        f"{between}"
    )
    return Split(train, validation, test, "time", why, None)

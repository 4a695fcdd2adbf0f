"""Series of any length and number of channels -> (T, C), gaps filled, scale known from training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from layerwise.data.source import Column
from layerwise.errors import Rejected, UsageError, listed, shown, suggest
from layerwise.kinds.base import ONLY, Read, Reader, only, readable
from layerwise.randomness import Randomness
from layerwise.spec import Spec

__all__ = ["KNOWN", "SeriesReader"]

DRAW = 2_000  # training series that are looked at
MOST_STEPS = 4_000
OFTEN = 0.02  # share of missing values from which on the network is told where they are
EARLY = 0.05  # share of series that end in missing values, from which on these count as their ends
KNOWN = " known"  # how a channel's name goes on where it says which values were not missing
GAPS = ("interpolate", "mask")
AXES = ("time, channel", "channel, time")


@dataclass(frozen=True)
class _Chosen:
    """All that reading needs."""

    channels: int
    turned: bool  # raw arrays have their channels first
    length: int | None  # of every series as it stands; None: they differ
    stride: int  # steps whose mean takes their place
    masked: tuple[int, ...]  # channels beside which another says where they are known
    longest: int  # of the training series after thinning
    rate_hz: float | None
    names: tuple[str, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]


class SeriesReader(Reader):
    """Reads series (T,) or (T, C) as float32 (T, C) in their own units.

    `steps`  the most that are kept; of longer series the means of neighbouring steps
    `gaps`   "interpolate": missing values lie on the line between their neighbours in time; "mask": so they
             do, and a channel more for each with gaps is 1 where values are known, else 0
    `axes`   "time, channel", or "channel, time" for arrays that have their channels first
    """

    def __init__(self, *, steps: int | None = None, gaps: str | None = None, axes: str | None = None) -> None:
        if steps is not None and (not isinstance(steps, int) or steps < 2):
            raise UsageError(f"reading.steps must be a whole number from 2, got {shown(steps)}")
        self._steps = steps
        self._gaps = _one_of("gaps", gaps, GAPS)
        self._axes = _one_of("axes", axes, AXES)
        self._chosen: _Chosen | None = None
        self._why: dict[str, str] = {}

    def fit(self, columns: Mapping[str, Column], rows: np.ndarray) -> Self:
        """See `Reader.fit`. Looks at a fair draw of at most 2,000 rows."""
        column = only(columns, plural="series")
        draw = Randomness(0).at("series reader").numpy("draw").permutation(np.sort(rows))[:DRAW]
        raw = column.take(draw)
        if self._axes is None:
            self._axes, self._why["axes"] = _orientation(raw)
        turned = self._axes == AXES[1]
        series = readable(raw, lambda one: _known(_array(one, turned)), plural="series")
        channels = int(np.bincount([s.shape[1] for s in series]).argmax())
        series = [s for s in series if s.shape[1] == channels]
        ends = np.array([_end(s) for s in series])
        early = (ends < [len(s) for s in series]).mean() > EARLY
        lengths = ends if early else np.array([len(s) for s in series])
        longest = int(lengths.max())
        if self._steps is None:
            self._steps, self._why["steps"] = _limit(int(lengths.min()), longest)
        stride = -(-longest // self._steps)
        values = np.concatenate(series)
        missing = np.isnan(values).mean(axis=0)
        if self._gaps is None:
            self._gaps, self._why["gaps"] = _filling(float(missing.max()))
        masked = np.flatnonzero(missing > 0) if self._gaps == "mask" else np.empty(0, np.int64)
        centre, spread = _scale(values)
        self._chosen = _Chosen(
            channels,
            turned,
            longest if len(set(lengths.tolist())) == 1 and not isinstance(column.values, list) else None,
            stride,
            tuple(masked.tolist()),
            -(-longest // stride),
            column.rate_hz,
            column.channels if len(column.channels) == channels else _numbered(channels),
            centre,
            spread,
        )
        return self

    @property
    def spec(self) -> Spec:
        """(time, channel); masks come after the channels, scaled by nothing."""
        c = self._fitted
        extra = len(c.masked)
        return Spec(
            ("time", "channel"),
            (None if c.length is None else c.longest, c.channels + extra),
            "float32",
            rate_hz=None if c.rate_hz is None else c.rate_hz / c.stride,
            names=(*c.names, *(c.names[i] + KNOWN for i in c.masked)),
            centre=(*c.centre, *[0.0] * extra),
            spread=(*c.spread, *[1.0] * extra),
            longest=c.longest if c.length is None else None,
        )

    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Read:
        """See `Reader.read`. Facts, of the series as it was stored: steps, missing (share of its values)."""
        (raw,) = chunk.values()
        kept: list[int] = []
        values: list[np.ndarray] = []
        facts: list[tuple[int, float]] = []
        rejected: dict[int, str] = {}
        for position, one in enumerate(raw):
            try:
                series = _whole(one, self._fitted)
            except Rejected as reason:
                rejected[position] = str(reason)
                continue
            kept.append(position)
            values.append(_filled(series, self._fitted))
            facts.append((len(series), float(np.isnan(series).mean())))
        table = np.array(facts, np.float64).reshape(len(facts), 2)
        field = np.stack(values) if values and self._fitted.length is not None else values
        named = {"steps": table[:, 0].astype(np.int64), "missing": table[:, 1].copy()}
        return Read({ONLY: field}, np.array(kept, np.int64), rejected, named)

    def choices(self) -> tuple[dict[str, Any], dict[str, str]]:
        """`steps`, `gaps` and `axes` with the reason for each."""
        return {"steps": self._steps, "gaps": self._gaps, "axes": self._axes}, dict(self._why)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All JSON, no arrays."""
        return {**asdict(self._fitted), "settings": self.choices()[0], "why": dict(self._why)}, {}

    @classmethod
    def restore(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """See `Reader.restore`. Raises KeyError, TypeError, ValueError or UsageError on anything else."""
        reader = cls(**plain["settings"])
        known: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v
            for k, v in plain.items()
            if k not in ("settings", "why")
        }
        reader._chosen = _Chosen(**known)
        widths = {len(reader._chosen.names), len(reader._chosen.centre), len(reader._chosen.spread)}
        if arrays or widths != {reader._chosen.channels} or reader._chosen.stride < 1:
            raise ValueError(f"no state of a series reader: {listed(known)}, arrays {listed(arrays)}")
        reader._why = dict(plain["why"])
        return reader

    @property
    def _fitted(self) -> _Chosen:
        if self._chosen is None:
            raise UsageError("this reader has not been fitted: call fit first")
        return self._chosen


def _array(one: Any, turned: bool) -> np.ndarray:
    """One raw series as float32 (T, C), NaN where missing."""
    array = np.asarray(one)
    if array.ndim not in (1, 2) or array.dtype.kind not in "iufb":
        raise Rejected(f"no series: {array.dtype} of shape {array.shape}, expected (T,) or (T, channels)")
    if array.size == 0:
        raise Rejected("holds no values")
    array = array.reshape(-1, 1) if array.ndim == 1 else array.T if turned else array
    values = array.astype(np.float32)
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def _known(series: np.ndarray) -> np.ndarray:
    if np.isnan(series).all():
        raise Rejected("all its values are missing")
    return series


def _end(series: np.ndarray) -> int:
    """One past the last step at which a channel is known."""
    return int(np.flatnonzero(np.isfinite(series).any(axis=1))[-1]) + 1


def _whole(one: Any, chosen: _Chosen) -> np.ndarray:
    """One raw series (T, C), cut where it ends, checked against the training series."""
    series = _known(_array(one, chosen.turned))
    if series.shape[1] != chosen.channels:
        raise Rejected(f"has {series.shape[1]} channels where {chosen.channels} were expected")
    if chosen.length is None:
        return series[: _end(series)]
    if len(series) != chosen.length:
        raise Rejected(f"has {len(series):,} steps where {chosen.length:,} were expected")
    return series


def _filled(series: np.ndarray, chosen: _Chosen) -> np.ndarray:
    """The series (T', C') without gaps, with its masks, thinned."""
    known = np.isfinite(series)
    if not known.all():
        series = series.copy()
        at = np.arange(len(series))
        for c in np.flatnonzero(~known.all(axis=0)):
            where = known[:, c]
            line = np.interp(at, at[where], series[where, c]) if where.any() else chosen.centre[c]
            series[:, c] = np.where(where, series[:, c], line)
    if chosen.masked:
        series = np.hstack([series, known[:, list(chosen.masked)].astype(np.float32)])
    if chosen.stride > 1:
        starts = np.arange(0, len(series), chosen.stride)
        sums = np.add.reduceat(series, starts, axis=0, dtype=np.float64)
        series = sums / np.diff([*starts, len(series)])[:, None]
    return np.ascontiguousarray(series, np.float32)


def _scale(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of values (M, C); 1 where it hardly changes."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, values, 0).sum(axis=0, dtype=np.float64) / count
    squares = np.square(np.where(known, values - centre, 0)).sum(axis=0)
    spread = np.sqrt(squares / count)
    changes = spread > 1e-7 * np.maximum(np.abs(centre), 1e-30)
    return tuple(centre.tolist()), tuple(np.where(changes, spread, 1.0).tolist())


def _orientation(raw: Sequence[Any] | np.ndarray) -> tuple[str, str]:
    """Which axis is time: the smoother one where the second is the longer, else the first."""
    if isinstance(raw, np.ndarray) and raw.ndim == 3 and 1 < raw.shape[1] < raw.shape[2]:
        some = np.nan_to_num(raw[:200].astype(np.float64))
        first, second = (np.square(np.diff(some, axis=axis)).mean() for axis in (1, 2))
        if second < 0.5 * first:
            return AXES[1], "the last axis is the longer, and neighbours on it are more alike"
    return AXES[0], "as arrays of series usually lie"


def _limit(shortest: int, longest: int) -> tuple[int, str]:
    found = f"{longest:,} steps" if shortest == longest else f"{shortest:,} to {longest:,} steps"
    if longest <= MOST_STEPS:
        return MOST_STEPS, f"{found}: all of every series"
    return MOST_STEPS, f"{found}: the means of {-(-longest // MOST_STEPS)} neighbouring ones are kept"


def _filling(missing: float) -> tuple[str, str]:
    if missing == 0:
        return "interpolate", "no training value is missing"
    found = f"of one channel {missing:.1%} of the values are missing"
    if missing > OFTEN:
        return "mask", f"{found}: often enough to tell the network where"
    return "interpolate", f"{found}: too few to tell the network where"


def _numbered(channels: int) -> tuple[str, ...]:
    return ("value",) if channels == 1 else tuple(f"channel {i + 1}" for i in range(channels))


def _one_of(name: str, value: str | None, known: Sequence[str]) -> str | None:
    if value is not None and value not in known:
        raise UsageError(
            f"reading.{name} must be one of {listed(map(shown, known))}, got {shown(value)}"
            f"{suggest(str(value), known)}"
        )
    return value

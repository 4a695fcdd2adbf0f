"""Clips of any rate, length and format -> mono samples at one rate, chosen from training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

import numpy as np

from layerwise.data.source import Column, File
from layerwise.errors import Rejected, UsageError, listed, shown
from layerwise.kinds.base import ONLY, Read, Reader, only, readable
from layerwise.kinds.sound.decode import Clip, Header, array_clip, decode, header, resampled
from layerwise.randomness import Randomness
from layerwise.spec import Spec

__all__ = ["SoundReader"]

_T = TypeVar("_T")

DRAW = 2_000  # training clips whose headers are looked at
HEARD = 300  # of these, decoded to measure how loud they are
MOST_HZ = 16_000.0  # speech and most calls lie below its half
MOST_SECONDS = 10.0


@dataclass(frozen=True)
class _Chosen:
    """All that reading needs."""

    rate_hz: float
    seconds: float
    dtype: str  # int16, or float32 where training clips are finer than 16 bits
    array_hz: float | None  # the rate of arrays, which do not say it themselves
    spread: float
    longest: int


class SoundReader(Reader):
    """Reads clips from files or arrays as mono samples (T,), T of its own for each clip.

    `rate_hz`  samples a second that every clip is brought to
    `seconds`  the most that is kept of a clip; of a longer one its loudest stretch
    """

    def __init__(self, *, rate_hz: float | None = None, seconds: float | None = None) -> None:
        self._rate_hz = _within("rate_hz", rate_hz, 100, 192_000)
        self._seconds = _within("seconds", seconds, 0.01, 600)
        self._chosen: _Chosen | None = None
        self._why: dict[str, str] = {}

    def fit(self, columns: Mapping[str, Column], rows: np.ndarray) -> Self:
        """See `Reader.fit`. Looks at the headers of a fair draw of at most 2,000 rows, and decodes 300."""
        column = only(columns, plural="sounds")
        draw = Randomness(0).at("sound reader").numpy("draw").permutation(np.sort(rows))[:DRAW]
        raw = column.take(draw)
        headers = readable(raw, lambda one: _header(one, column.rate_hz), plural="clips")
        rates = np.array([h.rate_hz for h in headers])
        lengths = np.array([h.frames / h.rate_hz for h in headers if h.frames is not None] or [MOST_SECONDS])
        rate_hz = self._rate_hz or self._note("rate_hz", *_rate(rates))
        seconds = self._seconds or self._note("seconds", *_longest(lengths))
        dtype = "float32" if any(h.fine for h in headers) else "int16"
        longest = max(1, round(min(seconds, float(lengths.max())) * rate_hz))
        open_spread = _Chosen(rate_hz, seconds, dtype, column.rate_hz, 1.0, longest)
        heard = readable(
            raw[:HEARD], lambda one: _samples(_clip(one, open_spread), open_spread), plural="clips"
        )
        power = sum(float(np.square(s, dtype=np.float64).sum()) for s in heard) / sum(map(len, heard))
        self._chosen = _Chosen(rate_hz, seconds, dtype, column.rate_hz, float(np.sqrt(power)) or 1.0, longest)
        return self

    @property
    def spec(self) -> Spec:
        """(time,) of no fixed length; `spread` is the root mean square of the training samples."""
        c = self._fitted
        return Spec(
            ("time",),
            (None,),
            c.dtype,
            rate_hz=c.rate_hz,
            centre=(0.0,),
            spread=(c.spread,),
            longest=c.longest,
        )

    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Read:
        """See `Reader.read`. Facts, of the clip as it was stored: rate_hz, seconds, channels, bytes, peak."""
        (raw,) = chunk.values()
        kept: list[int] = []
        values: list[np.ndarray] = []
        facts: list[tuple[float, float, int, int, float]] = []
        rejected: dict[int, str] = {}
        for position, one in enumerate(raw):
            try:
                clip = _clip(one, self._fitted)
            except Rejected as reason:
                rejected[position] = str(reason)
                continue
            kept.append(position)
            values.append(_samples(clip, self._fitted))
            h = clip.header
            peak = float(np.abs(clip.samples).max())
            facts.append((h.rate_hz, len(clip.samples) / h.rate_hz, h.channels, h.bytes, peak))
        table = np.array(facts, np.float64).reshape(len(facts), 5)
        named = dict(zip(("rate_hz", "seconds", "channels", "bytes", "peak"), table.T.copy(), strict=True))
        return Read({ONLY: values}, np.array(kept, np.int64), rejected, named)

    def choices(self) -> tuple[dict[str, Any], dict[str, str]]:
        """`rate_hz` and `seconds` with the reason for each."""
        return {"rate_hz": self._fitted.rate_hz, "seconds": self._fitted.seconds}, dict(self._why)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All JSON, no arrays."""
        return {**asdict(self._fitted), "why": dict(self._why)}, {}

    @classmethod
    def restore(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """See `Reader.restore`. Raises KeyError, TypeError or ValueError on anything else."""
        if arrays or plain["dtype"] not in ("int16", "float32"):
            raise ValueError(f"no state of a sound reader: {shown(plain['dtype'])}, arrays {listed(arrays)}")
        reader = cls(rate_hz=plain["rate_hz"], seconds=plain["seconds"])
        reader._why = dict(plain["why"])
        array_hz = plain["array_hz"]
        reader._chosen = _Chosen(
            float(plain["rate_hz"]),
            float(plain["seconds"]),
            plain["dtype"],
            None if array_hz is None else float(array_hz),
            float(plain["spread"]),
            int(plain["longest"]),
        )
        return reader

    def _note(self, name: str, value: _T, why: str) -> _T:
        self._why[name] = why
        return value

    @property
    def _fitted(self) -> _Chosen:
        if self._chosen is None:
            raise UsageError("this reader has not been fitted: call fit first")
        return self._chosen


def _header(one: Any, array_hz: float | None) -> Header:
    """What one raw clip says of itself."""
    if one is None:
        raise Rejected("an empty cell")
    return header(one) if isinstance(one, File) else array_clip(one, array_hz or MOST_HZ).header


def _clip(one: Any, chosen: _Chosen) -> Clip:
    """One raw clip, decoded."""
    if one is None:
        raise Rejected("an empty cell")
    return decode(one) if isinstance(one, File) else array_clip(one, chosen.array_hz or chosen.rate_hz)


def _samples(clip: Clip, chosen: _Chosen) -> np.ndarray:
    """The clip (T,) as the network gets it."""
    rate_hz = clip.header.rate_hz
    samples = resampled(_loudest(clip.samples, round(chosen.seconds * rate_hz)), rate_hz, chosen.rate_hz)
    samples = samples[: max(1, round(chosen.seconds * chosen.rate_hz))]
    if chosen.dtype == "float32":
        return np.ascontiguousarray(samples, np.float32)
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)


def _loudest(samples: np.ndarray, most: int) -> np.ndarray:
    """The stretch of `most` samples with the greatest energy about its mean, to within a twentieth."""
    most = max(1, most)
    if len(samples) <= most:
        return samples
    hop = max(1, most // 20)
    energy = np.cumsum(np.square(samples - samples.mean(), dtype=np.float64))
    starts = np.arange(0, len(samples) - most + 1, hop)
    best = int(starts[np.argmax(energy[starts + most - 1] - energy[starts])])
    return samples[best : best + most]


def _rate(rates: np.ndarray) -> tuple[float, str]:
    """The common rate: what nine in ten clips do not exceed, at most `MOST_HZ`."""
    ninth = float(np.sort(rates)[int(0.9 * (len(rates) - 1))])
    low, high = rates.min(), rates.max()
    if low == high <= MOST_HZ:
        return ninth, f"all have {low:,.0f} Hz"
    found = f"all have {low:,.0f} Hz" if low == high else f"{low:,.0f} to {high:,.0f} Hz"
    if ninth > MOST_HZ:
        return MOST_HZ, f"{found}; above {MOST_HZ / 2:,.0f} Hz little is heard of speech and most calls"
    return ninth, f"{found}; nine in ten have no more"


def _longest(lengths: np.ndarray) -> tuple[float, str]:
    """How much of a clip is kept, from the lengths in seconds."""
    longest = float(lengths.max())
    found = f"{lengths.min():.3g} to {longest:.3g} s"
    if longest <= MOST_SECONDS:
        return MOST_SECONDS, f"{found}: all of every clip"
    return MOST_SECONDS, f"{found}: the loudest {MOST_SECONDS:g} s of a longer clip"


def _within(name: str, value: float | None, low: float, high: float) -> float | None:
    if value is not None and not (isinstance(value, int | float) and low <= value <= high):
        raise UsageError(f"reading.{name} must be from {low:g} to {high:,}, got {shown(value)}")
    return value

"""Sound files and arrays as mono samples: the only place that decodes and resamples sounds."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

from layerwise.data.source import File
from layerwise.errors import Rejected, shown

__all__ = ["MOST_SAMPLES", "Clip", "Header", "array_clip", "decode", "encoded", "header", "resampled"]

MOST_SAMPLES = 1 << 26  # over all channels of one file, as declared or as found
_BLOCK = 1 << 20
_PLAYED = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # Hz that MP3 has
_UNKNOWN = 1 << 62  # libsndfile's count where a stream does not say its length
_SIXTEEN = ("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "VORBIS", "OPUS", "MPEG_LAYER")
_BROKEN = (soundfile.SoundFileError, OSError, ValueError, OverflowError, MemoryError)


class Header(NamedTuple):
    """What a sound says of itself."""

    rate_hz: float
    channels: int
    frames: int | None  # None: the stream does not say
    fine: bool  # holds more than 16 bits can
    bytes: int


class Clip(NamedTuple):
    """Mono samples at their own rate, full scale +-1, float32."""

    samples: np.ndarray
    header: Header


def header(file: File) -> Header:
    """The header alone. Raises Rejected where the file is no sound or declares too much."""
    data = file.bytes()
    with _opened(data) as sound:
        return _header(sound, len(data))


def decode(file: File) -> Clip:
    """All of a file, its channels averaged. Raises Rejected with the reason where it ends early."""
    data = file.bytes()
    with _opened(data) as sound:
        found = _header(sound, len(data))
        try:
            samples = _mono(sound)
        except _BROKEN as error:
            raise Rejected(f"damaged or cut short: {shown(error)[1:-1]}") from error
    # MP3 counts whole blocks, so its declared length may be a little off
    if found.frames is not None and len(samples) < 0.9 * found.frames:
        raise Rejected(f"cut short: declares {found.frames:,} samples, holds {len(samples):,}")
    return Clip(_sound(samples), found)


def array_clip(array: Any, rate_hz: float) -> Clip:
    """Samples (T,) or (T, channels) at a known rate; whole numbers are scaled by their type's range."""
    array = np.asarray(array)
    flat = array.ndim == 1 or (array.ndim == 2 and 2 * array.shape[1] <= array.shape[0])
    if not flat or array.dtype.kind not in "iuf":
        raise Rejected(
            f"no sound: {array.dtype} of shape {array.shape}, expected samples (T,) or (T, channels)"
        )
    if array.size == 0:
        raise Rejected("holds no samples")
    channels = 1 if array.ndim == 1 else array.shape[1]
    found = Header(
        rate_hz, channels, len(array), array.dtype.kind == "f" or array.dtype.itemsize > 2, array.nbytes
    )
    samples = array.astype(np.float32)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        samples = (samples - (limits.max + limits.min + 1) / 2) / ((limits.max - limits.min + 1) / 2)
    return Clip(_sound(samples.reshape(len(samples), -1).mean(axis=1)), found)


def resampled(samples: np.ndarray, rate_hz: float, wanted_hz: float) -> np.ndarray:
    """Samples (T,) at another rate: a linear-phase filter of 20 bits (soxr's high quality)."""
    if rate_hz == wanted_hz or len(samples) == 0:
        return samples
    changed: np.ndarray = soxr.resample(samples, rate_hz, wanted_hz, quality="HQ")
    # a clip of a few samples may vanish; what is left of it is its level
    return changed if len(changed) else samples[:1]


def encoded(samples: np.ndarray, rate_hz: float) -> bytes:
    """Samples (T,), int16 or float32, as an MP3 of the nearest rate that players know, none lower."""
    rate = next((r for r in _PLAYED if r >= rate_hz), _PLAYED[-1])
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768
    buffer = io.BytesIO()
    soundfile.write(
        buffer, np.clip(resampled(samples, rate_hz, rate), -1, 1), rate, format="MP3", compression_level=0.9
    )
    return buffer.getvalue()


class _Bytes(io.BytesIO):
    """A file in memory in which damaged files may ask for places before its start, and get its start."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.getbuffer().nbytes}[whence]
        return super().seek(max(0, start + offset))


def _opened(data: bytes) -> soundfile.SoundFile:
    if not data:
        raise Rejected("an empty file")
    try:
        return soundfile.SoundFile(_Bytes(data))
    except _BROKEN as error:
        raise Rejected(
            f"no sound that can be read: it begins with {shown(data[:12].decode('latin-1'))}"
        ) from error


def _header(sound: soundfile.SoundFile, size: int) -> Header:
    frames = None if sound.frames >= _UNKNOWN else int(sound.frames)
    if (frames or 0) * sound.channels > MOST_SAMPLES:
        raise Rejected(
            f"declares {_long(frames or 0, sound)}; at most {MOST_SAMPLES:,} samples are read: cut it"
        )
    if frames == 0:
        raise Rejected("holds no samples")
    return Header(
        float(sound.samplerate), sound.channels, frames, not sound.subtype.startswith(_SIXTEEN), size
    )


def _long(frames: int, sound: soundfile.SoundFile) -> str:
    minutes = frames / max(1, sound.samplerate) / 60
    return f"{frames:,} samples on {sound.channels} channels ({minutes:,.0f} minutes)"


def _mono(sound: soundfile.SoundFile) -> np.ndarray:
    """Block by block, so that no more than one block is held on all channels, nor more than is allowed."""
    parts: list[np.ndarray] = []
    total = 0
    while len(block := sound.read(max(1, _BLOCK // sound.channels), dtype="float32", always_2d=True)):
        total += block.size
        if total > MOST_SAMPLES:
            raise Rejected(f"holds more than {MOST_SAMPLES:,} samples: cut it")
        parts.append(block.mean(axis=1))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _sound(samples: np.ndarray) -> np.ndarray:
    if len(samples) == 0:
        raise Rejected("holds no samples")
    if not np.isfinite(samples).all():
        raise Rejected("holds NaN or infinity")
    return samples.astype(np.float32, copy=False)

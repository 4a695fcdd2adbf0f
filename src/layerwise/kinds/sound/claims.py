"""Whether columns hold sounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from layerwise.data.source import Column, File
from layerwise.errors import Rejected

__all__ = ["claims"]

NAMES = "wav wave aif aiff aifc flac ogg oga opus mp3 au snd w64 caf"
SUFFIXES = frozenset("." + name for name in NAMES.split())
SIGNATURES = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3")
LOOKS = 200  # files whose first bytes are looked at where names say nothing
LEAST_HZ = 2_000  # arrays of a lower rate are series


def claims(columns: Mapping[str, Column]) -> str | None:
    """The reason why the only column holds sounds: files by name or first bytes, arrays by their rate."""
    if len(columns) != 1:
        return None
    (column,) = columns.values()
    if column.holds == "files":
        files = [f for f in column.values if f is not None]
        named = sum(f.suffix in SUFFIXES for f in files)
        if files and 2 * named > len(files):
            return f"{named:,} of {len(files):,} files are named as sounds"
        bare = [f for f in files if not f.suffix]
        some = bare[:LOOKS]
        found = sum(_signed(f) for f in some)
        if 2 * len(bare) > len(files) and 2 * found > len(some):
            return f"{found:,} of {len(some):,} files without an extension begin as sounds do"
    rate_hz = column.rate_hz or 0
    if column.holds == "arrays" and rate_hz >= LEAST_HZ and len(column) and np.ndim(column.values[0]) == 1:
        return f"arrays of samples at {rate_hz:,.0f} Hz"
    return None


def _signed(file: File) -> bool:
    try:
        start = file.bytes()[:12]
    except Rejected:
        return False
    container = start[:4] in (b"RIFF", b"FORM") and start[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    return start.startswith(SIGNATURES) or container

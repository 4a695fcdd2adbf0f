"""Whether columns hold pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from layerwise.data.source import Column, File
from layerwise.errors import Rejected
from layerwise.kinds.image.decode import begins_as_picture

__all__ = ["claims"]

NAMES = "png jpg jpeg jpe jfif webp tif tiff bmp pgm ppm pbm pnm gif"
SUFFIXES = frozenset("." + name for name in NAMES.split())
LOOKS = 200  # files whose first bytes are looked at where names say nothing


def claims(columns: Mapping[str, Column]) -> str | None:
    """The reason why the only column holds pictures: files by name or first bytes, arrays by shape."""
    if len(columns) != 1:
        return None
    (column,) = columns.values()
    if column.holds == "files":
        return _files([f for f in column.values if f is not None])
    if column.holds == "arrays" and column.rate_hz is None and len(column):
        return _arrays(column.values)
    return None


def _files(files: Sequence[File]) -> str | None:
    named = sum(f.suffix in SUFFIXES for f in files)
    if files and 2 * named > len(files):
        return f"{named:,} of {len(files):,} files are named as pictures"
    bare = [f for f in files if not f.suffix]
    some = bare[:LOOKS]
    found = sum(_signed(f) for f in some)
    if 2 * len(bare) > len(files) and 2 * found > len(some):
        return f"{found:,} of {len(some):,} files without an extension begin as pictures do"
    return None


def _signed(file: File) -> bool:
    try:
        return begins_as_picture(file.bytes())
    except Rejected:
        return False


def _arrays(values: np.ndarray | Sequence[np.ndarray]) -> str | None:
    """Three axes, one of few channels; or two of like length, with numbers that could be light."""
    shape = np.shape(values[0])
    if len(shape) == 3 and (shape[2] <= 4 or shape[0] <= 4) and min(sorted(shape)[1:]) >= 4:
        return f"arrays of {' x '.join(map(str, shape))}: a channel axis and two sides"
    if len(shape) != 2 or min(shape) < 6:
        return None
    some = np.stack([np.asarray(v) for v in values[:LOOKS] if np.shape(v) == shape])
    if some.dtype.kind in "ub":
        alike = max(shape) <= 3 * min(shape)
    else:  # several channels of a series are arrays of two axes too
        alike = max(shape) <= 1.25 * min(shape) and some.min() >= 0 and some.max() <= 65_535
    return f"arrays of {shape[0]} x {shape[1]}, none below 0: two sides" if alike else None

"""Which pictures are the same one, whatever their format, size and compression."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from layerwise.data.source import Column, File
from layerwise.errors import Rejected
from layerwise.kinds.image.decode import decode, resized

__all__ = ["copies"]

MOST = 10_000  # pictures; decoding more once more takes too long
SIDE = 16  # pixels of what is compared
ALIKE = 0.995  # correlation: copies at half the size or a quality of 60 have more, neighbours in a film less
FLAT = 2.0  # grey levels of spread, below which there is nothing to compare
BLOCK = 1_024


def copies(column: Column) -> list[int | None]:
    """One mark a row, equal for pictures whose reductions to 16 x 16 grey pixels correlate above .995.

    None for what is flat, cannot be read, or stands in arrays, and for all where there are over 10,000.
    """
    marks: list[int | None] = [None] * len(column)
    if column.holds != "files" or len(column) > MOST:
        return marks
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        small = list(pool.map(_reduced, column.values))
    rows = [row for row, one in enumerate(small) if one is not None]
    looks = np.stack([one for one in small if one is not None]) if rows else np.empty((0, SIDE * SIDE))
    for start in range(0, len(rows), BLOCK):
        alike = looks[start : start + BLOCK] @ looks.T > ALIKE
        for offset, first in enumerate(alike.argmax(axis=1)):
            row, earlier = rows[start + offset], rows[int(first)]
            marks[row] = earlier if marks[earlier] is None else marks[earlier]
    return marks


def _reduced(file: File | None) -> np.ndarray | None:
    """A picture as a unit vector (256,) of grey levels about their mean; None where that says nothing."""
    if file is None:
        return None
    try:
        pixels, _ = decode(file, (64, 64))
    except Rejected:
        return None
    grey = pixels.astype(np.float32).mean(axis=2, keepdims=True)
    small = resized(grey, (SIDE, SIDE))[:, :, 0].ravel()
    small = small - small.mean()
    spread = float(np.sqrt(np.mean(small**2)))
    return None if spread < FLAT else small / (spread * SIDE)

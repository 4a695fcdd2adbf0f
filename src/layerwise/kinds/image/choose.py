"""What to read training pictures as: size, framing, colour, each with its reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

__all__ = ["channels_first", "colour", "framing", "scale", "size"]

NATIVE = 48  # pictures of one size up to this are left as they are


def size(sizes: np.ndarray, n: int) -> tuple[tuple[int, int], str]:
    """The size to read at, from sizes (N, 2) of training pictures and the number of training rows."""
    height, width = (int(m) for m in np.median(sizes, axis=0))
    if (sizes == sizes[0]).all() and max(height, width) <= NATIVE:
        return (height, width), f"all are {width} x {height}, small enough to leave as they are"
    most = 96 if n <= 5_000 else 64 if n <= 20_000 else 48
    why = f"{_range(sizes)}: at most {most} a side, which {n:,} pictures can be learned from in minutes"
    aspects = np.log(sizes[:, 1] / sizes[:, 0])
    if np.quantile(aspects, 0.98) - np.quantile(aspects, 0.02) > 0.05:
        side = min(most, int(np.median(sizes.max(axis=1))))
        return (side, side), f"{why}, and a square since their shapes differ"
    factor = min(1.0, most / max(height, width))
    return (max(1, ceil(height * factor)), max(1, ceil(width * factor))), why


def framing(sizes: np.ndarray, size: tuple[int, int]) -> tuple[str, str]:
    """How to fit pictures of these sizes (N, 2) into `size`."""
    differ = np.abs(np.log(sizes[:, 1] / sizes[:, 0]) - np.log(size[1] / size[0]))
    if (differ < 0.05).all():
        return "crop", "all have nearly the same shape: nothing is lost"
    if np.quantile(differ, 0.95) <= np.log(1.8):
        return "crop", "shapes differ little: the middle fills the frame, a little of two sides is lost"
    return "letterbox", "shapes differ much: each is kept whole, with its border colour around it"


def colour(framed: Sequence[np.ndarray]) -> tuple[str, str]:
    """Grey or colour, from framed pictures (H, W, C)."""
    channels = {p.shape[2] for p in framed}
    if not channels <= {1, 3}:
        return "as given", f"arrays of {max(channels)} channels"
    tinted = 0
    for p in framed:
        full = float(np.iinfo(p.dtype).max) if p.dtype != np.float32 else float(np.abs(p).max()) or 1.0
        tinted += p.shape[2] == 3 and float(np.ptp(p.astype(np.float32), axis=2).mean()) > 0.01 * full
    if tinted > 0.01 * len(framed):
        return "colour", f"{tinted:,} of {len(framed):,} training pictures have colour"
    return "grey", f"{tinted or 'none'} of {len(framed):,} training pictures has colour"


def scale(pictures: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of pictures (N, C, H, W)."""
    channels = [pictures[:, c].astype(np.float64) for c in range(pictures.shape[1])]
    centre = tuple(float(c.mean()) for c in channels)
    spread = tuple(float(c.std()) or 1.0 for c in channels)
    return centre, spread


def channels_first(raw: Sequence[Any]) -> bool:
    """Whether arrays are (C, H, W): the last axis is no channel count, the first one is."""
    shapes = [np.shape(a) for a in raw if np.ndim(a) == 3]
    return bool(shapes) and all(s[2] > 4 and s[0] < min(s[1:]) for s in shapes)


def _range(sizes: np.ndarray) -> str:
    (low_h, low_w), (high_h, high_w) = sizes.min(axis=0), sizes.max(axis=0)
    low, high = f"{low_w} x {low_h}", f"{high_w} x {high_h}"
    return low if low == high else f"{low} to {high}"

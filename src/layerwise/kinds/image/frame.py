"""Pixels of any shape, depth and number of channels brought to those of the training pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from layerwise.errors import Rejected
from layerwise.kinds.image.decode import resized

__all__ = ["finished", "framed"]


def framed(pixels: np.ndarray, size: tuple[int, int], framing: str) -> np.ndarray:
    """Pixels (H, W, C) at `size` (height, width): the middle cropped, the whole letterboxed, or stretched."""
    height, width = pixels.shape[:2]
    if (height, width) == size:
        return pixels
    tall, wide = size
    if framing == "stretch":
        return resized(pixels, size)
    if framing == "crop":
        scale = max(tall / height, wide / width)
        left, top = (width - wide / scale) / 2, (height - tall / scale) / 2
        box = (max(left, 0.0), max(top, 0.0), min(width - left, width), min(height - top, height))
        return resized(pixels, size, box)
    scale = min(tall / height, wide / width)
    inner = min(tall, max(1, round(height * scale))), min(wide, max(1, round(width * scale)))
    small = resized(pixels, inner)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    canvas = np.empty((tall, wide, small.shape[2]), small.dtype)
    canvas[:] = np.median(border, axis=0).astype(small.dtype)
    top, left = (tall - inner[0]) // 2, (wide - inner[1]) // 2
    canvas[top : top + inner[0], left : left + inner[1]] = small
    return canvas


def finished(pixels: np.ndarray, channels: int, depth: str) -> np.ndarray:
    """Pixels (H, W, C) as (channels, H, W) of that depth. Raises Rejected where that would lose values."""
    given = pixels.shape[2]
    if given != channels:
        if channels == 3 and given == 1:
            pixels = np.repeat(pixels, 3, axis=2)
        elif channels == 1 and given == 3:
            grey = pixels.astype(np.float64) @ (0.299, 0.587, 0.114)  # ITU-R BT.601
            pixels = (grey if pixels.dtype == np.float32 else np.rint(grey))[:, :, None].astype(pixels.dtype)
        else:
            raise Rejected(f"has {given} channels, the training pictures {channels}")
    return np.ascontiguousarray(np.moveaxis(_as_depth(pixels, np.dtype(depth)), 2, 0))


def _as_depth(pixels: np.ndarray, depth: np.dtype[Any]) -> np.ndarray:
    """Pixels of the other depth: full scale stays full scale, floats stay as they are."""
    if pixels.dtype == depth:
        return pixels
    if depth == np.float32:
        return pixels.astype(np.float32)
    if pixels.dtype == np.float32:
        most = np.iinfo(depth).max
        if (pixels != np.rint(pixels)).any() or pixels.min() < 0 or pixels.max() > most:
            raise Rejected(
                f"holds fractions or values beyond 0..{most}, the training pictures whole numbers within it"
            )
        return pixels.astype(depth)
    if depth == np.uint16:
        return pixels.astype(np.uint16) * np.uint16(257)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)

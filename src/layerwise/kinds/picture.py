"""Arrays as small PNG pictures: grey, colour, heat along one scale, or signed about zero."""

from __future__ import annotations

import struct
import zlib

import numpy as np

__all__ = ["heat", "png", "signed"]

# Dark violet over teal to pale yellow, rising in lightness: it reads in grey and to the colour-blind.
_HEAT = np.array(
    [
        [20, 11, 52],
        [62, 30, 104],
        [74, 65, 128],
        [58, 102, 138],
        [43, 137, 138],
        [62, 172, 122],
        [143, 199, 91],
        [251, 228, 116],
    ],
    np.float64,
)
# Blue below zero, near white at it, orange-red above: told apart by all common kinds of colour vision.
_SIGNED = np.array(
    [
        [8, 64, 129],
        [67, 133, 188],
        [166, 202, 225],
        [246, 246, 244],
        [246, 190, 150],
        [217, 110, 62],
        [140, 45, 4],
    ],
    np.float64,
)


def png(pixels: np.ndarray) -> bytes:
    """`pixels`, uint8 (H, W) or (H, W, 3), as a PNG file (ISO/IEC 15948): 8 bits, one `sub` filter a line."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise ValueError(f"a picture is uint8 (H, W) or (H, W, 3), got {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    lines = pixels.reshape(height, width, -1)
    left = np.zeros_like(lines)
    left[:, 1:] = lines[:, :-1]
    filtered = np.full((height, 1 + lines[0].size if height else 1), 1, np.uint8)
    filtered[:, 1:] = (lines - left).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(name, data) for name, data in parts)


def heat(values: np.ndarray) -> np.ndarray:
    """Numbers in 0..1 (H, W) as colours from dark to light, uint8 (H, W, 3); what lies outside is clipped."""
    return _mapped(values, _HEAT)


def signed(values: np.ndarray) -> np.ndarray:
    """Numbers in -1..1 (H, W) as blue, white at zero, and red, uint8 (H, W, 3); clipped outside."""
    return _mapped((np.asarray(values, np.float64) + 1) / 2, _SIGNED)


def _mapped(values: np.ndarray, colours: np.ndarray) -> np.ndarray:
    at = np.clip(np.nan_to_num(np.asarray(values, np.float64)), 0, 1) * (len(colours) - 1)
    low = np.minimum(at.astype(np.int64), len(colours) - 2)
    share = (at - low)[..., None]
    mixed: np.ndarray = np.rint(colours[low] * (1 - share) + colours[low + 1] * share).astype(np.uint8)
    return mixed


def _part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

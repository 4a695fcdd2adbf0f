"""Arrays as small PNG pictures: grey, colour, heat along one scale, or signed about zero."""

from __future__ import annotations

import struct
import zlib

import numpy as np

__all__ = ["heat", "png", "signed"]

GREY, COLOUR, PALETTE = 0, 2, 3  # how PNG numbers them
STEPS = 32  # colours of a heat picture: it takes a quarter of the bytes of full colour

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
    return _file(filtered, width, GREY if pixels.ndim == 2 else COLOUR)


def heat(values: np.ndarray) -> bytes:
    """Numbers in 0..1 (H, W) as a PNG file of 32 colours from dark to light; what lies outside is clipped."""
    steps = np.rint(np.clip(np.nan_to_num(values), 0, 1) * (STEPS - 1)).astype(np.uint8)
    lines = np.zeros((len(steps), 1 + steps.shape[1]), np.uint8)  # no filter: neighbours are no sums
    lines[:, 1:] = steps
    return _file(lines, steps.shape[1], PALETTE, _mapped(np.linspace(0, 1, STEPS), _HEAT).tobytes())


def signed(values: np.ndarray) -> np.ndarray:
    """Numbers in -1..1 (H, W) as blue, white at zero, and red, uint8 (H, W, 3); clipped outside."""
    return _mapped((np.asarray(values, np.float64) + 1) / 2, _SIGNED)


def _file(lines: np.ndarray, width: int, colours: int, palette: bytes = b"") -> bytes:
    """Filtered lines as a PNG file."""
    header = struct.pack(">IIBBBBB", width, len(lines), 8, colours, 0, 0, 0)
    parts = [
        (b"IHDR", header),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _part(name, data) for name, data in parts if data or name != b"PLTE"
    )


def _mapped(values: np.ndarray, colours: np.ndarray) -> np.ndarray:
    at = np.clip(np.nan_to_num(np.asarray(values, np.float64)), 0, 1) * (len(colours) - 1)
    low = np.minimum(at.astype(np.int64), len(colours) - 2)
    share = (at - low)[..., None]
    mixed: np.ndarray = np.rint(colours[low] * (1 - share) + colours[low + 1] * share).astype(np.uint8)
    return mixed


def _part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

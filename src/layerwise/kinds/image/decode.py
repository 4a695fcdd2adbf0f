"""Image files and arrays as pixels (H, W, C): the only place that decodes pictures."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from layerwise.data.source import File
from layerwise.errors import Rejected, shown

__all__ = ["FORMATS", "MOST_PIXELS", "Look", "array_pixels", "begins_as_picture", "decode", "look", "resized"]

MOST_PIXELS = 64_000_000  # declared by one file; more is refused before anything is decoded
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "GIF")

_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM")
_AT_MOST = f"at most {MOST_PIXELS // 1_000_000} million are decoded: make it smaller"
_BACKDROP = 128  # what shows through transparent pixels: neither black nor white drawings are lost on it
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# What Pillow's decoders have been seen to raise on damaged files.
_BROKEN = (
    OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, RuntimeError, AttributeError,
    MemoryError, EOFError, AssertionError, struct.error, zlib.error,
)  # fmt: skip


class Look(NamedTuple):
    """What the header of a picture says."""

    width: int  # upright
    height: int
    mode: str  # Pillow's name of how a pixel is stored, or the dtype of an array
    depth: str  # the dtype that holds its values without loss: uint8, uint16, float32
    bytes: int


def look(file: File) -> Look:
    """The header alone. Raises Rejected where the file is no picture or declares too many pixels."""
    data = file.bytes()
    with _opened(data) as image:
        return _look(image, len(data))


def decode(file: File, near: tuple[int, int] | None) -> tuple[np.ndarray, Look]:
    """Upright pixels (H, W, 1 or 3) of a file, uint8, uint16 or float32, and its header.

    With `near` (height, width) a much larger picture is decoded coarsely: both sides stay at least twice
    as long as asked. Raises Rejected with the reason where it cannot be decoded to the end.
    """
    data = file.bytes()
    with _opened(data) as image:
        header = _look(image, len(data))
        orientation = _orientation(image)
        if near is not None:
            tall = near if orientation < 5 else near[::-1]
            image.draft(None, (2 * tall[1], 2 * tall[0]))
            image.load()
            factor = min(image.width // (2 * tall[1]), image.height // (2 * tall[0]))
            if factor > 1 and image.mode not in ("1", "P", *_DEEP):
                image = image.reduce(factor)
        return _upright(_pixels(image), orientation), header


def array_pixels(array: Any, *, first: bool) -> np.ndarray:
    """(H, W), (H, W, C), or (C, H, W) where channels come `first`, as pixels (H, W, C).

    Whole numbers beyond 16 bits and every kind of float become float32. Raises Rejected for what is no
    picture or holds NaN or infinity.
    """
    array = np.asarray(array)
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "buif":
        raise Rejected(
            f"no picture: {array.dtype} of shape {array.shape}, expected (H, W), (H, W, C) or (C, H, W)"
        )
    if array.ndim == 2:
        array = array[:, :, None]
    elif first:
        array = np.moveaxis(array, 0, 2)
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(array)
    if not np.isfinite(array).all():
        raise Rejected("holds NaN or infinity")
    return np.ascontiguousarray(array, np.float32)


def resized(
    pixels: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """Pixels (H, W, C), or what lies within `box` (left, top, right, bottom), at `size` (height, width).

    Bicubic, widened when shrinking, so that nothing aliases. The dtype stays.
    """
    if pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3):
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        small = np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC, box))
        return small.reshape(*size, pixels.shape[2])
    channels = [
        np.asarray(Image.fromarray(c).resize(size[::-1], Image.Resampling.BICUBIC, box))
        for c in np.moveaxis(pixels, 2, 0).astype(np.float32)
    ]
    stacked = np.stack(channels, axis=2)
    if pixels.dtype == np.float32:
        return stacked
    most = np.iinfo(pixels.dtype).max
    rounded: np.ndarray = np.clip(np.rint(stacked), 0, most).astype(pixels.dtype)
    return rounded


def begins_as_picture(data: bytes) -> bool:
    """Whether the first bytes are those of a format that is read."""
    return data.startswith(_STARTS) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The picture in `data`, not yet decoded; whatever Pillow raises meanwhile becomes Rejected."""
    if not data:
        raise Rejected("an empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                yield image
    except UnidentifiedImageError:
        if begins_as_picture(data):
            raise Rejected("damaged or cut short: its header cannot be read") from None
        raise Rejected(
            f"no picture: it begins with {shown(data[:12].decode('latin-1'))}; read are {', '.join(FORMATS)}"
        ) from None
    except Image.DecompressionBombError:
        raise Rejected(f"declares hundreds of millions of pixels; {_AT_MOST}") from None
    except _BROKEN as error:
        raise Rejected(f"damaged or cut short: {shown(error)[1:-1]}") from error


def _look(image: Image.Image, size: int) -> Look:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Rejected(
            f"declares {width:,} x {height:,} pixels, {width * height / 1e6:,.0f} million; {_AT_MOST}"
        )
    if width * height == 0:
        raise Rejected(f"declares {width} x {height} pixels")
    if _orientation(image) >= 5:
        width, height = height, width
    depth = "uint16" if image.mode in _DEEP else "float32" if image.mode == "F" else "uint8"
    return Look(width, height, image.mode, depth, size)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation 1..8; a damaged EXIF block costs the orientation, not the picture."""
    try:
        value = image.getexif().get(0x0112, 1)
    except _BROKEN:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, C) turned and mirrored as EXIF's `orientation` asks (Exif 2.3, tag 274)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _pixels(image: Image.Image) -> np.ndarray:
    """A decoded picture as (H, W, 1 or 3); palettes looked up, transparency laid on a mid-grey."""
    if image.mode in _DEEP or image.mode == "F":
        values = np.asarray(image)
        deep = image.mode != "F" and values.min() >= 0 and values.max() <= 65535
        return array_pixels(values.astype(np.uint16 if deep else np.float32), first=False)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("L", "1", "LA", "La")
        image = image.convert("RGBA")
        backdrop = Image.new("RGBA", image.size, (_BACKDROP, _BACKDROP, _BACKDROP, 255))
        image = Image.alpha_composite(backdrop, image).convert("L" if grey else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    return np.ascontiguousarray(np.asarray(image).reshape(image.height, image.width, -1))

"""Pictures of any size and format -> arrays (C, H, W) of one size, chosen from training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

import numpy as np

from layerwise.data.source import Column, File
from layerwise.errors import Rejected, UsageError, listed, shown, suggest
from layerwise.kinds.base import ONLY, Read, Reader, only, readable
from layerwise.kinds.image import choose
from layerwise.kinds.image.decode import array_pixels, decode, look
from layerwise.kinds.image.frame import finished, framed
from layerwise.randomness import Randomness
from layerwise.spec import Spec

__all__ = ["COLOURS", "FRAMINGS", "ImageReader"]

_T = TypeVar("_T")

DRAWN_BYTES = 1 << 28  # of them that are held at once, in colour and float32
DRAW = 2_000  # training pictures that are looked at to choose size, colour and scale
COLOURS = ("grey", "colour", "as given")
FRAMINGS = ("crop", "letterbox", "stretch")


@dataclass(frozen=True)
class _Chosen:
    """All that reading needs."""

    size: tuple[int, int]  # (height, width)
    colour: str
    framing: str
    depth: str  # dtype of what is handed on
    channels: int
    first: bool  # arrays come as (C, H, W)
    centre: tuple[float, ...]
    spread: tuple[float, ...]


class ImageReader(Reader):
    """Reads pictures from files or arrays as (C, H, W): uint8 where the training pictures have 8 bits.

    `size`     [height, width] in pixels, or one number for a square
    `colour`   "grey", "colour", or "as given" for arrays of other numbers of channels
    `framing`  how another shape is fitted into that size: "crop" its middle, "letterbox" the whole of it with
               its border colour around, or "stretch" it
    """

    def __init__(
        self,
        *,
        size: int | Sequence[int] | None = None,
        colour: str | None = None,
        framing: str | None = None,
    ) -> None:
        self._size = None if size is None else _checked_size(size)
        self._colour = _one_of("colour", colour, COLOURS)
        self._framing = _one_of("framing", framing, FRAMINGS)
        self._chosen: _Chosen | None = None
        self._why: dict[str, str] = {}

    def fit(self, columns: Mapping[str, Column], rows: np.ndarray) -> Self:
        """See `Reader.fit`. Looks at a fair draw of at most 2,000 of the rows."""
        column = only(columns, plural="pictures")
        draw = np.sort(Randomness(0).at("image reader").numpy("draw").permutation(np.sort(rows))[:DRAW])
        raw = column.take(draw)
        first = column.holds == "arrays" and choose.channels_first(raw)
        looks = readable(raw, lambda one: _look(one, first), plural="pictures")
        sizes = np.array([(height, width) for height, width, _ in looks])
        depth = max((depth for *_, depth in looks), key=("uint8", "uint16", "float32").index)
        size = self._size or self._note("size", *choose.size(sizes, len(rows)))
        framing = self._framing or self._note("framing", *choose.framing(sizes, size))
        held = max(16, DRAWN_BYTES // (12 * size[0] * size[1]))
        raw = raw[:: -(-len(raw) // held)]
        pictures = list(
            readable(raw, lambda one: framed(_pixels(one, size, first)[0], size, framing), plural="pictures")
        )
        colour = self._colour or self._note("colour", *choose.colour(pictures))
        channels = {"grey": 1, "colour": 3}.get(colour, max(p.shape[2] for p in pictures))
        ready = readable(pictures, lambda pixels: finished(pixels, channels, depth), plural="pictures")
        centre, spread = choose.scale(np.stack(list(ready)))
        self._chosen = _Chosen(size, colour, framing, depth, channels, first, centre, spread)
        return self

    @property
    def spec(self) -> Spec:
        """(channel, height, width); `centre` and `spread` are one a channel."""
        c = self._fitted
        names = {"grey": ("grey",), "colour": ("red", "green", "blue")}.get(c.colour, ())
        return Spec(
            ("channel", "height", "width"),
            (c.channels, *c.size),
            c.depth,
            names=names,
            centre=c.centre,
            spread=c.spread,
        )

    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Read:
        """See `Reader.read`. Facts: width and height as stored and upright, bytes, mode."""
        (raw,) = chunk.values()
        c = self._fitted
        kept: list[int] = []
        values: list[np.ndarray] = []
        facts: list[tuple[int, int, int, str]] = []
        rejected: dict[int, str] = {}
        for position, one in enumerate(raw):
            try:
                pixels, fact = _pixels(one, c.size, c.first)
                values.append(finished(framed(pixels, c.size, c.framing), c.channels, c.depth))
            except Rejected as reason:
                rejected[position] = str(reason)
                continue
            kept.append(position)
            facts.append(fact)
        spec = self.spec
        stacked = np.stack(values) if values else np.zeros((0, *(s or 0 for s in spec.shape)), spec.dtype)
        width, height, size, mode = zip(*facts, strict=True) if facts else ((), (), (), ())
        columns = {"width": np.array(width, np.int64), "height": np.array(height, np.int64)}
        columns |= {"bytes": np.array(size, np.int64), "mode": np.array(mode, "U8")}
        return Read({ONLY: stacked}, np.array(kept, np.int64), rejected, columns)

    def choices(self) -> tuple[dict[str, Any], dict[str, str]]:
        """`size`, `colour` and `framing` with the reason for each."""
        c = self._fitted
        return {"size": list(c.size), "colour": c.colour, "framing": c.framing}, dict(self._why)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All JSON, no arrays."""
        return {**asdict(self._fitted), "why": dict(self._why)}, {}

    @classmethod
    def restore(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """See `Reader.restore`. Raises KeyError, TypeError or ValueError on anything else."""
        if arrays:
            raise ValueError(f"an image reader keeps no arrays, got {listed(arrays)}")
        reader = cls(size=plain["size"], colour=plain["colour"], framing=plain["framing"])
        reader._why = dict(plain["why"])
        reader._chosen = _Chosen(
            _checked_size(plain["size"]),
            plain["colour"],
            plain["framing"],
            plain["depth"],
            int(plain["channels"]),
            bool(plain["first"]),
            tuple(map(float, plain["centre"])),
            tuple(map(float, plain["spread"])),
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


def _pixels(one: Any, size: tuple[int, int], first: bool) -> tuple[np.ndarray, tuple[int, int, int, str]]:
    """One raw picture as pixels (H, W, C), coarse where far larger than `size`, and its facts."""
    if one is None:
        raise Rejected("an empty cell")
    if isinstance(one, File):
        pixels, header = decode(one, size)
        return pixels, (header.width, header.height, header.bytes, header.mode)
    array = np.asarray(one)
    pixels = array_pixels(array, first=first)
    return pixels, (pixels.shape[1], pixels.shape[0], array.nbytes, str(array.dtype))


def _look(one: Any, first: bool) -> tuple[int, int, str]:
    """Height, width and depth (a dtype) of one raw picture; of a file by its header alone."""
    if isinstance(one, File):
        header = look(one)
        return header.height, header.width, header.depth
    pixels, _ = _pixels(one, (1, 1), first)
    return pixels.shape[0], pixels.shape[1], str(pixels.dtype)


def _checked_size(size: int | Sequence[int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(s, int) and 1 <= s <= 1024 for s in sides):
        raise UsageError(f"reading.size is [height, width] of 1 to 1024 pixels each, got {shown(size)}")
    return sides[0], sides[1]


def _one_of(name: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise UsageError(
            f"reading.{name} is one of {', '.join(known)}, got {shown(value)}{suggest(str(value), known)}"
        )
    return value

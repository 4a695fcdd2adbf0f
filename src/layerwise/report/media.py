"""Galleries: pictures, sounds, text and small charts side by side, all inside the page."""

from __future__ import annotations

from base64 import b64encode
from itertools import groupby
from typing import Any, NamedTuple

from layerwise.findings import Curves, Gallery, Image, Rows, Snippet, Sound, Tile
from layerwise.report.charts import plot
from layerwise.report.tables import table

__all__ = ["GalleryView", "Strip", "TileView", "gallery"]

MOST_STRIPS = 12  # shown before the rest is folded away
MOST_TILES = 36


class Piece(NamedTuple):
    """Part of a text, set off or not."""

    text: str
    marked: bool


class TileView(NamedTuple):
    """One tile; `media` is what its `kind` asks for."""

    kind: str  # "image", "sound", "text", "plot", "table"
    media: Any
    caption: str
    title: str


class Picture(NamedTuple):
    """A PNG as an address; enlarged without smoothing where it is small."""

    address: str
    words: str
    width: int
    height: int
    coarse: bool


class Strip(NamedTuple):
    """Tiles under one title, in a row."""

    title: str
    tiles: tuple[TileView, ...]


class GalleryView(NamedTuple):
    """Strips of tiles; `size` names the width of a tile."""

    kind: str  # "gallery"
    strips: tuple[Strip, ...]
    more: tuple[Strip, ...]
    rest: int
    size: str
    words: str
    titled: bool


def gallery(picture: Gallery) -> GalleryView:
    """Tiles in a grid; tiles in a row that share a title become a strip under it."""
    runs = [
        Strip(title, tuple(_tile(t) for t in tiles))
        for title, tiles in groupby(picture.tiles, key=lambda t: t.title)
    ]
    titled = any(strip.title and len(strip.tiles) > 1 for strip in runs)
    size = max((_size(t) for t in picture.tiles), key=_SIZES.index, default="s")
    if titled:
        shown, more = tuple(runs[:MOST_STRIPS]), tuple(runs[MOST_STRIPS:])
    else:
        tiles = tuple(tile for strip in runs for tile in strip.tiles)
        shown = (Strip("", tiles[:MOST_TILES]),)
        more = (Strip("", tiles[MOST_TILES:]),) if tiles[MOST_TILES:] else ()
    rest = sum(len(strip.tiles) for strip in more)
    return GalleryView("gallery", shown, more, rest, size, picture.words, titled)


_SIZES = ("s", "m", "l", "xl")


def _size(tile: Tile) -> str:
    if isinstance(tile.media, Image):
        width, height = _dimensions(tile.media.png)
        small = max(width, height) <= 40 and len(tile.caption) <= 7
        return "s" if small else "m" if max(width, height) <= 100 else "l"
    return {Curves: "m", Rows: "l", Sound: "xl", Snippet: "xl"}[type(tile.media)]


def _tile(tile: Tile) -> TileView:
    media = tile.media
    match media:
        case Image():
            return TileView("image", _png(media.png, media.words), tile.caption, tile.title)
        case Sound():
            audio = "data:audio/mpeg;base64," + b64encode(media.mp3).decode()
            parts = (_png(media.png, media.words), audio, media.words)
            return TileView("sound", parts, tile.caption, tile.title)
        case Snippet():
            return TileView("text", _pieces(media), tile.caption, tile.title)
        case Curves():
            return TileView("plot", plot(media), tile.caption, tile.title)
        case Rows():
            small = table(media.header, media.rows, words=media.words)
            return TileView("table", small, tile.caption, tile.title)


def _png(png: bytes, words: str) -> Picture:
    width, height = _dimensions(png)
    address = "data:image/png;base64," + b64encode(png).decode()
    return Picture(address, words, width, height, max(width, height) <= 128)


def _dimensions(png: bytes) -> tuple[int, int]:
    """Width and height from the header of a PNG (PNG specification, 11.2.2)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _pieces(snippet: Snippet) -> tuple[Piece, ...]:
    """The text cut at its marks; overlapping marks become one."""
    pieces, done = [], 0
    for start, end in sorted(snippet.marks):
        start, end = max(start, done), min(end, len(snippet.text))
        if start >= end:
            continue
        if done < start:
            pieces.append(Piece(snippet.text[done:start], False))
        pieces.append(Piece(snippet.text[start:end], True))
        done = end
    if done < len(snippet.text):
        pieces.append(Piece(snippet.text[done:], False))
    return tuple(pieces)

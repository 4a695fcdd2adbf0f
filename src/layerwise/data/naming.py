"""File names taken apart by a template, and tables that name the files they lie beside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from layerwise.data.source import File, plain
from layerwise.errors import DataError, UsageError, shown

__all__ = ["Matched", "keys_of", "match_files", "name_pieces", "stem"]

ENOUGH = 0.5  # share of the cells of a column that must name files, and of files that must be named


class Matched(NamedTuple):
    """The column of a table that names files."""

    column: str
    places: list[int | None]  # which file each row names


def name_pieces(files: Sequence[File], template: str) -> tuple[dict[str, list[str]], list[int]]:
    """What a template finds in each file name, as columns, and the places of the files that it fits not.

    A template with a slash is held against the path, else against the name, both without extension.
    Raises UsageError for a template without pieces and DataError where it fits no file.
    """
    names = re.findall(r"\{([^{}]*)\}", template)
    if not names or len(set(names)) < len(names) or not all(n.isidentifier() for n in names):
        raise UsageError(
            f"--name needs pieces in braces, each of another name, got {shown(template)}:"
            " write it like '{digit}_{speaker}_{take}'"
        )
    texts = re.split(r"\{[^{}]*\}", template)
    found = [_pieces(plain(stem(f.name, whole="/" in template)), texts) for f in files]
    missed = [i for i, match in enumerate(found) if match is None]
    if len(missed) == len(files):
        example = stem(files[0].name, whole="/" in template)
        raise DataError(
            f"--name {shown(template)} fits none of the {len(files):,} file names, for example"
            f" {shown(example)}: names are held against it without their extension"
            + (", and paths from the folder that was given on" if "/" in template else "")
        )
    rows = [pieces for pieces in found if pieces is not None]
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}, missed


def _pieces(name: str, texts: Sequence[str]) -> list[str] | None:
    """What stands between those texts in a name, each piece as short as can be but not empty; None if they
    do not fit. Taken from left to right, which finds a fit if there is one, in time linear in the name."""
    end = len(name) - len(texts[-1])
    if not name.startswith(texts[0]) or not name.endswith(texts[-1]):
        return None
    pieces: list[str] = []
    start = len(texts[0])
    for text in texts[1:-1]:
        at = name.find(text, start + 1, end)
        if at < 0:
            return None
        pieces.append(name[start:at])
        start = at + len(text)
    return [*pieces, name[start:end]] if start < end else None


def stem(name: str, *, whole: bool = False) -> str:
    """The name of a file without folders and extension; `whole`: with its folders."""
    folder, _, last = name.rpartition("/")
    bare = last.rpartition(".")[0] or last
    return f"{folder}/{bare}" if whole and folder else bare


def keys_of(files: Sequence[File]) -> Mapping[str, int]:
    """Every way to name exactly one of these files: whole path, the end of it, without extension."""
    places: dict[str, int] = {}
    twice: set[str] = set()
    for place, file in enumerate(files):
        parts = plain(file.name).split("/")
        ends = {"/".join(parts[i:]) for i in range(len(parts))}
        for key in ends | {stem(e, whole=True) for e in ends}:
            if places.setdefault(key, place) != place:
                twice.add(key)
    return {key: place for key, place in places.items() if key not in twice}


def match_files(frame: pl.DataFrame, files: Sequence[File]) -> Matched | None:
    """The column whose cells name these files best, or None.

    Numbers name files only where every one of them does, and no file twice.
    """
    keys = keys_of(files)
    best: tuple[float, Matched] | None = None
    for cells in frame:
        if cells.dtype != pl.String and not cells.dtype.is_integer():
            continue
        texts = cells.cast(pl.String).to_list()
        places = [None if t is None else _place(t, keys) for t in texts]
        known = [p for p in places if p is not None]
        share = len(known) / max(1, len(texts) - texts.count(None))
        named = len(set(known)) / len(files)
        if cells.dtype.is_integer() and (share < 1 or len(set(known)) < len(known)):
            continue
        if share >= ENOUGH and named >= ENOUGH and (best is None or share + named > best[0]):
            best = share + named, Matched(cells.name, places)
    return None if best is None else best[1]


def _place(cell: str, keys: Mapping[str, int]) -> int | None:
    """The file that a cell names, by the longest end of its path that names one."""
    parts = cell.strip().replace("\\", "/").removeprefix("./").split("/")
    ends = ("/".join(parts[i:]) for i in range(len(parts)))
    return next((keys[e] for e in ends if e in keys), None)

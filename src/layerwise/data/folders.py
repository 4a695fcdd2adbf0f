"""Many files as a table: which are examples, which folders are classes, which are parts of a split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import polars as pl

from layerwise.data.families import FAMILIES, family
from layerwise.data.groups import found_in_names
from layerwise.data.listing import Listing
from layerwise.data.source import PARTS, Column, File, LeftOut, Source, plain
from layerwise.errors import DataError, UsageError, listed, shown

__all__ = ["folder_source", "name_pieces"]


def folder_source(listing: Listing, *, template: str | None = None) -> Source:
    """Files in folders as rows: column `file`, `class` where there are class folders, and the pieces of
    the file names where a template such as `{digit}_{speaker}_{take}` is given.

    Only the commonest family of files are examples. Folders called train, val, test (and the like) are
    parts. The class is the outermost folder that tells files apart; what lies below it is in `folder 2`
    and so on. Raises DataError where there is no file.
    """
    notes: list[str] = []
    files, left_out = _examples(listing)
    paths = [f.name.split("/")[:-1] for f in files]
    inner, parts = _parts(paths)
    if parts is not None:
        stray = [i for i, part in enumerate(parts) if not part]
        left_out += [LeftOut(files[i].name, "lies in none of the folders of the split") for i in stray]
        files, inner, parts = _without(files, stray), _without(inner, stray), _without(parts, stray)
    levels, depth = _levels(inner)
    if levels and not template:
        stray = [i for i, path in enumerate(inner) if len(path) <= depth]
        left_out += [LeftOut(files[i].name, "lies in no class folder") for i in stray]
        files, parts = _without(files, stray), None if parts is None else _without(parts, stray)
        levels = {name: _without(cells, stray) for name, cells in levels.items()}
    pieces, missed = name_pieces(files, template)
    left_out += [LeftOut(files[i].name, f"its name does not fit {template}") for i in missed]
    files, parts = _without(files, missed), None if parts is None else _without(parts, missed)
    cells = {name: _without(values, missed) for name, values in levels.items()} | pieces
    if deeper := [name for name in levels if name != "class"]:
        notes.append(
            "The outermost folders are taken for the classes;"
            f" deeper ones are in {listed(deeper)} (--target)."
        )
    group = None
    if "class" in cells and not template:
        stems = [plain(_stem(f.name, whole=False)) for f in files]
        group = found_in_names(stems, cells["class"], sounds=family(files[0]) == "sounds") if files else None
        cells |= {group.name: group.groups} if group else {}
    columns = {"file": Column("file", "files", files)}
    columns |= {name: Column(name, "cells", pl.Series(name, v, pl.String)) for name, v in cells.items()}
    return Source(
        listing.title,
        columns,
        [f.name for f in files],
        parts=None if parts is None else np.array(parts),
        target="class" if "class" in columns and not template else None,
        group=group.name if group else None,
        pieces=tuple(pieces),
        path=listing.path,
        left_out=tuple(left_out),
        notes=tuple(notes),
        bytes=sum(f.length() or 0 for f in files),
        inputs=("file",),
        spool=listing.spool,
    )


def name_pieces(files: Sequence[File], template: str | None) -> tuple[dict[str, list[str]], list[int]]:
    """What a template finds in each file name, as columns, and the places of the files that it fits not.

    A template with a slash is held against the path, else against the name, both without extension.
    Raises UsageError for a template without pieces and DataError where it fits no file.
    """
    if template is None:
        return {}, []
    names = re.findall(r"\{([^{}]*)\}", template)
    if not names or len(set(names)) < len(names) or not all(n.isidentifier() for n in names):
        raise UsageError(
            f"--name needs pieces in braces, each of another name, got {shown(template)}:"
            " write it like '{digit}_{speaker}_{take}'"
        )
    texts = re.split(r"\{[^{}]*\}", template)
    pattern = re.compile("(.+?)".join(re.escape(t) for t in texts), re.DOTALL)
    found = [pattern.fullmatch(plain(_stem(f.name, whole="/" in template))) for f in files]
    missed = [i for i, match in enumerate(found) if match is None]
    if len(missed) == len(files):
        example = _stem(files[0].name, whole="/" in template)
        raise DataError(
            f"--name {shown(template)} fits none of the {len(files):,} file names,"
            f" for example {shown(example)}"
        )
    rows = [match.groups() for match in found if match is not None]
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}, missed


def _stem(name: str, whole: bool) -> str:
    folder, _, last = name.rpartition("/")
    stem = last.rpartition(".")[0] or last
    return f"{folder}/{stem}" if whole and folder else stem


T = TypeVar("T")


def _without(values: Sequence[T], places: Sequence[int]) -> list[T]:
    gone = set(places)
    return [v for i, v in enumerate(values) if i not in gone]


def _examples(listing: Listing) -> tuple[list[File], list[LeftOut]]:
    """The files of the commonest family; the others are left out, each with a reason."""
    counts = Counter(family(f) for f in listing.files)
    left_out = list(listing.left_out)
    if not counts:
        raise DataError(
            f"no file to read in {shown(listing.path)}"
            + (
                f" ({len(left_out)} left out, the first: {left_out[0].path}: {left_out[0].reason})"
                if left_out
                else ""
            )
            + ": give a folder of class folders, an archive of one, or a table"
        )
    media = [name for name in ("images", "sounds") if counts[name]]
    chosen = max(media or list(counts), key=lambda name: counts[name])
    files = [f for f in listing.files if family(f) == chosen]
    what = chosen if chosen in FAMILIES else f"{chosen or 'other'} files"
    for file in listing.files:
        if family(file) != chosen:
            left_out.append(
                LeftOut(
                    file.name,
                    f"not one of the {len(files):,} {what}, but {file.suffix or 'without extension'}",
                )
            )
    return files, left_out


def _parts(paths: Sequence[Sequence[str]]) -> tuple[list[list[str]], list[str] | None]:
    """Paths without the folder that names the part, and the parts ("" where there is none)."""
    for depth in range(max((len(p) for p in paths), default=0)):
        names = {p[depth] for p in paths if len(p) > depth}
        parts = {PARTS[n.lower()] for n in names if n.lower() in PARTS}
        if len(parts) > 1 and "train" in parts:
            found = [PARTS.get(p[depth].lower(), "") if len(p) > depth else "" for p in paths]
            return [[*p[:depth], *p[depth + 1 :]] for p in paths], found
        if len(names) > 1:
            is_class_level = not parts
            deeper = [p for p in paths if len(p) > depth + 1 and p[depth + 1].lower() in PARTS]
            if not is_class_level or not deeper:
                break
    return [list(p) for p in paths], None


def _levels(paths: Sequence[Sequence[str]]) -> tuple[dict[str, list[str]], int]:
    """Folder names as columns from the outermost level that tells files apart, and its depth.

    Where no level does, the innermost folder is the one class; files that lie in none have no class.
    """
    deepest = max((len(p) for p in paths), default=0)
    telling = [d for d in range(deepest) if len({p[d] for p in paths if len(p) > d}) > 1]
    first = telling[0] if telling else min((len(p) for p in paths), default=0) - 1
    if first < 0:
        return {}, 0
    levels = {}
    for number, depth in enumerate(d for d in range(first, deepest) if d == first or d in telling):
        name = "class" if number == 0 else f"folder {number + 1}"
        levels[name] = [plain(p[depth]) if len(p) > depth else "" for p in paths]
    return levels, first

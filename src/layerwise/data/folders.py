"""Many files as a table: which are examples, which folders are classes, which are parts of a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from layerwise.data.families import FAMILIES, family
from layerwise.data.frames import Table, is_table, read_table
from layerwise.data.groups import found_in_names, named_group
from layerwise.data.listing import Listing
from layerwise.data.naming import Matched, match_files, name_pieces, stem
from layerwise.data.source import PARTS, Column, File, LeftOut, Source, plain
from layerwise.errors import DataError, listed, shown

__all__ = ["folder_source"]

MOST_TABLES = 8  # beside the files that are tried for naming them


def folder_source(listing: Listing, *, template: str | None = None) -> Source:
    """Files in folders as rows: column `file`, `class` where there are class folders, and the pieces of
    the file names where a template such as `{digit}_{speaker}_{take}` is given.

    Only the commonest family of files are examples. Folders called train, val, test (and the like) are
    parts. The class is the outermost folder that tells files apart; what lies below it is in `folder 2`
    and so on. A table that lies beside the files and names them lends its columns; without class
    folders its rows are the examples. Raises DataError where there is no file.
    """
    found = _examples(listing)
    paths = found.parted([f.name.split("/")[:-1] for f in found.files])
    levels, depth = _levels(paths)
    classes = len(set(levels.get("class", ()))) > 1
    if template is not None:
        pieces, missed = name_pieces(found.files, template)
        found.cells |= {name: cells for name, cells in levels.items() if classes}
        found.drop(missed, f"its name does not fit {template}")
        found.cells |= pieces
        found.pieces = tuple(pieces)
    elif classes:
        found.cells |= levels
        found.drop([i for i, p in enumerate(paths) if len(p) <= depth], "lies in no class folder")
    if deeper := [name for name in found.cells if name.startswith("folder ")]:
        found.notes.append(
            f"The outermost folders are taken for the classes; deeper ones are in {listed(deeper)}"
            " (--target)."
        )
    if (joined := _joined(listing, found, whole=not classes and template is None)) is not None:
        return joined
    if template is None and not classes:
        found.cells |= levels
    group = _group(found) if template is None and classes else None
    return found.source(listing, group)


@dataclass
class _Found:
    """Examples on their way to a Source; everything in step with `files`."""

    files: list[File]
    left_out: list[LeftOut]
    cells: dict[str, list[str]] = field(default_factory=dict)
    joined: dict[str, pl.Series] = field(default_factory=dict)
    parts: list[str] | None = None
    pieces: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def drop(self, places: Sequence[int], reason: str) -> None:
        """Leave out the files at these places."""
        gone = set(places)
        self.left_out += [LeftOut(self.files[i].name, reason) for i in places]
        kept = [i for i in range(len(self.files)) if i not in gone]
        self.files = [self.files[i] for i in kept]
        self.cells = {name: [values[i] for i in kept] for name, values in self.cells.items()}
        self.parts = None if self.parts is None else [self.parts[i] for i in kept]

    def parted(self, paths: list[list[str]]) -> list[list[str]]:
        """Take the folders that name parts out of the paths; files in none of them are left out."""
        inner, self.parts = _parts(paths)
        if self.parts is not None:
            stray = [i for i, part in enumerate(self.parts) if not part]
            inner = [p for p, part in zip(inner, self.parts, strict=True) if part]
            self.drop(stray, "lies in none of the folders of the split")
        return inner

    def source(self, listing: Listing, group: str | None) -> Source:
        """What was found as a Source."""
        columns = {"file": Column("file", "files", self.files)}
        columns |= {n: Column(n, "cells", pl.Series(n, v, pl.String)) for n, v in self.cells.items()}
        columns |= {n: Column(n, "cells", v) for n, v in self.joined.items()}
        return Source(
            listing.title,
            columns,
            [f.name for f in self.files],
            parts=None if self.parts is None else np.array(self.parts),
            target="class" if "class" in self.cells and not self.pieces else None,
            group=group,
            left_out=tuple(self.left_out),
            notes=tuple(self.notes),
            bytes=sum(f.length() or 0 for f in self.files),
            inputs=("file",),
            pieces=self.pieces,
            path=listing.path,
            spools=listing.spools,
        )


def _examples(listing: Listing) -> _Found:
    """The files of the commonest family; the others are left out, each with a reason."""
    counts = Counter(family(f) for f in listing.files)
    left_out = list(listing.left_out)
    if not counts:
        first = (
            f": {len(left_out)} left out, the first {shown(left_out[0].path)}, {left_out[0].reason}"
            if left_out
            else ""
        )
        raise DataError(
            f"{shown(listing.path)} holds no file to read{first}. Give a folder of class folders, an"
            " archive of"
            " one, or a table."
        )
    media = [name for name in ("images", "sounds") if counts[name]]
    chosen = max(media or list(counts), key=lambda name: counts[name])
    files = [f for f in listing.files if family(f) == chosen]
    what = chosen if chosen in FAMILIES else f"{chosen or 'bare'} files"
    left_out += [
        LeftOut(f.name, f"{f.suffix or 'no extension'}, where the other {len(files):,} are {what}")
        for f in listing.files
        if family(f) != chosen
    ]
    return _Found(files, left_out)


def _parts(paths: list[list[str]]) -> tuple[list[list[str]], list[str] | None]:
    """Paths without the folder that names the part, and the parts ("" where there is none).

    Folders are parts where train and another lie side by side, at whatever depth.
    """
    for depth in range(max(map(len, paths), default=0)):
        names = [p[depth].lower() if len(p) > depth else "" for p in paths]
        parts = {PARTS[n] for n in names if n in PARTS}
        if len(parts) > 1 and "train" in parts:
            return [[*p[:depth], *p[depth + 1 :]] for p in paths], [PARTS.get(n, "") for n in names]
    return paths, None


def _levels(paths: list[list[str]]) -> tuple[dict[str, list[str]], int]:
    """Folder names as columns from the outermost level that tells files apart, and its depth.

    Where no level does, the innermost folder of all is the one class.
    """
    deepest = max(map(len, paths), default=0)
    names = [[plain(p[d]) if len(p) > d else "" for p in paths] for d in range(deepest)]
    telling = [d for d in range(deepest) if len({n for n in names[d] if n}) > 1]
    if not telling:
        first = min(map(len, paths), default=0) - 1
        return ({"class": names[first]}, first) if first >= 0 else ({}, 0)
    columns = {"class" if d == telling[0] else f"folder {d - telling[0] + 1}": names[d] for d in telling}
    return columns, telling[0]


def _group(found: _Found) -> str | None:
    """Groups that joined columns, folders below the classes or file names show, as a column of their own."""
    if named_group(list(found.joined)):
        return None  # told by its name like any other
    classes = found.cells["class"]
    sounds = family(found.files[0]) == "sounds"
    below = next((name for name in found.cells if name.startswith("folder ")), None)
    if below is not None:
        return below
    named = found_in_names([plain(stem(f.name)) for f in found.files], classes, sounds=sounds)
    if named is None:
        return None
    found.cells[named.name] = named.groups
    found.notes.append(named.why)
    return named.name


def _joined(listing: Listing, found: _Found, *, whole: bool) -> Source | None:
    """Lend the files the columns of a table that names them, or, if `whole`, make its rows the examples."""
    for file in [f for f in listing.files if is_table(f)][:MOST_TABLES]:
        try:
            table = read_table(file, file.name)
        except DataError as error:
            found.notes.append(str(error))
            continue
        matched = match_files(table.frame, found.files)
        if matched is None:
            continue
        found.left_out = [out for out in found.left_out if out.path != file.name]
        rest = [n for n in table.frame.columns if n != matched.column]
        found.notes += [
            *table.notes,
            f"{shown(file.name)} names the files in {shown(matched.column)}; its columns {listed(rest)}"
            " are known too.",
        ]
        if whole:
            return _rows_of(listing, found, table, matched, file.name)
        row_of = {place: row for row, place in reversed(list(enumerate(matched.places))) if place is not None}
        rows = pl.Series([row_of.get(i) for i in range(len(found.files))], dtype=pl.UInt32)
        found.joined |= {n: table.frame[n].gather(rows) for n in rest if n not in found.cells and n != "file"}
    return None


def _rows_of(listing: Listing, found: _Found, table: Table, matched: Matched, called: str) -> Source:
    """The rows of a table as examples, each with its file."""
    kept = [row for row, place in enumerate(matched.places) if place is not None]
    places = [place for place in matched.places if place is not None]
    unnamed = sorted(set(range(len(found.files))) - set(places))
    found.left_out += [LeftOut(found.files[i].name, f"not named in {called}") for i in unnamed]
    found.left_out += table.left_out + [
        LeftOut(f"{called} row {table.numbers[row]}", "names no file that is here")
        for row, place in enumerate(matched.places)
        if place is None
    ]
    files = [found.files[place] for place in places]
    once = len(set(places)) == len(places)
    columns = {"file": Column("file", "files", files)}
    columns |= {
        c.name: Column(c.name, "cells", c.gather(kept))
        for c in table.frame
        if c.name not in (matched.column, "file")
    }
    return Source(
        listing.title,
        columns,
        [f.name for f in files] if once else [f"row {table.numbers[row]}" for row in kept],
        parts=None if found.parts is None else np.array([found.parts[place] for place in places]),
        left_out=tuple(found.left_out),
        notes=tuple(found.notes),
        bytes=sum(f.length() or 0 for f in found.files),
        inputs=("file",),
        path=listing.path,
        spools=listing.spools,
    )

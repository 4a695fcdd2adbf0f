"""`open_source`: whatever the user names, as a Source."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from layerwise.data.archives import ARCHIVES, inner_name
from layerwise.data.arrays import idx_source, is_idx, npz_source
from layerwise.data.builtin import BUILTIN, open_builtin
from layerwise.data.combine import appended
from layerwise.data.folders import folder_source
from layerwise.data.frames import in_listing, is_table, on_disk, table_source
from layerwise.data.listing import Listing, bytewise, list_archive, list_folder, title, unfit
from layerwise.data.memory import memory_source
from layerwise.data.source import File, LeftOut, Source
from layerwise.data.spool import Spool
from layerwise.data.ts import is_ts, set_name, ts_source
from layerwise.errors import DataError, listed, shown, suggest

__all__ = ["open_source"]


def open_source(
    what: Any,
    y: Any = None,
    *,
    groups: Any = None,
    name_template: str | None = None,
    test: Any = None,
    spool: Path | None = None,
) -> Source:
    """Open a path, the name of a built-in data set, or objects in memory.

    Paths are folders, archives (and folders inside one: `sets.zip/GunPoint`), tables, .npz, .ts and
    IDX files; what exists on disk beats a built-in name. Objects are arrays (N, ...), lists of arrays,
    texts or paths, DataFrames of any library, or a mapping of arrays by name; `y` and `groups` go with
    them, or a pair (X, y). `test`: another of the same, whose rows are held out. `spool`: folder for what has to be
    unpacked (the system's own for temporary files if None).

    Raises DataError for what is not there or cannot be used, and UsageError for objects that do not fit.
    """
    if y is None and isinstance(what, tuple) and len(what) == 2:
        what, y = what
    source = _open(what, y, groups, name_template, spool)
    if name_template is not None and not source.pieces:
        raise DataError(
            f"--name makes columns of the names of files, and {shown(source.name)} holds none that it names:"
            f" its columns are {listed(source.columns)}; leave --name out"
        )
    return source if test is None else appended(source, _open(test, None, None, name_template, spool))


def _open(what: Any, y: Any, groups: Any, template: str | None, parent: Path | None) -> Source:
    if isinstance(what, Source):
        return what
    if isinstance(what, str | os.PathLike):
        return _open_name(os.fspath(what), template, parent)
    return memory_source(what, y, groups)


def _open_name(path: str, template: str | None, parent: Path | None) -> Source:
    if os.path.exists(path):
        return _open_path(path, template, parent)
    if path in BUILTIN:
        return open_builtin(path)
    if inner := _inside_archive(path):
        archive, folder = inner
        spool = Spool(parent, archive, os.path.getsize(archive))
        listing = list_archive(Path(archive), spool).below(folder)
        if listing.files:
            return _open_listing(listing, template, parent)
    raise DataError(
        f"there is no file or folder {shown(path)}{suggest(path, [*BUILTIN, *_beside(path)]) or '.'}"
        f" Built-in data sets: {listed(BUILTIN)}"
    )


def _open_path(path: str, template: str | None, parent: Path | None) -> Source:
    where = Path(path)
    if where.is_dir():
        return _open_listing(list_folder(where), template, parent)
    if not where.is_file():
        raise DataError(f"{shown(path)} is no file, but a pipe, socket or device")
    size = where.stat().st_size
    if path.lower().endswith(ARCHIVES):
        return _open_listing(list_archive(where, Spool(parent, path, size)), template, parent)
    file = File(where.name, where)
    if inner_name(path).lower().endswith(".npz"):
        return npz_source(file, title(path), Spool(parent, path, size), path=path)
    if is_idx(file):
        return idx_source(_siblings(where, is_idx), Spool(parent, path, size))
    if is_ts(file):
        return ts_source(_siblings(where, lambda f: is_ts(f) and set_name(f) == set_name(file)))
    return table_source([file], title(path), path=path, find=on_disk(where.parent))


def _open_listing(listing: Listing, template: str | None, parent: Path | None) -> Source:
    """A folder or an archive, by what lies in it."""
    files = listing.files
    if files and template is None:
        if all(map(is_idx, files)):
            return idx_source(listing, _spool(listing, parent))
        if all(map(is_ts, files)):
            return ts_source(listing)
        if len(files) == 1 and files[0].suffix == ".npz":
            return npz_source(files[0], listing.title, _spool(listing, parent), path=listing.path)
        if all(map(is_table, files)):
            find = in_listing(files) if listing.root is None else on_disk(listing.root)
            return table_source(files, listing.title, path=listing.path, find=find, spools=listing.spools)
    return folder_source(listing, template=template)


def _spool(listing: Listing, parent: Path | None) -> Spool:
    """The spool of an archive, or a new one for what lies packed in a folder."""
    size = sum(f.length() or 0 for f in listing.files)
    return listing.spools[0] if listing.spools else Spool(parent, listing.path, size)


def _siblings(file: Path, alike: Callable[[File], bool]) -> Listing:
    """The files beside one that belong to it, as a listing called like it; links that lead out are left out."""
    home = os.path.realpath(file.parent)
    with os.scandir(file.parent) as entries:
        near = {File(e.name, Path(e.path)): unfit(e, home) for e in entries if e.is_file()}
    reasons = {one: why for one, why in near.items() if alike(one)}
    files = [one for one, why in reasons.items() if why is None or one.name == file.name]
    left_out = [
        LeftOut(one.name, why) for one, why in reasons.items() if why is not None and one not in files
    ]
    return Listing(str(file), sorted(files, key=bytewise), left_out)


def _inside_archive(path: str) -> tuple[str, str] | None:
    """`sets.zip` and `GunPoint` for sets.zip/GunPoint."""
    for parent in Path(path).parents:
        if parent.is_file() and parent.name.lower().endswith(ARCHIVES):
            return str(parent), os.path.relpath(path, parent)
    return None


def _beside(path: str) -> list[str]:
    folder = os.path.dirname(path)
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder or ".")]
    except OSError:
        return []

"""`open_source`: whatever the user names, as a Source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from layerwise.data.archives import ARCHIVES, inner_name
from layerwise.data.arrays import idx_source, is_idx, npz_source
from layerwise.data.builtin import BUILTIN, open_builtin
from layerwise.data.folders import folder_source
from layerwise.data.frames import on_disk, table_source
from layerwise.data.listing import Listing, list_archive, list_folder, title
from layerwise.data.source import File, Source
from layerwise.data.spool import Spool
from layerwise.errors import DataError, listed, shown, suggest

__all__ = ["open_source"]


def open_source(
    what: str | os.PathLike[str] | Any,
    *,
    name_template: str | None = None,
    spool: Path | None = None,
) -> Source:
    """Open a folder, an archive, a file or a built-in data set.

    `spool`: folder for what has to be unpacked (the system's own for temporary files if None).
    Raises DataError if there is nothing of that name or it cannot be used.
    """
    path = os.fspath(what)
    if os.path.exists(path):
        return _open_path(path, name_template, spool)
    if path in BUILTIN:
        return open_builtin(path)
    known = [*BUILTIN, *_beside(path)]
    raise DataError(
        f"there is no file or folder {shown(path)}{suggest(path, known)}; built in are {listed(BUILTIN)}"
    )


def _open_path(path: str, template: str | None, parent: Path | None) -> Source:
    where = Path(path)
    if where.is_dir():
        return _open_listing(list_folder(where), template, parent)
    spool = Spool(parent, path, where.stat().st_size)
    if path.lower().endswith(ARCHIVES):
        return _open_listing(list_archive(where, spool), template, parent)
    file = File(where.name, where)
    name = inner_name(path).lower()
    if name.endswith(".npz"):
        return npz_source(file, title(path), spool)
    if is_idx(file):
        beside = list_folder(where.parent)
        files = [f for f in beside.files if "/" not in f.name and is_idx(f)]
        return idx_source(Listing(path, files, []), spool)
    return table_source(file, title(path), path=path, find=on_disk(where.parent))


def _open_listing(listing: Listing, template: str | None, parent: Path | None) -> Source:
    """A folder or an archive, by what lies in it."""
    files = listing.files
    if files and all(is_idx(f) for f in files):
        size = sum(f.length() or 0 for f in files)
        return idx_source(listing, listing.spool or Spool(parent, listing.path, size))
    if len(files) == 1 and files[0].suffix == ".npz":
        size = files[0].length() or 0
        return npz_source(files[0], listing.title, listing.spool or Spool(parent, listing.path, size))
    return folder_source(listing, template=template)


def _beside(path: str) -> list[str]:
    folder = os.path.dirname(path)
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder or ".")]
    except OSError:
        return []

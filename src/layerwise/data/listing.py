"""The files below a folder or in an archive, wherever they come from, in one fixed order."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from layerwise.data.archives import ARCHIVES, PACKED, unpack
from layerwise.data.source import File, LeftOut
from layerwise.data.spool import Spool, refused

__all__ = ["Listing", "bytewise", "list_archive", "list_folder", "title", "unfit"]

JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN")


class Listing(NamedTuple):
    """Files that belong together, in bytewise order of their names."""

    path: str  # as the user gave it
    files: list[File]
    left_out: list[LeftOut]
    root: Path | None = None  # of a folder on disk
    spools: tuple[Spool, ...] = ()  # of an archive

    @property
    def title(self) -> str:
        """What these data are called: `clips` for clips/ and for clips.tar.gz."""
        return title(self.path)

    def below(self, folder: str) -> Listing:
        """Only what lies in that folder, with names that begin there."""
        head = folder.rstrip("/") + "/"
        files = [replace(f, name=f.name.removeprefix(head)) for f in self.files if f.name.startswith(head)]
        return self._replace(path=f"{self.path}/{folder}", files=files)


def list_folder(folder: Path) -> Listing:
    """Every file below `folder`. Links to files inside it count; links that lead out, to folders or
    nowhere, pipes and devices, and empty files are left out with a reason. Raises MachineError where
    the folder itself cannot be read."""
    root = os.path.realpath(folder)
    files: list[File] = []
    left_out: list[LeftOut] = []
    pending = [""]
    while pending:
        here = pending.pop()
        try:
            with os.scandir(os.path.join(root, here)) as entries:
                found = list(entries)
        except OSError as error:
            if not here:
                raise refused(error, folder) from error
            left_out.append(LeftOut(here, f"cannot be read: {error.strerror}"))
            continue
        for entry in found:
            name = f"{here}/{entry.name}" if here else entry.name
            if _ignored(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(name)
            elif reason := unfit(entry, root):
                left_out.append(LeftOut(name, reason))
            else:
                files.append(File(name, Path(entry.path)))
    return Listing(
        str(folder),
        sorted(files, key=bytewise),
        sorted(left_out, key=lambda e: os.fsencode(e.path)),
        root=Path(root),
    )


def list_archive(path: Path, spool: Spool) -> Listing:
    """Every file of an archive, unpacked into `spool`; hidden and empty ones aside."""
    files, left_out = unpack(path, spool)
    seen = [f for f in files if not any(_ignored(part) for part in f.name.split("/"))]
    left_out += [LeftOut(f.name, "empty") for f in seen if not f.size]
    return Listing(str(path), sorted((f for f in seen if f.size), key=bytewise), left_out, spools=(spool,))


def bytewise(file: File) -> bytes:
    """What files are sorted by: the bytes of their names, the same on every machine."""
    return file.name.encode("utf-8", "surrogateescape")


def title(path: str) -> str:
    """A name for what lies at `path`: its last part without extensions of archives and files."""
    name = os.path.basename(os.path.abspath(path))
    for suffix in (*ARCHIVES, *PACKED):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and suffix.isalnum() and len(suffix) <= 8 else name


def _ignored(name: str) -> bool:
    return name.startswith(".") or name in JUNK


def unfit(entry: os.DirEntry[str], root: str) -> str | None:
    """Why this is no file to read; None if it is one."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if not target.startswith(root.rstrip("/") + "/") and target != root:
            return "a link that leads out of the folder"
        if os.path.isdir(target):
            return "a link to a folder, which is read where it lies"
        if not os.path.exists(target):
            return "a link that leads nowhere"
    try:
        if not entry.is_file():
            return "no file, but a pipe, socket or device"
        return "empty" if entry.stat().st_size == 0 else None
    except OSError as error:
        return f"cannot be read: {error.strerror}"

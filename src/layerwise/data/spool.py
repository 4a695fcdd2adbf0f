"""One flat private file for everything that has to be unpacked, with limits against bombs."""

from __future__ import annotations

import errno
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from layerwise.errors import DataError, LayerwiseError, MachineError, shown

__all__ = ["PIECE", "Spool", "fair", "pieces_of", "refused"]

PIECE = 1 << 20  # bytes read at once
MOST_UNPACKED = 64 << 30
MOST_RATIO = 200  # unpacked to packed, looked at only once there is more than FREE of it
FREE = 1 << 30
FREE_ROWS, ROWS_A_BYTE = 1 << 20, 2  # of a file as it lies on disk
FREE_CELLS, CELLS_A_BYTE = 1 << 22, 16


class Spool:
    """A flat file that members of an archive are written into one after another.

    Their names are never names on disk, so no name can lead anywhere. The private folder goes when
    `close` is called, when the last Source that uses it is dropped, or when Python exits.
    """

    def __init__(self, parent: Path | None, name: str, packed: int) -> None:
        """`packed`: bytes on disk of what is unpacked, called `name` in messages."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="layerwise-", dir=parent))
            room = shutil.disk_usage(folder).free // 2
        except OSError as error:
            raise refused(error, parent or Path(tempfile.gettempdir())) from error
        self.path = folder / "unpacked"
        self._name, self._packed = name, max(1, packed)
        self._room, self._most = room, min(MOST_UNPACKED, room)
        self._end = self._passed = 0
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def add(self, pieces: Iterable[bytes]) -> tuple[int, int]:
        """Write one member; returns where it starts (a multiple of 64) and its size in bytes.

        Raises DataError for a bomb and MachineError where the disk refuses.
        """
        start = -(-self._end // 64) * 64
        self._end = start
        try:
            with open(self.path, "ab") as out:
                out.truncate(start)
                for piece in pieces:
                    self._end += len(piece)
                    self._check()
                    out.write(piece)
        except OSError as error:
            if error.filename is None and error.errno is None:
                raise  # a damaged stream, not the disk
            raise refused(error, self.path.parent) from error
        return start, self._end - start

    def count(self, size: int) -> None:
        """Bytes that were unpacked and not kept. Raises DataError for a bomb."""
        self._passed += size
        self._check()

    def close(self) -> None:
        """Remove the folder; harmless when called again."""
        self._remove()

    def _check(self) -> None:
        unpacked = self._end + self._passed
        if unpacked > FREE and unpacked > MOST_RATIO * self._packed:
            raise DataError(
                f"{shown(self._name)} unpacks to more than {MOST_RATIO} times its size ({self._packed:,}"
                " bytes),"
                " as archives do that are made to fill a disk. If it is sound, unpack it and give the folder."
            )
        if unpacked > self._most:
            limit = "half of the free disk" if self._most == self._room else "the limit for archives"
            raise DataError(
                f"{shown(self._name)} unpacks to more than {self._most / 2**30:.1f} GB, {limit}:"
                " unpack it where there is room and give the folder"
            )


def fair(size: int | None, called: str, *, rows: int, cells: int = 0) -> None:
    """Raise DataError where a file of `size` bytes declares far more rows or cells than data have that were
    not made to fill a memory: each row takes some 100 bytes, each cell some 30."""
    packed = size or 0
    if rows > max(FREE_ROWS, ROWS_A_BYTE * packed) or cells > max(FREE_CELLS, CELLS_A_BYTE * packed):
        raise DataError(
            f"{shown(called)} holds {rows:,} rows in {packed:,} bytes, as files do that are made to fill a"
            " memory: if it is sound, unpack it or save it without compression"
        )


def pieces_of(stream: IO[bytes]) -> Iterator[bytes]:
    """What a stream holds, piece by piece."""
    while piece := stream.read(PIECE):
        yield piece


def refused(error: OSError, folder: Path, needs: int | None = None) -> LayerwiseError:
    """What to raise when the disk refused to write into `folder` (`needs` bytes)."""
    size = f" (needs {needs / 1e6:,.0f} MB)" if needs else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return MachineError(f"out of disk in {shown(folder)}{size}: free space and run it again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MachineError(f"{shown(folder)} cannot be written to: {error.strerror}; choose another folder")
    return MachineError(f"{shown(folder)} cannot be used: {error.strerror or error}")

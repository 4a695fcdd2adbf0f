"""Archives and compressed files, unpacked into one flat file: names inside never become paths on disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from layerwise.data.source import File, LeftOut
from layerwise.data.spool import Spool, pieces_of
from layerwise.errors import DataError, MachineError, shown

__all__ = ["ARCHIVES", "PACKED", "inflated", "inner_name", "unpack"]

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
PACKED = (".gz", ".xz", ".bz2")
MOST_MEMBERS = 10_000_000
MOST_NAME = 4096  # characters, as of a path on disk
DEEPEST = 64  # folders in folders
MANY = 100_000  # members; from there on each must take up some bytes of the archive
MEMBERS_A_BYTE = 0.125
MOST_HEADER = 4 << 20  # bytes that stand before a member of a tar

DAMAGED = (
    EOFError,
    lzma.LZMAError,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
    RuntimeError,  # a zip of a compression or encryption that Python does not know
)


def unpack(path: Path, spool: Spool) -> tuple[list[File], list[LeftOut]]:
    """Every file of an archive, as ranges of `spool`, in the archive's order.

    Links, devices, names that lead out and second members of one name are left out with a reason.
    Raises DataError for a damaged, encrypted or oversized archive.
    """
    intake = _Intake(spool, path.stat().st_size)
    with _understood(path):
        if zipfile.is_zipfile(path):
            _unzip(path, intake)
        else:
            _untar(path, intake)
    return intake.files, intake.left_out


@contextmanager
def inflated(file: File) -> Iterator[BinaryIO]:
    """What a .gz, .xz or .bz2 file holds, or a file that is none of these as it is.

    Raises DataError, while the stream is read, for a damaged one.
    """
    with _understood(file.name), file.open() as raw:
        head = raw.peek(6)
        if head[:2] == b"\x1f\x8b":
            with gzip.open(raw) as unzipped:
                yield cast(BinaryIO, unzipped)
        elif head[:6] == b"\xfd7zXZ\x00":
            with lzma.open(raw) as unpacked:
                yield cast(BinaryIO, unpacked)
        elif head[:3] == b"BZh":
            with bz2.open(raw) as expanded:
                yield cast(BinaryIO, expanded)
        else:
            yield cast(BinaryIO, raw)


def inner_name(name: str) -> str:
    """`train.tsv` for `train.tsv.xz`: the name without what packed it."""
    for suffix in PACKED:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


@contextmanager
def _understood(path: object) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise DataError(
            f"{shown(path)} is damaged or cut short ({error}): fetch it again, or unpack what can be saved"
            " and give the folder"
        ) from error
    except OSError as error:
        if error.errno is None:  # how gzip and bz2 report damage
            raise DataError(f"{shown(path)} is damaged or cut short ({error}): fetch it again") from error
        raise MachineError(f"{shown(path)} cannot be read: {error.strerror}") from error


class _Intake:
    """Takes members in: those that are fit into the spool, the others onto the list."""

    def __init__(self, spool: Spool, packed: int) -> None:
        self._spool = spool
        self._most = min(MOST_MEMBERS, max(MANY, int(packed * MEMBERS_A_BYTE)))
        self.files: list[File] = []
        self.left_out: list[LeftOut] = []
        self._seen: set[str] = set()

    def admit(self, raw: str, kind: str | None) -> str | None:
        """The name a member goes by; None, and noted why, if it stays out. `kind`: what it is if no file."""
        if len(self._seen) + len(self.left_out) >= self._most:
            raise DataError(
                f"an archive of more than {self._most:,} members, too many for its size: unpack it and give"
                " the folder"
            )
        name = "/".join(p for p in raw.replace("\\", "/").split("/") if p != ".")
        if kind is not None:
            reason = kind
        elif name.startswith("/") or name[1:2] == ":" or "\0" in name:
            reason = "an absolute name"
        elif len(name) > MOST_NAME or name.count("/") > DEEPEST:
            raw, reason = f"{raw[:80]}...", "a name longer or deeper than those of files"
        elif ".." in name.split("/"):
            reason = "a name that leads out of the archive"
        elif name in self._seen:
            reason = "a second member of that name; the first is used"
        else:
            self._seen.add(name)
            return name
        self.left_out.append(LeftOut(raw, reason))
        return None

    def skip(self, size: int) -> None:
        """Count what is read past: a packed stream can be made to hold no end of it."""
        self._spool.count(size)

    def take(self, name: str, stream: IO[bytes]) -> None:
        start, size = self._spool.add(pieces_of(stream))
        self.files.append(File(name, self._spool.path, start, size))


def _unzip(path: Path, intake: _Intake) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if member.flag_bits & 1:
                raise DataError(
                    f"{shown(path)} is encrypted: unpack it with its password and give the folder"
                )
            mode = member.external_attr >> 16
            odd = stat.S_IFMT(mode) not in (0, stat.S_IFREG)
            name = intake.admit(member.filename, _kind(stat.S_ISLNK(mode)) if odd else None)
            if name is None:
                continue
            try:
                with archive.open(member) as stream:
                    intake.take(name, stream)
            except DAMAGED as error:
                intake.left_out.append(LeftOut(name, f"damaged in the archive: {error}"))


def _untar(path: Path, intake: _Intake) -> None:
    with inflated(File(str(path), path)) as raw:
        stream = _Metered(raw)
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
            _take_members(archive, stream, intake)


def _take_members(archive: tarfile.TarFile, raw: _Metered, intake: _Intake) -> None:
    for member in archive:
        raw.allow(member.size)
        if not member.isdir():
            odd = _kind(member.issym() or member.islnk()) if not member.isfile() else None
            name = intake.admit(member.name, odd)
            stream = archive.extractfile(member) if name is not None else None
            if name is not None and stream is not None:
                intake.take(name, stream)
            else:
                intake.skip(member.size)
        vars(archive)["members"].clear()  # else it keeps every header


class _Metered:
    """A tar's bytes, no more between two members than headers take: tarfile reads those into memory whole."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._read = raw, 0
        self._most = MOST_HEADER

    def allow(self, size: int) -> None:
        """A member of that size follows, then further headers."""
        self._most = self._read + size + MOST_HEADER

    def read(self, size: int) -> bytes:
        """As of any stream. Raises tarfile.ReadError where headers have no end."""
        if self._read > self._most:
            raise tarfile.ReadError(f"headers of more than {MOST_HEADER:,} bytes")
        self._read += size
        return self._raw.read(size)


def _kind(link: bool) -> str:
    return "a link; links in archives are not followed" if link else "no file, but a device or a pipe"

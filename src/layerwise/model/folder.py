"""A model folder on disk: written whole or not at all, checked when read.

While a run is under way its folder holds `.run/` (lock, checkpoint, store). Publishing a model first
writes every file into `.run/publish/`, then a list of them with their checksums (the commit point),
then moves them into place. A process killed before the list leaves the earlier model untouched; one
killed after it is rolled forward by whoever opens the folder next.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from layerwise.errors import MachineError, ModelError, refused, shown

__all__ = ["RUN", "holding", "holds_product", "publish", "read_checked", "recover", "write_aside"]

RUN = ".run"
CHECKSUMS = "checksums.json"
MOST_JSON = 40 << 20  # bytes of all JSON together: once read it takes up to 25 times as much
MOST_BYTES = (2 << 30) + (256 << 20)  # of the whole folder


def write_aside(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all: aside, synced, renamed.

    Raises MachineError where the machine refuses.
    """
    aside = path.with_name(path.name + ".part")
    try:
        aside.unlink(missing_ok=True)  # a link that a stranger left there is not written through
        with open(aside, "xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.replace(aside, path)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise refused(error, f"writing {path}") from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put a model's files into its folder, all of them or none."""
    aside = folder / RUN / "publish"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
    except OSError as error:
        raise refused(error, f"writing {folder}") from error
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    for name, data in files.items():
        write_aside(aside / name, data)
    write_aside(aside / CHECKSUMS, json.dumps(sums, indent=1).encode())
    recover(folder)


def recover(folder: Path) -> None:
    """Finish a publication that was cut off after its commit point; nothing to do otherwise.

    Raises ModelError where what lies there is none of ours: nothing is moved into or out of other folders.
    """
    aside = folder / RUN / "publish"
    listing = aside / CHECKSUMS
    if any(path.is_symlink() for path in (aside.parent, aside)) or not listing.exists():
        return
    names = _sums(listing)
    try:
        for name in names:
            if (aside / name).exists():
                os.replace(aside / name, folder / name)
        _sync(folder)
        os.replace(listing, folder / CHECKSUMS)
        _sync(folder)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise refused(error, f"finishing the model in {folder}") from error


def read_checked(folder: Path) -> dict[str, bytes]:
    """The files of a model folder, each compared with its checksum.

    Raises ModelError where there is no model, or one that was changed or cut short.
    """
    if not folder.is_dir():
        raise ModelError(f"no model folder {shown(folder)}; layerwise fit DATA makes one")
    with suppress(MachineError):  # a read-only folder is read as it is; the checksums then tell
        recover(folder)
    if not (folder / CHECKSUMS).exists():
        unfinished = (folder / RUN).is_dir()
        hint = (
            "a run in it did not finish: layerwise fit DATA --resume"
            if unfinished
            else "layerwise fit DATA makes one"
        )
        raise ModelError(f"{shown(folder)} holds no model ({CHECKSUMS} is missing); {hint}")
    sums = _sums(folder / CHECKSUMS)
    _check_sizes(folder, sums)
    files: dict[str, bytes] = {}
    for name, expected in sums.items():
        path = folder / name
        files[name] = path.read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise ModelError(
                f"{shown(path)} was changed after it was written (its SHA-256 differs); "
                "copy the folder again or train anew"
            )
    return files


def holds_product(folder: Path) -> bool:
    """Whether a model was published there."""
    return (folder / CHECKSUMS).is_file()


def _sums(listing: Path) -> dict[str, str]:
    """What a list of checksums says, by plain file name. Raises ModelError where it is none."""
    try:
        if listing.is_symlink() or not listing.is_file() or listing.stat().st_size > MOST_JSON:
            raise ValueError("a link, no file, or far too large")
        sums = json.loads(listing.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{shown(listing)} cannot be read ({error}); the folder is damaged") from error
    if not isinstance(sums, dict) or not all(
        isinstance(v, str) and Path(k).name == k and "\0" not in k and k != CHECKSUMS for k, v in sums.items()
    ):
        raise ModelError(f"{shown(listing)} lists no checksums; this is no folder of layerwise")
    return sums


def _check_sizes(folder: Path, names: Iterable[str]) -> None:
    """Raise ModelError unless these are files, and together no larger than a model may be."""
    total, plain = 0, 0
    for name in names:
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise ModelError(f"{shown(path)} is missing; copy the whole folder again")
        total += path.stat().st_size
        plain += path.stat().st_size * name.endswith(".json")
    if total > MOST_BYTES or plain > MOST_JSON:
        raise ModelError(
            f"{shown(folder)} holds {total / 1e6:,.0f} MB, {plain / 1e6:,.0f} of them JSON; a model has at most"
            f" {MOST_BYTES / 1e6:,.0f} and {MOST_JSON / 1e6:,.0f}: it was not written by layerwise"
        )


@contextmanager
def holding(folder: Path) -> Iterator[Path]:
    """Hold a folder for one run; yields its `.run`. Raises MachineError where another run holds it."""
    run = folder / RUN
    if run.is_symlink():
        raise MachineError(
            f"{shown(run)} is a link, and a run clears its folder: remove it, or choose another --out"
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = open(run / "lock", "a+b")  # noqa: SIM115 - held until the run ends
    except OSError as error:
        raise refused(error, f"writing {folder}") from error
    try:
        _lock(lock, folder)
        recover(folder)
        yield run
    finally:
        lock.close()


def _lock(lock: IO[bytes], folder: Path) -> None:
    """Hold the lock until the file is closed, by whatever end of the process."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise MachineError(
            f"{shown(folder)} is in use by another run: wait for it, or choose another folder with --out"
        ) from error

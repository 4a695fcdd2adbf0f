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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from layerwise.errors import MachineError, ModelError, refused, shown

__all__ = ["RUN", "holding", "publish", "read_checked", "recover", "write_aside"]

RUN = ".run"
CHECKSUMS = "checksums.json"
MOST_JSON = 256 << 20


def write_aside(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all: aside, synced, renamed.

    Raises MachineError where the machine refuses.
    """
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "wb") as f:
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
    """Finish a publication that was cut off after its commit point; nothing to do otherwise."""
    aside = folder / RUN / "publish"
    listing = aside / CHECKSUMS
    if not listing.exists():
        return
    try:
        for name in json.loads(listing.read_bytes()):
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
    try:
        sums = json.loads((folder / CHECKSUMS).read_bytes()[:MOST_JSON])
    except FileNotFoundError:
        unfinished = (folder / RUN).is_dir()
        hint = (
            "a run in it did not finish: layerwise fit DATA --resume"
            if unfinished
            else "layerwise fit DATA makes one"
        )
        raise ModelError(f"{shown(folder)} holds no model ({CHECKSUMS} is missing); {hint}") from None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{shown(folder / CHECKSUMS)} cannot be read ({error}); the folder is damaged"
        ) from error
    if not isinstance(sums, dict) or not all(
        isinstance(v, str) and Path(k).name == k for k, v in sums.items()
    ):
        raise ModelError(f"{shown(folder / CHECKSUMS)} lists no checksums; this is no folder of layerwise")
    files: dict[str, bytes] = {}
    for name, expected in sums.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise ModelError(f"{shown(path)} is missing; copy the whole folder again")
        files[name] = path.read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise ModelError(
                f"{shown(path)} was changed after it was written (its SHA-256 differs); "
                "copy the folder again or train anew"
            )
    return files


@contextmanager
def holding(folder: Path) -> Iterator[Path]:
    """Hold a folder for one run; yields its `.run`. Raises MachineError where another run holds it."""
    run = folder / RUN
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

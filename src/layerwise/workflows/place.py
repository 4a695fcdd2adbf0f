"""The folder of a run: its name, what may already be in it, and what a stopped run left to go on with."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from layerwise.errors import DataError, ModelError, UsageError, shown
from layerwise.model import RUN, holding, holds_product, write_aside

__all__ = ["Place", "default_out", "placed", "remember", "remembered"]

_MEMORY = "run.json"
_ENDINGS = (".zip", ".tar", ".gz", ".xz", ".bz2", ".tgz", ".csv", ".tsv", ".parquet", ".npz", ".ts")


class Place(NamedTuple):
    """`folder` gets the model; None: it is not wanted on disk. `run` holds the work."""

    folder: Path | None
    run: Path


def default_out(data: str, what: str = "model") -> Path:
    """`clips/` -> `clips-model`, in the current folder."""
    name = Path(data).resolve().name or "data"
    while any(name.lower().endswith(e) and len(name) > len(e) for e in _ENDINGS):
        name = name[: name.rindex(".")]
    return Path(f"{name}-{what}")


@contextmanager
def placed(out: str | Path | None, *, overwrite: bool, resume: bool) -> Iterator[Place]:
    """Hold the folder of a run. Raises UsageError where it is taken, MachineError where it is in use."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="layerwise-") as run:
            yield Place(None, Path(run))
        return
    folder = Path(out)
    _check(folder, overwrite=overwrite, resume=resume)
    with holding(folder) as run:
        if not resume:
            for old in run.iterdir():
                if old.name != "lock":
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
        try:
            yield Place(folder, run)
        except (UsageError, DataError, ModelError):  # nothing was reached that could be gone on with
            if not resume:
                _forget(folder, run)
            raise


def _forget(folder: Path, run: Path) -> None:
    shutil.rmtree(run, ignore_errors=True)
    with suppress(OSError):  # it holds a model
        folder.rmdir()


def _check(folder: Path, *, overwrite: bool, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {shown(folder)} is a file; name a folder")
    stopped = (folder / RUN / _MEMORY).exists()
    if resume:
        if not stopped:
            raise UsageError(f"nothing to resume in {shown(folder)}: leave --resume out to start")
        return
    if not folder.exists():
        return
    others = any(p.name != RUN for p in folder.iterdir())
    if overwrite:
        if others and not stopped and not holds_product(folder):
            raise UsageError(
                f"{shown(folder)} holds files and no model: --overwrite replaces only models; name another folder"
                " with --out"
            )
        return
    if stopped:
        raise UsageError(
            f"{shown(folder)} holds a run that was stopped: --resume goes on with it, --overwrite starts anew"
        )
    if others:
        instead = (
            ", --overwrite replaces the model in it" if holds_product(folder) else ", as it holds no model"
        )
        raise UsageError(f"{shown(folder)} exists: name another folder with --out{instead}")


def remember(place: Place, asked: dict[str, Any]) -> None:
    """Keep what was asked, so that `--resume` need not be told again."""
    if place.folder is not None:
        write_aside(place.run / _MEMORY, json.dumps(asked).encode())


def remembered(place: Place) -> dict[str, Any]:
    """What the stopped run was asked."""
    plain = json.loads((place.run / _MEMORY).read_bytes())
    return {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}

"""One file that a run goes on from: tensors as safetensors, everything else as JSON in its metadata.

It is written aside, synced and renamed, so that at any moment the file is a whole one. Loading executes
nothing.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from layerwise.errors import MachineError, ModelError, shown
from layerwise.train.state import Nest

__all__ = ["read", "write"]

FORMAT = "layerwise checkpoint 1"


def write(path: Path, nest: Nest, *, where: str) -> None:
    """Put `nest` at `path`, replacing what is there in one step. `where` says how far the run is.

    Raises MachineError where the disk is full or writing is not allowed; what was at `path` stays.
    """
    found: dict[int, tuple[str, Tensor]] = {}
    plain = _packed(nest, found)
    data = safetensors.torch.save(
        {name: t.detach().cpu().contiguous() for name, t in found.values()},
        {"format": FORMAT, "nest": json.dumps(plain)},
    )
    aside = _aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        _discard(aside)
        raise _refused(error, path, len(data), where) from error


def read(path: Path) -> Nest | None:
    """What `write` put there, or None where nothing is. A half-written file aside is removed.

    Raises ModelError where the file is no checkpoint or is damaged, MachineError where it cannot be opened.
    """
    _discard(_aside(path))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError(
            f"{path} cannot be read ({error.strerror}): give yourself permission to"
        ) from error
    foreign = ModelError(
        f"{path} is no whole checkpoint of layerwise: remove it to start anew, or put back the one that was"
        " there"
    )
    try:
        tensors = safetensors.torch.load(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        if metadata["format"] != FORMAT:
            raise ModelError(
                f"{path} is of the format {shown(metadata['format'])}; this layerwise reads {shown(FORMAT)}:"
                " remove it to start anew"
            )
        return _unpacked(json.loads(metadata["nest"]), tensors)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise foreign from error


def _packed(nest: Nest, found: dict[int, tuple[str, Tensor]]) -> Any:
    """JSON in which tensors are named; a tensor met twice gets one name, since safetensors shares nothing."""
    if isinstance(nest, Tensor):
        name, _ = found.setdefault(id(nest), (str(len(found)), nest))
        return {"tensor": name}
    if isinstance(nest, Mapping):
        return {"pairs": [[k, _packed(v, found)] for k, v in nest.items()]}
    if isinstance(nest, list | tuple):
        return [_packed(v, found) for v in nest]
    return nest


def _unpacked(plain: Any, tensors: Mapping[str, Tensor]) -> Nest:
    if isinstance(plain, list):
        return [_unpacked(v, tensors) for v in plain]
    if isinstance(plain, dict):
        if "tensor" in plain:
            return tensors[plain["tensor"]]
        return {k: _unpacked(v, tensors) for k, v in plain["pairs"]}
    return plain


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _discard(aside: Path) -> None:
    try:
        aside.unlink(missing_ok=True)
    except OSError:
        return  # the next write says what is wrong with the folder


def _refused(error: OSError, path: Path, size: int, where: str) -> MachineError:
    needs = f"{max(1, round(size / 1e6))} MB in {path.parent}"
    kept = "The run is kept as it was last saved" if path.exists() else "Nothing was saved yet"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineError(
            f"out of disk {where} (needs {needs}). {kept}: free space, then start it again with --resume"
        )
    return MachineError(
        f"cannot write {path} {where}: {error.strerror or error}. {kept}: make the folder writable,"
        " then start it again with --resume"
    )

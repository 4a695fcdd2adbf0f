"""From a model folder to the product in it, checked; nothing in it is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.numpy
import safetensors.torch
from safetensors import SafetensorError

from layerwise import __version__
from layerwise.errors import LayerwiseError, ModelError, shown
from layerwise.kinds import kind_named
from layerwise.model.answering import Model
from layerwise.model.features import Features
from layerwise.model.folder import read_checked
from layerwise.model.product import FORMAT
from layerwise.nn import build
from layerwise.recipe import Recipe
from layerwise.tasks import restore as restore_task

__all__ = ["load"]


def load(folder: str | Path) -> Any:
    """What a model folder holds: a `Model`, or the `Features` that `layerwise learn` made.

    Raises ModelError where there is neither, or one that is damaged, foreign or from a newer layerwise.
    """
    folder = Path(folder)
    files = read_checked(folder)
    try:
        return _restore(files, folder)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        RuntimeError,
        SafetensorError,
    ) as error:
        raise ModelError(
            f"{shown(folder)} cannot be understood ({error}); it is damaged or not of layerwise"
        ) from error
    except LayerwiseError as error:
        raise error if isinstance(error, ModelError) else ModelError(f"{shown(folder)}: {error}") from error


def _restore(files: Mapping[str, bytes], folder: Path) -> Model | Features:
    head = json.loads(files["model.json"])
    if head["format"] != FORMAT:
        raise ModelError(
            f"this folder has format {shown(head['format'])}, this layerwise ({__version__}) reads up to {FORMAT}: "
            "install a newer layerwise"
        )
    kind = kind_named(head["kind"])
    reader = kind.reader.restore(
        json.loads(files["reader.json"]), safetensors.numpy.load(files["reader.safetensors"])
    )
    task = None if head["task"] is None else restore_task(head["task"])
    recipe = Recipe.from_json(json.loads(files["recipe.json"]))
    outputs = None if task is None else task.outputs
    net = build(recipe.network, reader.spec, outputs, most=len(files["weights.safetensors"]))
    net.load_state_dict(safetensors.torch.load(files["weights.safetensors"]), strict=True)
    net.eval()
    parts: dict[str, Any] = {
        "name": str(head["name"]),
        "kind": kind,
        "reader": reader,
        "net": net,
        "recipe": recipe,
        "inputs": tuple(head["inputs"]),
        "about": dict(head["about"]),
        "history": dict(json.loads(files["history.json"])),
        "findings": list(json.loads(files["findings.json"])),
        "folder": folder,
    }
    return Features(**parts) if task is None else Model(task=task, **parts)

"""What every run leaves: Reader + Pipeline + Recipe + history, in a folder that anyone can load."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from torch import Tensor

from layerwise import __version__
from layerwise.data import Source, open_source
from layerwise.data.source import LeftOut
from layerwise.errors import DataError, listed, shown, suggest
from layerwise.kinds.base import Kind, Reader
from layerwise.model.card import card
from layerwise.model.folder import publish
from layerwise.nn import Pipeline, widest
from layerwise.recipe import Recipe
from layerwise.spec import Spec
from layerwise.values import Padded, Value, collate

__all__ = ["FORMAT", "Passed", "Product", "Unlike"]

FORMAT = 1
MOST_AT_ONCE = 1 << 26  # values of the largest level over all examples of a batch


class Unlike(NamedTuple):
    """An example that is unlike all that were learned from: whatever is said of it is a guess."""

    path: str
    reason: str


class Passed(NamedTuple):
    """What a network gave for new data: `values` (n, ...) of those of the `ids` at the rising places `kept`."""

    ids: Any
    kept: np.ndarray
    values: np.ndarray
    left_out: tuple[LeftOut, ...]
    unlike: tuple[Unlike, ...]

    def whole(self) -> np.ndarray:
        """(N, ...): a row for each id, NaN where it could not be read."""
        full = np.full((len(self.ids), *self.values.shape[1:]), np.nan, self.values.dtype)
        full[self.kept] = self.values
        return full


@dataclass(repr=False, kw_only=True)
class Product(ABC):
    """A trained network with all that is needed to put raw data through it."""

    name: str
    kind: Kind
    reader: Reader
    net: Pipeline
    recipe: Recipe
    inputs: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    folder: Path | None = None  # where it was saved or loaded from

    @abstractmethod
    def result(self) -> dict[str, Any]:
        """What `--json` prints of a run."""

    @abstractmethod
    def answer(self) -> dict[str, Any] | None:
        """The state of the task as model.json keeps it; None where there is none."""

    @property
    def spec(self) -> Spec:
        """What one read example looks like."""
        return self.reader.spec

    def levels(self, data: Any, *, batch: int = 256) -> Iterator[tuple[str, np.ndarray]]:
        """Every level of the network for `data`, a batch of one: (address, values (N, ...)) in order."""
        source, names = self._open(data)
        read = self.reader.read(source.chunk(names, np.arange(min(len(source), batch))))
        self.net.eval()
        with torch.inference_mode():
            for address, value in self.net.levels(collate(read.values, self.spec)):
                if isinstance(value, Tensor | Padded):
                    yield address, (value.values if isinstance(value, Padded) else value).numpy()

    def save(self, folder: str | Path) -> Path:
        """Write the model folder, all of it or nothing. Returns its path. Raises MachineError."""
        folder = Path(folder)
        plain, arrays = self.reader.state()
        head = {
            "format": FORMAT,
            "layerwise": __version__,
            "name": self.name,
            "kind": self.kind.name,
            "inputs": list(self.inputs),
            "task": self.answer(),
            "about": self.about,
        }
        weights = {k: v.detach().cpu().contiguous().clone() for k, v in self.net.state_dict().items()}
        about = {**self.about, "layerwise": __version__, "format": FORMAT}
        publish(
            folder,
            {
                "model.json": _json(head),
                "recipe.json": str(self.recipe).encode(),
                "reader.json": _json(plain),
                "reader.safetensors": safetensors.numpy.save(
                    {k: np.ascontiguousarray(v) for k, v in arrays.items()}
                ),
                "weights.safetensors": safetensors.torch.save(weights),
                "history.json": _json(self.history),
                "findings.json": _json(self.findings),
                "README.md": card(folder.name, about).encode(),
            },
        )
        self.folder = folder
        return folder

    def _passed(self, data: Any, give: Callable[[Value], np.ndarray], *, batch: int) -> Passed:
        """`give` of all examples, a batch at a time. Raises DataError where none can be read."""
        source, names = self._open(data)
        found: list[np.ndarray] = []
        kept: list[np.ndarray] = []
        left_out: list[LeftOut] = list(source.left_out)
        unlike: list[Unlike] = []
        batch = max(1, min(batch, MOST_AT_ONCE // widest(self.net, self.spec)))
        for start in range(0, len(source), batch):
            rows = np.arange(start, min(start + batch, len(source)))
            read = self.reader.read(source.chunk(names, rows))
            left_out += [LeftOut(source.ids[start + p], why) for p, why in read.rejected.items()]
            if len(read.kept):
                found.append(give(collate(read.values, self.spec)))
                kept.append(read.kept + start)
                if self.kind.unlike is not None:
                    odd = self.kind.unlike(read.values, self.spec)
                    unlike += [Unlike(source.ids[start + read.kept[p]], odd[p]) for p in sorted(odd)]
        if not found:
            raise DataError(
                f"none of the {len(source)} examples in {shown(source.name)} can be read: {left_out[0].reason}"
                if left_out
                else f"no examples in {shown(source.name)}"
            )
        return Passed(source.ids, np.concatenate(kept), np.concatenate(found), tuple(left_out), tuple(unlike))

    def _open(self, data: Any) -> tuple[Source, tuple[str, ...]]:
        """The data, and which of their columns the reader reads."""
        source = data if isinstance(data, Source) else open_source(data)
        if len(self.inputs) == 1 and isinstance(data, np.ndarray | list):
            source = source.renamed(self.inputs[0])
        if len(self.inputs) == 1 and self.inputs[0] not in source.columns:
            source = self._found(source)
        missing = [name for name in self.inputs if name not in source.columns]
        if missing:
            raise DataError(
                f"no column {shown(missing[0])} in {shown(source.name)}{suggest(missing[0], source.columns) or '.'} "
                f"The model reads {self.kind.plural} from: {listed(self.inputs)}; found: {listed(source.columns)}"
            )
        self.reader.check({name: source.columns[name] for name in self.inputs})
        return source, self.inputs

    def _found(self, source: Source) -> Source:
        """The one column that holds what is read, whatever it is called: pictures of a table of paths, say.

        A text is asked for by the name of its column, as a table may hold several texts.
        """
        fits = [
            name
            for name, column in source.columns.items()
            if column.holds != "cells" and self.kind.claims({name: column}) is not None
        ]
        return source.alone(fits[0], self.inputs[0]) if len(fits) == 1 else source


def _json(plain: Any) -> bytes:
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=True).encode()

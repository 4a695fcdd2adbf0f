"""The product: Reader + Pipeline + Task + Recipe + calibration + history, in a folder that anyone can load."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from layerwise import __version__
from layerwise.data import Source, latest_window, open_source
from layerwise.data.source import LeftOut
from layerwise.errors import DataError, LayerwiseError, ModelError, listed, shown, suggest
from layerwise.kinds import kind_named
from layerwise.kinds.base import Kind, Read, Reader
from layerwise.model.card import card
from layerwise.model.folder import publish, read_checked
from layerwise.nn import Pipeline, build, widest
from layerwise.recipe import Recipe
from layerwise.spec import Spec
from layerwise.tasks import restore as restore_task
from layerwise.tasks.base import Answers, Task
from layerwise.values import Value, collate, move

__all__ = ["Model", "Predictions", "load", "outputs_of"]

FORMAT = 1
MOST_AT_ONCE = 1 << 26  # values of the largest level over all examples of a batch


class Predictions(NamedTuple):
    """Answers in the order of the data. What could not be read has the answer None and confidence NaN."""

    ids: Sequence[str]
    answer: list[Any]  # label, list of tags, number or list of numbers
    confidence: np.ndarray  # (N,) calibrated probability of the answer; NaN for numbers
    decoded: np.ndarray  # (N, C) probabilities, (N,) numbers or (N, h); NaN where unread
    left_out: tuple[LeftOut, ...]

    def __repr__(self) -> str:
        first = ", ".join(map(repr, self.answer[:3])) + (", ..." if len(self.answer) > 3 else "")
        return f"Predictions({len(self.answer):,} answers: {first}; {len(self.left_out):,} left out)"


@dataclass(repr=False)
class Model:
    """A trained network with all that is needed to ask it about raw data."""

    name: str
    kind: Kind
    reader: Reader
    net: Pipeline
    task: Task
    recipe: Recipe
    inputs: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    folder: Path | None = None  # where it was saved or loaded from

    def __repr__(self) -> str:
        stages = " -> ".join(name for name, _ in self.net.stages())
        return f"Model({self.name!r}: {self.kind.plural} -> {self.task.sentence}; {stages})"

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
                if isinstance(value, Tensor):
                    yield address, value.numpy()
                elif hasattr(value, "values") and isinstance(value.values, Tensor):
                    yield address, value.values.numpy()

    def predict(self, data: Any, *, batch: int = 256) -> Predictions:
        """Answers for raw data: a path, a folder, a table, arrays, or a Source. Labels are not needed.

        A forecast has one answer: the values that follow the last moment of the table.

        Raises DataError where the data lack the columns that the model reads.
        """
        source, names = self._open(data)
        decoded: list[np.ndarray] = []
        kept: list[np.ndarray] = []
        left_out: list[LeftOut] = list(source.left_out)
        batch = max(1, min(batch, MOST_AT_ONCE // widest(self.net, self.spec)))
        for start in range(0, len(source), batch):
            rows = np.arange(start, min(start + batch, len(source)))
            read = self.reader.read(source.chunk(names, rows))
            left_out += [LeftOut(source.ids[start + p], why) for p, why in read.rejected.items()]
            if len(read.kept):
                decoded.append(self.task.decode(self.outputs(read)))
                kept.append(read.kept + start)
        return self._collect(source, decoded, kept, tuple(left_out))

    def outputs(self, read: Read) -> Tensor:
        """Raw outputs (N, outputs) of the network for read examples."""
        return outputs_of(self.net, collate(read.values, self.spec))

    def result(self) -> dict[str, Any]:
        """What `--json` prints: model, task, metrics, split, quarantined, rivals, levels, seconds."""
        keys = ("metrics", "split", "quarantined", "rivals", "levels", "random_split")
        told = {key: self.about[key] for key in keys if key in self.about}
        return {
            "model": None if self.folder is None else str(self.folder),
            "task": self.task.name,
            **told,
            "verdict": self.about.get("verdict"),
            "seconds": sum(self.about.get("seconds", {}).values()),
        }

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
            "task": self.task.state(),
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

    def _open(self, data: Any) -> tuple[Source, tuple[str, ...]]:
        """The data, and which of their columns the reader reads."""
        source = data if isinstance(data, Source) else open_source(data)
        if len(self.inputs) == 1 and isinstance(data, np.ndarray | list):
            source = source.renamed(self.inputs[0])
        missing = [name for name in self.inputs if name not in source.columns]
        if missing:
            raise DataError(
                f"no column {shown(missing[0])} in {shown(source.name)}{suggest(missing[0], source.columns) or '.'} "
                f"The model reads: {listed(self.inputs)}; found: {listed(source.columns)}"
            )
        self.reader.check({name: source.columns[name] for name in self.inputs})
        return self._latest(source) if self.task.name == "forecast" else (source, self.inputs)

    def _latest(self, source: Source) -> tuple[Source, tuple[str, ...]]:
        """What a forecast is made from: the end of the table."""
        spec = self.spec
        time = next((name for name in self.inputs if name not in spec.names), None)
        window = latest_window(
            source, names=spec.names, length=spec.shape[0] or 1, time=time, rate_hz=spec.rate_hz
        )
        return window, window.inputs

    def _collect(
        self, source: Source, decoded: list[np.ndarray], kept: list[np.ndarray], left_out: tuple[LeftOut, ...]
    ) -> Predictions:
        n = len(source)
        if not decoded:
            raise DataError(
                f"none of the {n} examples in {shown(source.name)} can be read: {left_out[0].reason}"
                if left_out
                else f"no examples in {shown(source.name)}"
            )
        rows, values = np.concatenate(kept), np.concatenate(decoded)
        whole = np.full((n, *values.shape[1:]), np.nan, values.dtype)
        whole[rows] = values
        answers: Answers = self.task.answers(values)
        answer: list[Any] = [None] * n
        confidence = np.full(n, np.nan)
        for row, one in zip(rows, answers.answer, strict=True):
            answer[row] = one
        confidence[rows] = answers.confidence
        return Predictions(source.ids, answer, confidence, whole, left_out)


def outputs_of(net: torch.nn.Module, value: Value) -> Tensor:
    """The network's raw outputs in evaluation, on the CPU."""
    net.eval()
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    with torch.inference_mode():
        outputs = net(move(value, device))
    return outputs.float().cpu()  # type: ignore[no-any-return]


def load(folder: str | Path) -> Model:
    """The model in a folder, checked; nothing in it is executed.

    Raises ModelError where there is none, or one that is damaged, foreign or from a newer layerwise.
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


def _restore(files: Mapping[str, bytes], folder: Path) -> Model:
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
    task = restore_task(head["task"])
    recipe = Recipe.from_json(json.loads(files["recipe.json"]))
    net = build(recipe.network, reader.spec, task.outputs, most=len(files["weights.safetensors"]))
    net.load_state_dict(safetensors.torch.load(files["weights.safetensors"]), strict=True)
    net.eval()
    return Model(
        str(head["name"]),
        kind,
        reader,
        net,
        task,
        recipe,
        tuple(head["inputs"]),
        dict(head["about"]),
        dict(json.loads(files["history.json"])),
        list(json.loads(files["findings.json"])),
        folder,
    )


def _json(plain: Any) -> bytes:
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=True).encode()

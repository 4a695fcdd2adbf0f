"""`Model`: a trained network that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from layerwise.data import Source, latest_window
from layerwise.data.source import LeftOut
from layerwise.kinds.base import Read
from layerwise.model.product import Product, Unlike
from layerwise.tasks.base import Answers, Task
from layerwise.values import Value, collate, move

__all__ = ["Model", "Predictions", "outputs_of"]


class Predictions(NamedTuple):
    """Answers in the order of the data. What could not be read has the answer None and confidence NaN."""

    ids: Sequence[str]
    answer: list[Any]  # label, list of tags, number or list of numbers
    confidence: np.ndarray  # (N,) calibrated probability of the answer; NaN for numbers
    decoded: np.ndarray  # (N, C) probabilities, (N,) numbers or (N, h); NaN where unread
    left_out: tuple[LeftOut, ...]
    unlike: tuple[Unlike, ...] = ()  # rows far from all that were learned from: their answers are guesses

    def __repr__(self) -> str:
        first = ", ".join(map(repr, self.answer[:3])) + (", ..." if len(self.answer) > 3 else "")
        return f"Predictions({len(self.answer):,} answers: {first}; {len(self.left_out):,} left out)"


@dataclass(repr=False, kw_only=True)
class Model(Product):
    """A trained network with all that is needed to ask it about raw data."""

    task: Task

    def __repr__(self) -> str:
        stages = " -> ".join(name for name, _ in self.net.stages())
        return f"Model({self.name!r}: {self.kind.plural} -> {self.task.sentence}; {stages})"

    def predict(self, data: Any, *, batch: int = 256) -> Predictions:
        """Answers for raw data: a path, a folder, a table, arrays, or a Source. Labels are not needed.

        A forecast has one answer: the values that follow the last moment of the table.

        Raises DataError where the data lack the columns that the model reads.
        """
        passed = self._passed(data, lambda value: self.task.decode(outputs_of(self.net, value)), batch=batch)
        answers: Answers = self.task.answers(passed.values)
        answer: list[Any] = [None] * len(passed.ids)
        confidence = np.full(len(passed.ids), np.nan)
        for row, one in zip(passed.kept, answers.answer, strict=True):
            answer[row] = one
        confidence[passed.kept] = answers.confidence
        return Predictions(passed.ids, answer, confidence, passed.whole(), passed.left_out, passed.unlike)

    def outputs(self, read: Read) -> Tensor:
        """Raw outputs (N, outputs) of the network for read examples."""
        return outputs_of(self.net, collate(read.values, self.spec))

    def result(self) -> dict[str, Any]:
        """What `--json` prints: model, task, metrics, split, quarantined, rivals, levels, seconds."""
        keys = ("metrics", "split", "quarantined", "rivals", "levels", "random_split", "segments")
        told = {key: self.about[key] for key in keys if key in self.about}
        return {
            "model": None if self.folder is None else str(self.folder),
            "task": self.task.name,
            **told,
            "verdict": self.about.get("verdict"),
            "seconds": sum(self.about.get("seconds", {}).values()),
        }

    def answer(self) -> dict[str, Any]:
        return self.task.state()

    def _open(self, data: Any) -> tuple[Source, tuple[str, ...]]:
        source, names = super()._open(data)
        return self._latest(source) if self.task.name == "forecast" else (source, names)

    def _latest(self, source: Source) -> tuple[Source, tuple[str, ...]]:
        """What a forecast is made from: the end of the table."""
        spec = self.spec
        time = next((name for name in self.inputs if name not in spec.names), None)
        window = latest_window(
            source, names=spec.names, length=spec.shape[0] or 1, time=time, rate_hz=spec.rate_hz
        )
        return window, window.inputs


def outputs_of(net: torch.nn.Module, value: Value) -> Tensor:
    """The network's raw outputs in evaluation, on the CPU."""
    net.eval()
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    with torch.inference_mode():
        outputs = net(move(value, device))
    return outputs.float().cpu()  # type: ignore[no-any-return]

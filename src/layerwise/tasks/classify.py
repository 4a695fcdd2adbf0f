"""One of many: classes by softmax and cross-entropy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from layerwise.errors import DataError, ModelError, listed, shown, suggest
from layerwise.figures import number
from layerwise.recipe import Training
from layerwise.tasks.base import Answers, Statistic, Task
from layerwise.tasks.calibration import fit_temperature
from layerwise.tasks.common import missing, one_column, restored, share, weighted_mean
from layerwise.tasks.metrics import of_classes

__all__ = ["Classify"]

Label = bool | int | float | str


@dataclass
class Classify(Task):
    """One of `classes`, which are text, whole numbers, numbers or truth values, in sorted order."""

    classes: tuple[Label, ...]
    counts: tuple[int, ...]  # training rows of each class
    smoothing: float = 0.0
    balance: bool = False
    temperature: float = 1.0

    name: ClassVar[str] = "classify"
    primary: ClassVar[str] = "accuracy"
    higher: ClassVar[bool] = True

    def __post_init__(self) -> None:
        texts = {str(label): i for i, label in enumerate(self.classes)}
        # A test file may hold as text what the training file held as numbers.
        self._codes: dict[Any, int] = texts | {label: i for i, label in enumerate(self.classes)}

    @classmethod
    def fit(
        cls, targets: Sequence[Any] | np.ndarray, *, noun: str = "rows", names: Sequence[str] = ()
    ) -> Self:
        """The classes among the targets. Raises DataError for fewer than two, or as many as rows."""
        tally = Counter(label for label in one_column(targets) if not missing(label))
        n = sum(tally.values())
        target = f"target {listed(names)}" if names else "target"
        if not tally:
            raise DataError(f"no row has a value for the {target}: name another column with --target")
        if len(tally) == 1:
            raise DataError(
                f"all {n:,} {noun} belong to one class, {shown(next(iter(tally)))}."
                " Put each class into a folder of its own, or name the column that tells them apart"
                " with --target."
            )
        if len(tally) == n > 20:
            raise DataError(
                f"each of the {n:,} {noun} is a class of its own, expected several of each class: name"
                " another column with --target, or ask for a number with --task regress"
            )
        classes = sorted(tally, key=_order)
        return cls(tuple(classes), tuple(tally[c] for c in classes))

    @classmethod
    def known(cls, targets: Sequence[Any] | np.ndarray) -> np.ndarray:
        return np.array([not missing(label) for label in one_column(targets)], bool)

    def configure(self, training: Training) -> None:
        self.smoothing, self.balance = training.smoothing, training.balance

    @property
    def outputs(self) -> int:
        return len(self.classes)

    @property
    def labels(self) -> tuple[Any, ...]:
        return self.classes

    @property
    def class_weights(self) -> np.ndarray | None:
        if not self.balance:
            return None
        counts = np.array(self.counts, np.float64)
        return np.asarray(counts.sum() / (len(counts) * counts))

    @property
    def sentence(self) -> str:
        return f"one of {self.outputs:,}: {listed(self.classes, 6 if self.outputs <= 6 else 2)}"

    def encode(self, targets: Sequence[Any] | np.ndarray, *, mark: bool = False) -> np.ndarray:
        labels = one_column(targets)
        codes = np.array([self._codes.get(label, -1) for label in labels], np.int64)
        if not mark and (codes < 0).any():
            strange = labels[int(np.argmax(codes < 0))]
            raise DataError(
                f"class {shown(strange)} is not among those of the training rows"
                f"{suggest(str(strange), [str(c) for c in self.classes]) or '.'} Known are: {listed(self.classes)}"
            )
        return codes

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._cross_entropy(outputs, targets, "none")

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if weights is None:
            return self._cross_entropy(outputs, targets, "mean")
        return weighted_mean(self.losses(outputs, targets), weights)

    def _cross_entropy(self, outputs: Tensor, targets: Tensor, reduction: str) -> Tensor:
        """Targets are class numbers (N,), -1 for none, or shares of classes (N, C)."""
        if outputs.ndim == 3:
            outputs = outputs.transpose(1, 2)
            targets = targets.unsqueeze(-1).expand(*targets.shape, outputs.shape[2])
        if targets.is_floating_point():
            return functional.cross_entropy(
                outputs, targets, reduction=reduction, label_smoothing=self.smoothing
            )
        return functional.cross_entropy(
            outputs, targets, reduction=reduction, label_smoothing=self.smoothing, ignore_index=-1
        )

    def decode(self, outputs: Tensor) -> np.ndarray:
        probabilities = torch.softmax(outputs.detach().cpu().double() / self.temperature, -1)
        return np.asarray((probabilities.mean(1) if outputs.ndim == 3 else probabilities).numpy())

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        good = (targets >= 0) & outputs.isfinite().flatten(1).all(1)
        logits, codes = outputs[good].detach().double(), targets[good]
        rows = torch.arange(len(codes), device=codes.device)
        logits = logits if logits.ndim == 3 else logits.unsqueeze(1)

        def surprise(sharpness: float) -> Tensor:
            own = torch.log_softmax(logits * sharpness, -1)[rows, :, codes]  # (N, k)
            return -own.exp().mean(1).clamp_min(1e-300).log().mean()

        self.temperature = fit_temperature(surprise, len(codes))

    def answers(self, decoded: np.ndarray) -> Answers:
        best = decoded.argmax(1)
        return Answers([self.classes[i] for i in best], decoded.max(1, initial=0.0), decoded)

    def statistics(self, decoded: np.ndarray, targets: np.ndarray) -> dict[str, Statistic]:
        return of_classes(decoded, targets)

    @property
    def overlap(self) -> int:
        return 1

    def scores(self, decoded: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return np.asarray(decoded.argmax(1) == targets, np.float64)

    def words(self, metric: str, value: float) -> str:
        if metric == "accuracy":
            return f"right in {share(value)}"
        if metric == "balanced_accuracy":
            return f"right in {share(value)}, each class counting the same"
        if metric == "roc_auc":
            what = shown(self.classes[1]) if self.outputs == 2 else "a class"
            return f"ranks a case of {what} above one of the rest in {share(value)} pairs"
        if metric == "ece":
            return f"its confidence is off by {100 * value:.1f} points on average"
        if metric == "log_loss":
            return f"a log loss of {number(value)} nats"
        return f"an F1 score of {number(value)}, averaged over classes"

    def state(self) -> dict[str, Any]:
        return {
            "task": self.name,
            "classes": list(self.classes),
            "counts": list(self.counts),
            "smoothing": self.smoothing,
            "balance": self.balance,
            "temperature": self.temperature,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        known = restored(
            plain,
            cls.name,
            {"classes": list, "counts": list, "smoothing": float, "balance": bool, "temperature": float},
        )
        classes, counts = known.pop("classes"), known.pop("counts")
        if (
            len(classes) != len(counts)
            or len(classes) < 2
            or not all(isinstance(c, bool | int | float | str) for c in classes)
            or not all(type(c) is int and c > 0 for c in counts)
            or known["temperature"] <= 0
        ):
            raise ModelError("the classes of the model's task cannot be read: the folder is damaged")
        return cls(tuple(classes), tuple(counts), **known)


def _order(label: Label) -> tuple[bool, Any]:
    """Numbers by size, then text."""
    return (True, label) if isinstance(label, str) else (False, label)

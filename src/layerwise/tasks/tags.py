"""Several of many: tags, each by a sigmoid and binary cross-entropy."""

from __future__ import annotations

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
from layerwise.tasks.common import cells, missing, refuse, restored, share, weighted_mean
from layerwise.tasks.metrics import of_tags

__all__ = ["Tags", "pieces"]

MARK = ";"


@dataclass
class Tags(Task):
    """Any of `tags`. Targets are text with tags parted by `;`, lists of tags, or 0/1 columns (N, K).

    A tag is given where its calibrated probability is at least .5: networks and rivals are then judged
    by the same rule, which a threshold fitted to one of them would break.
    """

    tags: tuple[str, ...]
    columns: bool  # whether targets stand in 0/1 columns
    smoothing: float = 0.0
    temperature: float = 1.0

    name: ClassVar[str] = "tags"
    primary: ClassVar[str] = "f1_macro"
    higher: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, targets: Sequence[Any] | np.ndarray, *, noun: str = "rows", names: Sequence[str] = ()
    ) -> Self:
        """The tags among the targets. Raises DataError where no tag tells any two rows apart."""
        if _in_columns(targets):
            marks = _marks(targets, mark=False)
            if not (marks.any(0) & ~marks.all(0)).any():
                raise DataError(
                    f"no tag tells the {len(marks):,} {noun} apart: each is on all of them or none"
                )
            return cls(tuple(names) or tuple(f"tag {k + 1}" for k in range(marks.shape[1])), columns=True)
        rows = [pieces(cell) for cell in cells(targets)]
        tags = sorted({tag for row in rows for tag in row})
        if len({frozenset(row) for row in rows}) < 2:
            raise DataError(
                f"all {len(rows):,} {noun} have the same tags, {shown(MARK.join(tags))}: name the column of"
                f" tags parted by {shown(MARK)} with --target"
            )
        return cls(tuple(tags), columns=False)

    @classmethod
    def known(cls, targets: Sequence[Any] | np.ndarray) -> np.ndarray:
        """An empty cell is a row without tags; an empty mark among 0/1 columns is a missing target."""
        if _in_columns(targets):
            return np.array([not any(missing(v) for v in cells(row)) for row in targets], bool)
        return np.ones(len(targets), bool)

    def configure(self, training: Training) -> None:
        refuse(self.name, training, "balance")
        self.smoothing = training.smoothing

    @property
    def outputs(self) -> int:
        return len(self.tags)

    @property
    def labels(self) -> tuple[Any, ...]:
        return self.tags

    @property
    def class_weights(self) -> np.ndarray | None:
        return None

    @property
    def sentence(self) -> str:
        return f"any of {self.outputs:,} tags: {listed(self.tags, 6 if self.outputs <= 6 else 2)}"

    def encode(self, targets: Sequence[Any] | np.ndarray, *, mark: bool = False) -> np.ndarray:
        if _in_columns(targets):
            marks = _marks(targets, mark=mark)
            if marks.shape[1] != self.outputs:
                raise DataError(
                    f"{marks.shape[1]:,} columns of tags, expected {self.outputs:,}: {listed(self.tags)}"
                )
            return marks.astype(np.float32)
        codes = {tag: k for k, tag in enumerate(self.tags)}
        encoded = np.zeros((len(targets), self.outputs), np.float32)
        for i, cell in enumerate(cells(targets)):
            for tag in pieces(cell):
                if tag in codes:
                    encoded[i, codes[tag]] = 1
                elif not mark:
                    raise DataError(
                        f"tag {shown(tag)} is not among those of the training rows{suggest(tag, self.tags) or '.'}"
                        f" Known are: {listed(self.tags)}"
                    )
        return encoded

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._cross_entropy(outputs, targets, "none").mean(-1)

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if weights is None:
            return self._cross_entropy(outputs, targets, "mean")
        return weighted_mean(self.losses(outputs, targets), weights)

    def _cross_entropy(self, outputs: Tensor, targets: Tensor, reduction: str) -> Tensor:
        if outputs.ndim == 3:
            targets = targets.unsqueeze(1).expand_as(outputs)
        if self.smoothing:
            targets = targets * (1 - self.smoothing) + self.smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs, targets, reduction=reduction)

    def decode(self, outputs: Tensor) -> np.ndarray:
        probabilities = torch.sigmoid(outputs.detach().cpu().double() / self.temperature)
        return np.asarray((probabilities.mean(1) if outputs.ndim == 3 else probabilities).numpy())

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        good = outputs.isfinite().flatten(1).all(1)
        logits, truth = outputs[good].detach().double(), targets[good].double()

        def surprise(sharpness: float) -> Tensor:
            probabilities = torch.sigmoid(logits * sharpness)
            if logits.ndim == 3:
                probabilities = probabilities.mean(1)
            return functional.binary_cross_entropy(probabilities, truth)

        self.temperature = fit_temperature(surprise, truth.numel())

    def answers(self, decoded: np.ndarray) -> Answers:
        """Confidence is the probability that each tag's answer is right, in the geometric mean."""
        given = decoded >= 0.5
        sure = np.maximum(decoded, 1 - decoded)
        found = [[tag for tag, on in zip(self.tags, row, strict=True) if on] for row in given]
        return Answers(found, np.exp(np.log(sure).mean(1)), decoded)

    def statistics(self, decoded: np.ndarray, targets: np.ndarray) -> dict[str, Statistic]:
        return of_tags(decoded, targets)

    @property
    def overlap(self) -> int:
        return 1

    def scores(self, decoded: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return np.asarray(np.equal(decoded >= 0.5, targets > 0.5).mean(1))

    def words(self, metric: str, value: float) -> str:
        if metric == "accuracy":
            return f"every tag right in {share(value)}"
        if metric == "roc_auc":
            return f"ranks a row with a tag above one without it in {share(value)} pairs"
        if metric == "ece":
            return f"its confidence is off by {100 * value:.1f} points on average"
        if metric == "log_loss":
            return f"a log loss of {number(value)} nats a tag"
        return f"an F1 score of {number(value)}, averaged over tags"

    def state(self) -> dict[str, Any]:
        return {
            "task": self.name,
            "tags": list(self.tags),
            "columns": self.columns,
            "smoothing": self.smoothing,
            "temperature": self.temperature,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        known = restored(
            plain, cls.name, {"tags": list, "columns": bool, "smoothing": float, "temperature": float}
        )
        tags = known.pop("tags")
        if not tags or not all(isinstance(t, str) for t in tags) or known["temperature"] <= 0:
            raise ModelError("the tags of the model's task cannot be read: the folder is damaged")
        return cls(tuple(tags), **known)


def pieces(cell: Any) -> list[str]:
    """The tags of one cell: text parted by `;`, or a list; blanks around them do not count."""
    if missing(cell):
        return []
    parts = cell if isinstance(cell, list | tuple | np.ndarray) else str(cell).split(MARK)
    return [text for text in (str(part).strip() for part in parts) if text]


def _in_columns(targets: Any) -> bool:
    if isinstance(targets, np.ndarray):
        return targets.ndim == 2
    return (
        isinstance(targets, list)
        and bool(targets)
        and not any(
            missing(row) or isinstance(row, str) or any(isinstance(v, str) for v in row) for row in targets
        )
        and len({len(row) for row in targets}) == 1
        and len(targets[0]) > 0
    )


def _marks(targets: Any, *, mark: bool) -> np.ndarray:
    """(N, K) bool. Raises DataError for anything but 0 and 1; with `mark` that counts as 0."""
    rows = [[_number(v) for v in cells(row)] for row in targets]
    found = np.array(rows, np.float64)
    odd = ~np.isin(found, (0.0, 1.0))
    if odd.any() and not mark:
        i, k = (int(x) for x in np.argwhere(odd)[0])
        raise DataError(
            f"row {i + 1:,} of tag column {k + 1} holds {shown(targets[i][k])}, expected 0 or 1:"
            " tags stand in columns of 0 and 1, or in one column parted by ';'"
        )
    return np.asarray(np.equal(found, 1))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")

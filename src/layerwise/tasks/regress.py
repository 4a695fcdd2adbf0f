"""A number: squared error on the target standardised by the training rows.

Squared error and not a robust loss, because r2 and people's use of a prediction ask for the mean; a robust
loss would answer with something between mean and median wherever the target is skewed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from layerwise.errors import DataError, ModelError, listed
from layerwise.figures import number
from layerwise.recipe import Training
from layerwise.tasks.base import Answers, Statistic, Task
from layerwise.tasks.common import explained, missing, numbers, one_column, refuse, restored, weighted_mean
from layerwise.tasks.metrics import of_numbers

__all__ = ["Regress"]


@dataclass
class Regress(Task):
    """A number, in the target's own units outside and standardised inside."""

    target: str
    centre: float
    spread: float
    low: float  # least and greatest training value
    high: float

    name: ClassVar[str] = "regress"
    primary: ClassVar[str] = "r2"
    higher: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, targets: Sequence[Any] | np.ndarray, *, noun: str = "rows", names: Sequence[str] = ()
    ) -> Self:
        """The scale of the targets. Raises DataError where they are no numbers, or all the same."""
        values = numbers(one_column(targets))
        target = listed(names) or "a number"
        if not values.size:
            raise DataError(
                f"no row has a value for the target ({target}): name another column with --target"
            )
        if values.min() == values.max():
            raise DataError(
                f"all {len(values):,} {noun} have the same target, {number(float(values[0]))}: there is"
                " nothing to learn. Name another column with --target."
            )
        return cls(
            target, float(values.mean()), float(values.std()), float(values.min()), float(values.max())
        )

    @classmethod
    def known(cls, targets: Sequence[Any] | np.ndarray) -> np.ndarray:
        return np.array([not missing(v) for v in one_column(targets)], bool)

    def configure(self, training: Training) -> None:
        refuse(self.name, training, "balance", "smoothing")

    @property
    def outputs(self) -> int:
        return 1

    @property
    def labels(self) -> tuple[Any, ...]:
        return ()

    @property
    def class_weights(self) -> np.ndarray | None:
        return None

    @property
    def sentence(self) -> str:
        return f"{self.target}, from {number(self.low)} to {number(self.high)}"

    def encode(self, targets: Sequence[Any] | np.ndarray, *, mark: bool = False) -> np.ndarray:
        return numbers(one_column(targets), mark=mark)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        wanted = ((targets - self.centre) / self.spread).to(outputs.dtype)
        own = outputs.squeeze(-1)  # (N,) or (N, k)
        return (own - (wanted.unsqueeze(1) if own.ndim == 2 else wanted)).square()

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        return weighted_mean(self.losses(outputs, targets), weights)

    def decode(self, outputs: Tensor) -> np.ndarray:
        own = outputs.detach().cpu().double().squeeze(-1)
        return np.asarray((own.mean(1) if own.ndim == 2 else own).numpy() * self.spread + self.centre)

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Nothing: a number carries no confidence yet."""

    def answers(self, decoded: np.ndarray) -> Answers:
        return Answers([float(v) for v in decoded], np.full(len(decoded), np.nan), decoded)

    def statistics(self, decoded: np.ndarray, targets: np.ndarray) -> dict[str, Statistic]:
        return of_numbers(decoded, targets)

    @property
    def overlap(self) -> int:
        return 1

    def scores(self, decoded: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Minus the squared error."""
        return np.asarray(-np.square(decoded - targets))

    def words(self, metric: str, value: float) -> str:
        if metric == "r2":
            return explained(value)
        if metric == "mae":
            return f"off by {number(value)} on average"
        return f"typically off by {number(value**0.5)} (root mean squared error)"

    def state(self) -> dict[str, Any]:
        return {
            "task": self.name,
            "target": self.target,
            "centre": self.centre,
            "spread": self.spread,
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        known = restored(
            plain, cls.name, {"target": str, "centre": float, "spread": float, "low": float, "high": float}
        )
        if known["spread"] <= 0:
            raise ModelError("the scale of the model's task cannot be read: the folder is damaged")
        return cls(**known)

"""The next h values: squared error on the scale of the training rows.

The verdict quotes `mse`, which is what training minimises and what papers rank by. `mae` and `mse` are in the
target's own units, as for a single number; `mae_scaled` and `mse_scaled` are on the training-standardised
scale on which the literature reports (Zhou et al. 2021, Informer).
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
from layerwise.tasks.common import explained, numbers, refuse, restored, weighted_mean
from layerwise.tasks.metrics import of_numbers

__all__ = ["Forecast"]


@dataclass
class Forecast(Task):
    """The next `horizon` values, in own units outside and standardised inside.

    Rows are windows in the order of time. Windows of neighbouring rows overlap, so that intervals are drawn
    over stretches of `horizon` rows.
    """

    target: str
    horizon: int
    centre: float
    spread: float

    name: ClassVar[str] = "forecast"
    primary: ClassVar[str] = "mse"
    higher: ClassVar[bool] = False

    @classmethod
    def fit(
        cls,
        targets: Sequence[Any] | np.ndarray,
        *,
        noun: str = "rows",
        names: Sequence[str] = (),
        scale: tuple[float, float] | None = None,
    ) -> Self:
        """The horizon and scale of targets (N, h). Raises DataError where they never change.

        `scale` is (mean, standard deviation) of the training part of the series, where the caller has it:
        windows count the values of its middle more often than those of its ends.
        """
        values = numbers(targets)
        target = listed(names) or "the series"
        if values.ndim != 2 or not values.size:
            raise DataError(f"no window of {target} has all its values: shorten the horizon with --horizon")
        if values.min() == values.max():
            raise DataError(f"{target} never changes in {len(values):,} {noun}: there is nothing to forecast")
        centre, spread = scale or (float(values.mean()), float(values.std()))
        return cls(target, values.shape[1], float(centre), float(spread))

    @classmethod
    def known(cls, targets: Sequence[Any] | np.ndarray) -> np.ndarray:
        return np.asarray(np.isfinite(numbers(targets, mark=True)).all(1))

    def configure(self, training: Training) -> None:
        refuse(self.name, training, "balance", "smoothing")

    @property
    def outputs(self) -> int:
        return self.horizon

    @property
    def labels(self) -> tuple[Any, ...]:
        return ()

    @property
    def class_weights(self) -> np.ndarray | None:
        return None

    @property
    def sentence(self) -> str:
        return f"the next {self.horizon:,} values of {self.target}"

    def encode(self, targets: Sequence[Any] | np.ndarray, *, mark: bool = False) -> np.ndarray:
        return numbers(targets, mark=mark)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        wanted = ((targets - self.centre) / self.spread).to(outputs.dtype)
        return (outputs - (wanted.unsqueeze(1) if outputs.ndim == 3 else wanted)).square().mean(-1)

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        return weighted_mean(self.losses(outputs, targets), weights)

    def decode(self, outputs: Tensor) -> np.ndarray:
        own = outputs.detach().cpu().double()
        return np.asarray((own.mean(1) if own.ndim == 3 else own).numpy() * self.spread + self.centre)

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Nothing: a forecast carries no confidence yet."""

    def answers(self, decoded: np.ndarray) -> Answers:
        return Answers(decoded.tolist(), np.full(len(decoded), np.nan), decoded)

    def statistics(self, decoded: np.ndarray, targets: np.ndarray) -> dict[str, Statistic]:
        return of_numbers(decoded, targets, spread=self.spread)

    @property
    def overlap(self) -> int:
        return self.horizon

    def scores(self, decoded: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Minus the mean squared error over the horizon."""
        return np.asarray(-np.square(decoded - targets).mean(1))

    def words(self, metric: str, value: float) -> str:
        if metric == "r2":
            return explained(value)
        if metric.startswith("mae"):
            return f"off by {number(value)} on average{_scale(metric)}"
        return f"typically off by {number(value**0.5)} (root mean squared error){_scale(metric)}"

    def state(self) -> dict[str, Any]:
        return {
            "task": self.name,
            "target": self.target,
            "horizon": self.horizon,
            "centre": self.centre,
            "spread": self.spread,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        known = restored(plain, cls.name, {"target": str, "horizon": int, "centre": float, "spread": float})
        if known["spread"] <= 0 or known["horizon"] < 1:
            raise ModelError("the scale of the model's task cannot be read: the folder is damaged")
        return cls(**known)


def _scale(metric: str) -> str:
    return " in standard deviations of the training part" if metric.endswith("_scaled") else ""

"""What an answer is: encoding of targets, loss, decoding, metrics, calibration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from torch import Tensor

__all__ = ["Answers", "Metric", "Task"]


class Metric(NamedTuple):
    """A figure with its 95 % interval. `groups` counts the groups that the interval is drawn over."""

    name: str
    value: float
    low: float
    high: float
    n: int
    groups: int | None = None


class Answers(NamedTuple):
    """Answers for people and programs, one a row."""

    answer: list[Any]  # label, list of tags, number, or list of h numbers
    confidence: np.ndarray  # (N,) calibrated probability of the answer; NaN for numbers
    decoded: np.ndarray  # what `decode` gave


class Task(ABC):
    """What an answer is. Fitted on training targets; its state is JSON.

    `decoded` arrays, which networks and rivals alike are judged on, hold:
      classify  (N, C) probabilities          tags      (N, K) probabilities
      regress   (N,) numbers in the target's own units    forecast  (N, h) likewise
    """

    name: ClassVar[str]
    primary: ClassVar[str]  # the metric that the verdict quotes
    higher: ClassVar[bool]  # whether more of it is better

    @classmethod
    @abstractmethod
    def fit(cls, targets: Sequence[Any] | np.ndarray, **known: Any) -> Self:
        """The task that training targets describe. Raises DataError where they describe none."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Width of the network's head."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """`one of 13: beluga, bowhead, ... (11 more)`."""

    @abstractmethod
    def encode(self, targets: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Targets as numbers: (N,) int64 for classify, float32 (N, K), (N,) or (N, h) for the others."""

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N,) from raw outputs (N, outputs); (N, k) for outputs (N, k, outputs) of k members."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        """The mean of `losses`, weighted where `weights` (N,) are given; fused where not."""

    @abstractmethod
    def decode(self, outputs: Tensor) -> np.ndarray:
        """Raw outputs to `decoded`, with the calibration applied."""

    @abstractmethod
    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Fit the temperature (or nothing) on validation outputs. Never on the test set."""

    @abstractmethod
    def answers(self, decoded: np.ndarray) -> Answers:
        """Decoded values as answers."""

    @abstractmethod
    def metrics(
        self, decoded: np.ndarray, targets: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0
    ) -> dict[str, Metric]:
        """Every promised metric of this task with intervals, drawn over groups where there are any."""

    @abstractmethod
    def scores(self, decoded: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """(N,) one figure an example that averages to a measure of quality (1 correct, or minus the error)."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All of it as JSON, the temperature too."""

    @classmethod
    @abstractmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """The task that `state` described."""

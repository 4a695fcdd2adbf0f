"""What an answer is: encoding of targets, loss, decoding, metrics, calibration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from torch import Tensor

from layerwise.recipe import Training
from layerwise.tasks.intervals import Metric, Statistic, measure, stretches

__all__ = ["Answers", "Metric", "Statistic", "Task"]


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
    def fit(
        cls, targets: Sequence[Any] | np.ndarray, *, noun: str = "rows", names: Sequence[str] = ()
    ) -> Self:
        """The task that training targets describe. Raises DataError where they describe none.

        Rows without a target are left out beforehand (`known`). `noun` says what rows are in messages
        ("files in clips/"); `names` are those of the target columns.
        """

    @classmethod
    @abstractmethod
    def known(cls, targets: Sequence[Any] | np.ndarray) -> np.ndarray:
        """(N,) bool: which rows have a target. The others are to be left out, and their number said."""

    @abstractmethod
    def configure(self, training: Training) -> None:
        """Take from the recipe what belongs to the loss. Raises UsageError for what has no use here."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Width of the network's head."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """`one of 13: beluga, bowhead, ... (11 more)`."""

    @abstractmethod
    def encode(self, targets: Sequence[Any] | np.ndarray, *, mark: bool = False) -> np.ndarray:
        """Targets as numbers.

        (N,) int64 for classify, (N, K) float32 for tags, (N,) or (N, h) float64 in own units for numbers.
        What cannot be encoded raises DataError, or with `mark` becomes -1 (a class unseen in training), no
        tag, or NaN: held-out rows are judged all the same.
        """

    @property
    @abstractmethod
    def labels(self) -> tuple[Any, ...]:
        """What the last axis of `decoded` stands for: classes or tags; nothing for numbers."""

    @property
    @abstractmethod
    def class_weights(self) -> np.ndarray | None:
        """(C,) weights of classes, where rare ones are to count more; mean 1 over the training rows."""

    def weights(self, encoded: np.ndarray, given: np.ndarray | None = None) -> np.ndarray | None:
        """(N,) float32 weights of training rows: those given times those of classes; None: all equal."""
        own = self.class_weights
        weights = given if own is None else own[encoded] * (1 if given is None else given)
        return None if weights is None else np.asarray(weights, np.float32)

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N,) from raw outputs (N, outputs); (N, k) for outputs (N, k, outputs) of k members."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        """The mean of `losses`, weighted where `weights` (N,) are given; fused where not."""

    @abstractmethod
    def decode(self, outputs: Tensor) -> np.ndarray:
        """Raw outputs to `decoded`, with the calibration applied; members are averaged."""

    @abstractmethod
    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Fit the temperature (or nothing) on validation outputs. Never on the test set."""

    @abstractmethod
    def answers(self, decoded: np.ndarray) -> Answers:
        """Decoded values as answers."""

    def top(self, decoded: np.ndarray, k: int = 5) -> list[list[tuple[Any, float]]]:
        """The k likeliest labels of each row with their probabilities; empty lists for numbers."""
        if not self.labels:
            return [[] for _ in decoded]
        order = np.argsort(-decoded, axis=1, kind="stable")[:, :k]
        return [[(self.labels[i], float(p[i])) for i in row] for row, p in zip(order, decoded, strict=True)]

    @abstractmethod
    def statistics(self, decoded: np.ndarray, targets: np.ndarray) -> dict[str, Statistic]:
        """Every promised metric of this task as a function of sums over rows."""

    @property
    @abstractmethod
    def overlap(self) -> int:
        """How many consecutive rows share target values; intervals are drawn over such stretches."""

    def units(self, n: int, groups: np.ndarray | None) -> np.ndarray | None:
        """(N,) what is drawn together for intervals: groups, or stretches of overlapping rows; or None."""
        return groups if groups is not None or self.overlap == 1 else stretches(n, self.overlap)

    def metrics(
        self, decoded: np.ndarray, targets: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0
    ) -> dict[str, Metric]:
        """Every promised metric of this task with intervals, drawn over groups where there are any."""
        n = len(targets)
        return measure(self.statistics(decoded, targets), n=n, groups=self.units(n, groups), seed=seed)

    @abstractmethod
    def scores(self, decoded: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """(N,) one figure a row that averages to a measure of quality (1 correct, or minus the error)."""

    @abstractmethod
    def words(self, metric: str, value: float) -> str:
        """A figure as people say it: `right in 71 of 100`."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All of it as JSON, the temperature too; `task` names it."""

    @classmethod
    @abstractmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """The task that `state` described. Raises ModelError on anything else."""

"""What deep energy models share: a density of X and, where there are labels, a network that begins with it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from layerwise.data import Store
from layerwise.errors import UsageError, shown
from layerwise.estimators.inputs import seed_of
from layerwise.estimators.labelled import Labelled
from layerwise.nn import Pipeline
from layerwise.randomness import Randomness
from layerwise.stacks.discriminating import tuning
from layerwise.tasks import Classify, Task
from layerwise.train import Phase

__all__ = ["Tuned"]


class Tuned(ClassifierMixin, Labelled):  # type: ignore[misc]
    """A deep density of X; with y, a network begun with its weights, which predicts. The density stays."""

    visible: Literal["bernoulli", "gaussian"] = "bernoulli"
    epochs: float
    dropout: float
    random_state: Any

    @abstractmethod
    def _learn(self, store: Store, seed: int) -> None:
        """Learn the density of the stored examples."""

    @abstractmethod
    def _tuned(self, codes: np.ndarray, task: Classify, store: Store, seed: int) -> Pipeline:
        """The network, tuned to tell the stored examples' classes apart; on vectors."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the density of all of X, and to tell classes y (N,) apart where they are given. Returns self."""
        if not 0 <= self.dropout < 1:
            raise UsageError(
                f"dropout is a share of the units, at least 0 and below 1, got {shown(self.dropout)}"
            )
        seed = seed_of(self.random_state)
        with self._stored(X, unit=self.visible == "bernoulli") as store:
            codes = None if y is None else self._codes(y, store)
            self._learn(store, seed)
            self.starts_ = self._some(store, seed)
            self.net_ = None if codes is None else self._tuned(codes, Classify.fit(codes), store, seed)
        return self

    def _phase(self, task: Task) -> Phase:
        return tuning(task, epochs=self.tuning, dropout=self.dropout > 0)

    def _begun(self, n: int, sweeps: int, random_state: Any) -> tuple[torch.Tensor, torch.Generator]:
        """Where `n` chains start, and what they draw from."""
        check_is_fitted(self)
        if n < 1 or sweeps < 1:
            raise UsageError(f"n and sweeps must be at least 1, got {n} and {sweeps}")
        generator = Randomness(seed_of(random_state)).generator("estimator samples")
        return self.starts_[torch.randint(len(self.starts_), (n,), generator=generator)], generator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

"""What deep energy models share: a density of X and, where there are labels, a network that begins with it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin

from layerwise.data import Store
from layerwise.estimators.density import Density
from layerwise.estimators.labelled import Labelled
from layerwise.estimators.parameters import RandomState, check_parameters, seed_of
from layerwise.nn import Pipeline
from layerwise.stacks.discriminating import tuning
from layerwise.tasks import Classify, Task
from layerwise.train import Phase

__all__ = ["Tuned"]


class Tuned(ClassifierMixin, Labelled, Density):  # type: ignore[misc]
    """A deep density of X; with y, a network begun with its weights, which predicts. The density stays."""

    visible: Literal["bernoulli", "gaussian"] = "bernoulli"
    epochs: float
    dropout: float
    random_state: RandomState

    @abstractmethod
    def score_samples(self, X: Any) -> np.ndarray:
        """(N,): a bound on the log-density of each example in nats, but for a constant."""

    @abstractmethod
    def _learn(self, store: Store, seed: int) -> None:
        """Learn the density of the stored examples."""

    @abstractmethod
    def _tuned(self, codes: np.ndarray, task: Classify, store: Store, seed: int) -> Pipeline:
        """The network, tuned to tell the stored examples' classes apart; on vectors."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the density of all of X, and to tell classes y (N,) apart where there are epochs of `tuning`.

        Returns self. scikit-learn's pipelines hand y to every step, also to one that is to learn features alone.
        """
        check_parameters(self)
        seed = seed_of(self.random_state)
        with self._stored(X, unit=self.visible == "bernoulli") as store:
            codes = self._codes(y, store) if self.tuning and y is not None else None
            self._learn(store, seed)
            self.starts_ = self._some(store, seed)
            self.net_ = None if codes is None else self._tuned(codes, Classify.fit(codes), store, seed)
        return self

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The accuracy for classes y (N,); without y the mean of `score_samples`.

        Of `score_samples` a constant is left out that differs from machine to machine (`log_partition`).
        """
        if y is not None:
            return float(super().score(X, y, sample_weight))
        return float(self.score_samples(X).mean())

    def _phase(self, task: Task) -> Phase:
        return tuning(task, epochs=self.tuning, dropout=self.dropout > 0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

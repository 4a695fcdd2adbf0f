"""`DeepBeliefNetwork`: restricted Boltzmann machines stacked, and tuned by backpropagation where there are labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from layerwise.data import Store
from layerwise.energy import RestrictedBoltzmannMachine, unrolled
from layerwise.errors import UsageError
from layerwise.estimators.inputs import seed_of
from layerwise.estimators.unlabelled import Unlabelled
from layerwise.nn import Head, Pipeline
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.tasks import Classify
from layerwise.train import Supervised
from layerwise.workflows.autoencoding import (
    by_conjugate_gradients,
    first_weights,
    machines,
    pretraining,
)
from layerwise.workflows.unlabelled import follow

__all__ = ["DeepBeliefNetwork"]


class DeepBeliefNetwork(ClassifierMixin, Unlabelled):  # type: ignore[misc]
    """Restricted Boltzmann machines of these `widths`, each learned on the hidden means of the one below.

    X is a matrix (N, F) of numbers, or raw: a folder or list of pictures, arrays (N, H, W). `visible` units
    are those of the lowest machine: "bernoulli" takes values from 0 to 1 as probabilities and moves others
    there, "gaussian" gives features mean 0 and spread 1 (see `RBM`). Each machine learns by CD-1 for `epochs`.
    Without y that is all. With y, classes (N,), a network begun with the stack's weights is tuned by
    backpropagation for `tuning` epochs, three line searches of conjugate gradients on each batch of 1,000, and
    predicts (Hinton and Salakhutdinov 2006, supporting material). The stack stays what it was: `transform`,
    `inverse_transform` and `sample` are of the density of X either way. `kind` and `reading` say how raw X
    is read.

    Attributes: `stack_` (a Pipeline of machines), `vectors_`, `starts_` (at most 100 training vectors),
    `n_features_in_` of a matrix; with y also
    `net_` (a Pipeline, `net_.levels(v)` are its levels) and `classes_` (C,).

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> DeepBeliefNetwork([64, 32], epochs=10).fit(X, y).predict(X[:3])
    array([0, 1, 2])
    """

    def __init__(
        self,
        widths: Sequence[int] = (500, 500, 2000),
        *,
        visible: Literal["bernoulli", "gaussian"] = "bernoulli",
        epochs: float = 30,
        tuning: float = 30,
        kind: str | None = None,
        reading: Mapping[str, Any] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.widths = widths
        self.visible = visible
        self.epochs = epochs
        self.tuning = tuning
        self.kind = kind
        self.reading = reading
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the stack from all of X, and to tell classes y (N,) apart where they are given. Returns self."""
        seed = seed_of(self.random_state)
        with self._stored(X, unit=self.visible == "bernoulli") as store:
            codes = None if y is None else self._codes(y, store)
            self.stack_ = machines(
                vector(self.vectors_.width), self.widths, visible=self.visible, code="bernoulli", seed=seed
            )
            self._machines(self.stack_)[0].start_at(torch.from_numpy(self.vectors_.means).float())
            follow(self.stack_, pretraining(self.stack_, epochs=self.epochs), self.vectors_, store, seed=seed)
            self.starts_ = self._some(store, seed)
            self.net_: Pipeline | None = None if codes is None else self._tuned(codes, store, seed)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, C) probabilities, in the order of `classes_`."""
        check_is_fitted(self)
        if self.net_ is None:
            raise UsageError("this network was fitted without y, so it knows no classes: call fit(X, y)")
        net = deepcopy(self.net_).double().eval()
        return self._mapped(X, lambda v: torch.softmax(net(v), 1))

    def predict(self, X: Any) -> np.ndarray:
        """(N,) the most probable class of each example."""
        best = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[best])

    def transform(self, X: Any) -> np.ndarray:
        """(N, widths[-1]): the means of the topmost hidden units, each level fed with the means below."""
        check_is_fitted(self)
        return self._mapped(X, deepcopy(self.stack_).double())

    def inverse_transform(self, X: Any) -> np.ndarray:
        """From hidden states (N, widths[-1]) of the top down by means, in the units of the training data."""
        values = self._features(X)
        for machine in reversed(self._machines(deepcopy(self.stack_).double())):
            values = machine.visible_mean(values)
        return self._restored(values)

    def sample(self, n: int = 1, *, sweeps: int = 100, random_state: Any = 0) -> np.ndarray:
        """`n` examples: `sweeps` of Gibbs sampling in the top machine, then one draw of each level below.

        Hinton, Osindero and Teh 2006, section 3. Each chain starts at one of the training examples in
        `starts_`, brought up to the top machine; as that has learned by CD-1, long chains drift from where
        the data are. The states themselves come back, in the units of the training data;
        `inverse_transform(transform(...))` makes expectations of them.
        """
        check_is_fitted(self)
        if n < 1 or sweeps < 1:
            raise UsageError(f"n and sweeps must be at least 1, got {n} and {sweeps}")
        generator = Randomness(seed_of(random_state)).generator("estimator samples")
        *below, top = self._machines(self.stack_)
        v = self.starts_[torch.randint(len(self.starts_), (n,), generator=generator)]
        for machine in below:
            v = machine.sample_hidden(v, generator=generator)
        v = top.gibbs(v, generator=generator, sweeps=sweeps)
        for machine in reversed(below):
            v = machine.sample_visible(v, generator=generator)
        return self._restored(v)

    @property
    def _n_features_out(self) -> int:
        return self._machines(self.stack_)[-1].weight.shape[1]

    def _codes(self, y: Any, store: Store) -> np.ndarray:
        """The numbers of the classes of the stored examples; sets `classes_`."""
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        given = len(store) + len(store.rejected)
        if len(y) != given:
            raise UsageError(f"X has {given} rows and y has {len(y)}: give a class for each row")
        self.classes_, codes = np.unique(y[store.rows], return_inverse=True)
        if len(self.classes_) < 2:
            raise UsageError(
                "y holds one class, and a classifier needs at least 2 to tell apart: leave y out for the stack alone"
            )
        return codes

    def _tuned(self, codes: np.ndarray, store: Store, seed: int) -> Pipeline:
        task = Classify.fit(codes)
        with first_weights(seed):
            encoder = unrolled(self._machines(self.stack_)).encoder
            head = Head.from_spec(vector(self._n_features_out), outputs=task.outputs)
        net = Pipeline(**dict(encoder.stages()), answer=head)
        phase = by_conjugate_gradients(Supervised(task), epochs=self.tuning)
        follow(net, (phase,), self.vectors_, store, seed=seed, targets=task.encode(codes))
        return net

    def _machines(self, stack: Pipeline) -> list[RestrictedBoltzmannMachine]:
        """From the lowest up."""
        return [stage for _, stage in stack.stages() if isinstance(stage, RestrictedBoltzmannMachine)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

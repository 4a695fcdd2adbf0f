"""`DeepBeliefNetwork`: restricted Boltzmann machines stacked, and tuned by backpropagation where there are labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from layerwise.data import Store
from layerwise.energy import RestrictedBoltzmannMachine, belief_bound
from layerwise.estimators.density import bounded
from layerwise.estimators.parameters import AtLeastZero, RandomState
from layerwise.estimators.tuned import Tuned
from layerwise.nn import Pipeline
from layerwise.nn.options import Channels, Positive, Share
from layerwise.nn.stage import vector
from layerwise.stacks.autoencoding import machines, pretraining
from layerwise.stacks.discriminating import from_stack, with_dropout
from layerwise.tasks import Classify
from layerwise.workflows.unlabelled import follow

__all__ = ["DeepBeliefNetwork"]


class DeepBeliefNetwork(Tuned):
    """Restricted Boltzmann machines of these `widths`, each learned on the hidden means of the one below.

    X is a matrix (N, F) of numbers, or raw: a folder or list of pictures, arrays (N, H, W). `visible` units
    are those of the lowest machine: "bernoulli" takes values from 0 to 1 as probabilities and moves others
    there, "gaussian" gives features mean 0 and spread 1 (see `RBM`). Each machine learns by CD-1 for `epochs`.
    Without y that is all. With y, classes (N,), a network begun with the stack's weights is tuned by
    backpropagation for `tuning` epochs, three line searches of conjugate gradients on each batch of 1,000, and
    predicts (Hinton and Salakhutdinov 2006, supporting material); with `dropout`, the share of hidden units that
    is left out, by AdamW (Srivastava et al. 2014). The stack stays what it was: `transform`,
    `inverse_transform`, `score_samples` and `sample` are of the density of X either way. `kind` and `reading` say
    how raw X is read.

    Attributes: `stack_` (a Pipeline of machines), `vectors_`, `starts_` (at most 100 training vectors),
    `n_features_in_` of a matrix; with y also `net_` (a Pipeline, `net_.levels(v)` are its levels) and
    `classes_` (C,).

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> DeepBeliefNetwork([64, 32], epochs=10).fit(X, y).predict(X[:3])
    array([0, 1, 2])
    """

    def __init__(
        self,
        widths: Sequence[Channels] = (500, 500, 2000),
        *,
        visible: Literal["bernoulli", "gaussian"] = "bernoulli",
        epochs: Positive = 30,
        tuning: AtLeastZero = 30,
        dropout: Share = 0.0,
        kind: str | None = None,
        reading: Mapping[str, Any] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.widths = widths
        self.visible = visible
        self.epochs = epochs
        self.tuning = tuning
        self.dropout = dropout
        self.kind = kind
        self.reading = reading
        self.random_state = random_state

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

    def score_samples(self, X: Any) -> np.ndarray:
        """(N,): a lower bound on the log-density in nats but for a constant, log Z of the topmost machine.

        See `layerwise.energy.belief_bound`: its 20 draws are the same at every call. With
        `log_partition().value` taken off it bounds the log-likelihood in nats.
        """
        check_is_fitted(self)
        stack = self._machines(deepcopy(self.stack_).double())
        return self._mapped(X, lambda v: belief_bound(stack, v))

    def sample(self, n: int = 1, *, sweeps: int = 100, random_state: RandomState = 0) -> np.ndarray:
        """`n` examples: `sweeps` of Gibbs sampling in the top machine, then one draw of each level below.

        Hinton, Osindero and Teh 2006, section 3. Each chain starts at one of the training examples in
        `starts_`, brought up to the top machine; as that has learned by CD-1, long chains drift from where
        the data are. The states themselves come back, in the units of the training data; `reconstruct` makes
        expectations of them.
        """
        v, generator = self._begun(n, sweeps, random_state)
        *below, top = self._machines(self.stack_)
        for machine in below:
            v = machine.sample_hidden(v, generator=generator)
        v = top.gibbs(v, generator=generator, sweeps=sweeps)
        for machine in reversed(below):
            v = machine.sample_visible(v, generator=generator)
        return self._restored(v)

    @property
    def _n_features_out(self) -> int:
        return self._machines(self.stack_)[-1].weight.shape[1]

    def _learn(self, store: Store, seed: int) -> None:
        self.stack_ = machines(
            vector(self.vectors_.width),
            tuple(self.widths),
            visible=self.visible,
            code="bernoulli",
            seed=seed,
        )
        self._machines(self.stack_)[0].start_at(torch.from_numpy(self.vectors_.means).float())
        follow(self.stack_, pretraining(self.stack_, epochs=self.epochs), self.vectors_, store, seed=seed)
        bounded(self.stack_)

    def _unnormalised(self) -> tuple[RestrictedBoltzmannMachine, torch.Tensor]:
        """The topmost machine, which is the prior of what it sees; of the training examples in `starts_`."""
        *below, top = self._machines(deepcopy(self.stack_).double())
        seen = self.starts_.double()
        for machine in below:
            seen = machine.hidden_mean(seen)
        return top, seen.mean(0)

    def _tuned(self, codes: np.ndarray, task: Classify, store: Store, seed: int) -> Pipeline:
        net = from_stack(self._machines(self.stack_), outputs=task.outputs, seed=seed)
        net = with_dropout(net, self.dropout) if self.dropout else net
        follow(net, (self._phase(task),), self.vectors_, store, seed=seed, targets=task.encode(codes))
        return net

    def _machines(self, stack: Pipeline) -> list[RestrictedBoltzmannMachine]:
        """From the lowest up."""
        return [stage for _, stage in stack.stages() if isinstance(stage, RestrictedBoltzmannMachine)]

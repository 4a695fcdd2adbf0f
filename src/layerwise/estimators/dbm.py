"""`DeepBoltzmannMachine`: a deep density of the data, and a network begun with it where there are labels."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from layerwise import energy
from layerwise.data import Store
from layerwise.estimators.density import bounded
from layerwise.estimators.parameters import AtLeastZero, RandomState
from layerwise.estimators.tuned import Tuned
from layerwise.nn import Pipeline
from layerwise.nn.options import Channels, Positive, Share
from layerwise.nn.stage import vector
from layerwise.stacks.boltzmann import deep_machine
from layerwise.stacks.discriminating import Joined, from_machine, with_dropout
from layerwise.tasks import Classify
from layerwise.train import Plan
from layerwise.workflows.unlabelled import derived, follow

__all__ = ["DeepBoltzmannMachine"]


class DeepBoltzmannMachine(Tuned):
    """Layers of units 0 or 1 of these `widths`, two or more, above what is seen; each tied to its neighbours.

    X is a matrix (N, F) of numbers, or raw: a folder or list of pictures, arrays (N, H, W). Values from 0 to 1
    are taken as probabilities, others are moved there (see `RBM`). The machine begins layer by layer, by CD-1,
    and then learns as one by mean field and chains that persist, `epochs` each (Salakhutdinov and Hinton 2009,
    "Deep Boltzmann machines"). Without y that is all. With y, classes (N,), a network that sees the values, and
    beside them the means of the second hidden layer, is begun with the machine's weights, tuned by
    backpropagation for `tuning` epochs, and predicts (section 3.3): by three line searches of conjugate
    gradients on each batch of 1,000 or, with `dropout`, the share of hidden units that is left out, by AdamW
    (Srivastava et al. 2014). The machine stays what it was. `kind` and `reading` say how raw X is read.

    Attributes: `machine_` (a `layerwise.energy.DeepBoltzmannMachine`), `vectors_`, `starts_` (at most 100
    training vectors), `n_features_in_` of a matrix; with y also `net_` (a Pipeline) and `classes_` (C,).

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> DeepBoltzmannMachine([64, 32], epochs=10).fit(X, y).predict(X[:3])
    array([0, 1, 2])
    """

    machine_: energy.DeepBoltzmannMachine

    def __init__(
        self,
        widths: Sequence[Channels] = (500, 1000),
        *,
        epochs: Positive = 30,
        tuning: AtLeastZero = 30,
        dropout: Share = 0.0,
        kind: str | None = None,
        reading: Mapping[str, Any] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.widths = widths
        self.epochs = epochs
        self.tuning = tuning
        self.dropout = dropout
        self.kind = kind
        self.reading = reading
        self.random_state = random_state

    def transform(self, X: Any) -> np.ndarray:
        """(N, widths[-1]): the means of the topmost hidden units, by mean field."""
        return self._mapped(X, self._precise())

    def inverse_transform(self, X: Any) -> np.ndarray:
        """From states (N, widths[-1]) of the topmost units down by means, in the units of the training data."""
        states = self._features(X)
        return self._restored(self._precise().downwards(states))

    def score_samples(self, X: Any) -> np.ndarray:
        """(N,): a lower bound on the log-density in nats but for a constant, log Z. Nothing is drawn.

        The bound is that of mean field. With `log_partition().value` taken off it bounds the log-likelihood.
        """
        machine = self._precise()
        return self._mapped(X, lambda v: -machine.variational_free_energy(v, machine.posterior(v)))

    def sample(self, n: int = 1, *, sweeps: int = 1000, random_state: RandomState = 0) -> np.ndarray:
        """`n` examples drawn by block Gibbs sampling, in the units of the training data.

        Each chain starts at one of the training examples in `starts_`, its hidden layers as mean field has
        them. The states themselves come back; `reconstruct` makes expectations of them.
        """
        v, generator = self._begun(n, sweeps, random_state)
        with torch.no_grad():
            even = [v, *self.machine_.posterior(v)][::2]
        return self._restored(self.machine_.gibbs(even, generator=generator, sweeps=sweeps)[0])

    @property
    def _n_features_out(self) -> int:
        return self.machine_.sizes[-1]

    def _learn(self, store: Store, seed: int) -> None:
        def run(net: nn.Module, plan: Plan) -> None:
            follow(net, plan, self.vectors_, store, seed=seed)

        means = torch.from_numpy(self.vectors_.means).float()
        spec = vector(self.vectors_.width)
        self.machine_ = deep_machine(spec, self.widths, run, means=means, epochs=self.epochs, seed=seed)
        bounded(self.machine_)

    def _unnormalised(self) -> tuple[energy.RestrictedBoltzmannMachine, torch.Tensor]:
        """The machine as a restricted one of two halves; of the training examples in `starts_` the even layers."""
        machine, v = self._precise(), self.starts_.double()
        even = [v, *machine.posterior(v)][::2]
        return machine.halves(), torch.cat(even, 1).mean(0)

    def _tuned(self, codes: np.ndarray, task: Classify, store: Store, seed: int) -> Pipeline:
        joined = Joined(deepcopy(self.machine_))
        net = from_machine(self.machine_, outputs=task.outputs, seed=seed)
        net = with_dropout(net, self.dropout) if self.dropout else net
        with tempfile.TemporaryDirectory(prefix="layerwise-") as run:
            vectors, beside = derived(self.vectors_, store, joined, run=Path(run))
            follow(net, (self._phase(task),), vectors, beside, seed=seed, targets=task.encode(codes))
        return Pipeline(joined=joined, **dict(net.stages()))

    def _precise(self) -> energy.DeepBoltzmannMachine:
        """The machine in float64, in which an answer does not depend on its neighbours."""
        check_is_fitted(self)
        return deepcopy(self.machine_).double().requires_grad_(False)

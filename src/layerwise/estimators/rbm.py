"""`RBM`: the restricted Boltzmann machine as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from layerwise.energy import RestrictedBoltzmannMachine
from layerwise.errors import DataError, UsageError, shown, suggest
from layerwise.estimators.density import Density, bounded
from layerwise.estimators.parameters import AtLeastZero, RandomState, Whole, check_parameters, seed_of
from layerwise.nn.options import Between, Channels, Count, Positive
from layerwise.nn.stage import vector
from layerwise.stacks.autoencoding import first_weights
from layerwise.train import ContrastiveDivergence, Phase, Plan, optimiser, stepped, trapezoid
from layerwise.workflows.unlabelled import follow

__all__ = ["RBM"]

METHODS = ("cd", "pcd", "tempering")
LADDER = tuple(1 - level / 9 for level in range(10))  # inverse temperatures of "tempering"
RATE, RATE_OF_CHAINS, LEAST_RATE = 0.1, 0.03, 0.001
SLOW = 0.5  # the most momentum in the first tenth of the epochs (Hinton 2010, section 9)


class RBM(Density):
    """A restricted Boltzmann machine: a density of the data, and `width` features of them.

    X is a matrix (N, F) of numbers, or raw: a folder or list of pictures, arrays (N, H, W). "bernoulli"
    visible units take values from 0 to 1 as probabilities: data that lie elsewhere are moved there, each
    feature by its least and greatest training value (pictures by their full scale). "gaussian" ones are real:
    features get mean 0 and variance 1 (pictures one variance for all pixels). "softmax" ones are groups of
    `categories` columns that follow one another, of which one is 1 and the others are 0, as
    `OneHotEncoder` makes them of columns with so many categories each. Reconstructions and samples are in the
    units of X again; energies and `score_samples` are of the values so moved.

    `hidden` units are 0 or 1 ("bernoulli"), noisy rectified linear ("relu": likelihoods do not exist and free
    energies are approximate) or real ("gaussian"). `method` is contrastive divergence ("cd"), the same with
    chains that persist ("pcd"), or chains at ten temperatures ("tempering", ten times the work), each of `k`
    sweeps a step. `rate` is 0.1, or 0.03 with chains, if None, and a tenth of it for each layer whose units are
    not 0 or 1; it falls over the last third of the `epochs`. `momentum` is at most 0.5 in the first tenth of
    them; `decay` is the weight cost; `sparsity` the share of examples for which a hidden unit of 0 or 1 is
    to be on (Hinton 2010, "A practical guide to training restricted Boltzmann machines").

    `kind` and `reading` say how raw X is read: `kind="image", reading={"size": 32}`.

    Attributes: `machine_` (a `RestrictedBoltzmannMachine`), `vectors_`, `starts_` (at most 100 training vectors),
    `n_features_in_` of a matrix.

    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> RBM(32, epochs=2).fit(X).transform(X).shape
    (1797, 32)
    """

    def __init__(
        self,
        width: Channels = 256,
        *,
        visible: Literal["bernoulli", "gaussian", "softmax"] = "bernoulli",
        categories: Annotated[int, Between(2, 1 << 16)] | None = None,
        hidden: Literal["bernoulli", "relu", "gaussian"] = "bernoulli",
        method: str = "cd",
        k: Count = 1,
        epochs: Positive = 30,
        batch: Whole = 100,
        rate: Positive | None = None,
        momentum: Annotated[float, Between(0, 0.999)] = 0.9,
        decay: AtLeastZero = 0.0002,
        sparsity: float | None = None,
        kind: str | None = None,
        reading: Mapping[str, Any] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.width = width
        self.visible = visible
        self.categories = categories
        self.hidden = hidden
        self.method = method
        self.k = k
        self.epochs = epochs
        self.batch = batch
        self.rate = rate
        self.momentum = momentum
        self.decay = decay
        self.sparsity = sparsity
        self.kind = kind
        self.reading = reading
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Learn from all rows; y is not looked at. Returns self.

        Warns (ConvergenceWarning) where reconstructions are clearly further from examples than their mean is:
        the rate is too high then.
        """
        check_parameters(self)
        plan = self._plan()
        seed = seed_of(self.random_state)
        with self._stored(X, unit=self.visible != "gaussian") as store:
            with first_weights(seed):
                machine = RestrictedBoltzmannMachine.from_spec(
                    vector(self.vectors_.width),
                    width=self.width,
                    visible=self.visible,
                    hidden=self.hidden,
                    categories=self.categories,
                )
            if self.categories is not None:
                _one_of_each(self.vectors_.means, self.categories)
            machine.start_at(torch.from_numpy(self.vectors_.means).float())
            follow(machine, plan, self.vectors_, store, seed=seed)
            bounded(machine)
            self.starts_ = self._some(store, seed)
        _warn_if_no_better(machine, self.starts_)
        self.machine_ = machine
        return self

    def transform(self, X: Any) -> np.ndarray:
        """(N, width): the expected hidden states."""
        return self._mapped(X, self._precise().hidden_mean)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """What is expected to be seen given hidden states (N, width), in the units of the training data."""
        return self._restored(self._precise().visible_mean(self._features(X)))

    def free_energy(self, v: Any) -> np.ndarray:
        """(N,): -log of the unnormalised density of examples, in nats; approximate for "relu"."""
        return self._mapped(v, self._precise().free_energy)

    def score_samples(self, X: Any) -> np.ndarray:
        """(N,): minus the free energy, the log-density but for a constant. Nothing is drawn.

        With `log_partition().value` taken off it is the log-likelihood in nats.
        """
        return -self.free_energy(X)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """The mean of `score_samples`, which leaves out a constant that differs from machine to machine.

        To compare machines, take `log_partition().value` off it: that is the mean log-likelihood.
        """
        return float(self.score_samples(X).mean())

    def sample(self, n: int = 1, *, sweeps: int = 1000, random_state: RandomState = 0) -> np.ndarray:
        """`n` examples drawn by block Gibbs sampling, in the units of the training data.

        Each chain starts at one of the training examples in `starts_`. To sample, learn by "pcd": CD leaves
        modes far from the data, into which long chains drift (Tieleman 2008, "Training restricted Boltzmann
        machines using approximations to the likelihood gradient"). The states themselves come back;
        `reconstruct` makes expectations of them, which look better as pictures.
        """
        v, generator = self._begun(n, sweeps, random_state)
        return self._restored(self.machine_.gibbs(v, generator=generator, sweeps=sweeps))

    @property
    def _n_features_out(self) -> int:
        return self.machine_.weight.shape[1]

    def _unnormalised(self) -> tuple[RestrictedBoltzmannMachine, torch.Tensor]:
        return self._precise(), torch.from_numpy(self.vectors_.means)

    def _precise(self) -> RestrictedBoltzmannMachine:
        """The machine in float64, in which an answer does not depend on its neighbours."""
        check_is_fitted(self)
        return deepcopy(self.machine_).double()

    def _plan(self) -> Plan:
        """A slow first tenth, then the rest (Hinton 2010, section 9)."""
        if self.method not in METHODS:
            raise UsageError(
                f"no method {shown(self.method)}{suggest(str(self.method), METHODS) or '.'}"
                f" Methods: {', '.join(METHODS)}"
            )
        rate = self._usual_rate() if self.rate is None else self.rate
        phase = Phase(
            "train",
            self._objective(),
            optimiser("sgd", rate=rate, momentum=self.momentum, decay=self.decay),
            size=int(self.batch),  # steps are counted by it, in more bits than numpy's
            epochs=self.epochs,
            schedule=trapezoid,
            momentum=stepped(min(SLOW, self.momentum), self.momentum),
        )
        return (phase,)

    def _usual_rate(self) -> float:
        real = sum(units not in ("bernoulli", "softmax") for units in (self.visible, self.hidden))
        return max(LEAST_RATE, (RATE if self.method == "cd" else RATE_OF_CHAINS) / 10.0**real)

    def _objective(self) -> ContrastiveDivergence:
        return ContrastiveDivergence(
            k=self.k,
            persistent=self.method == "pcd",
            betas=LADDER if self.method == "tempering" else None,
            sparsity=self.sparsity,
        )


def _warn_if_no_better(machine: RestrictedBoltzmannMachine, v: torch.Tensor) -> None:
    """What is learned of noise is about as far from `v` (n, V) as the mean is; 1.1 times as far is worse."""
    with torch.no_grad():
        error = float((machine.visible_mean(machine.hidden_mean(v)) - v).square().sum(1).mean())
    spread = float((v - v.mean(0)).square().sum(1).mean())
    if error > 1.1 * spread and len(v) > 1:
        warnings.warn(
            f"reconstructions are further from the examples (squared error {error:.3g}) than their mean is"
            f" ({spread:.3g}): give a lower rate, or more epochs",
            ConvergenceWarning,
            stacklevel=3,
        )


def _one_of_each(means: np.ndarray, categories: int) -> None:
    """Raise DataError where the groups of a softmax do not sum to 1 on average: each is to have one 1."""
    sums = means.reshape(-1, categories).sum(1)
    wrong = np.flatnonzero(abs(sums - 1) > 1e-6)
    if len(wrong):
        first = int(wrong[0]) * categories
        raise DataError(
            f"columns {first + 1} to {first + categories} of X sum to {sums[wrong[0]]:.4g} a row on average,"
            " expected 1: softmax units take one 1 among zeros in each group of categories, as OneHotEncoder"
            " makes them"
        )

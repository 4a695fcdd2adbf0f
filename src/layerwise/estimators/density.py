"""What learners of a density share: chains that start at training examples, and log Z."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from layerwise.energy import (
    Estimate,
    RestrictedBoltzmannMachine,
    annealed_log_partition,
    exact_log_partition,
)
from layerwise.errors import DataError, UsageError, shown
from layerwise.estimators.parameters import RandomState, Whole, check, seed_of
from layerwise.estimators.unlabelled import Unlabelled
from layerwise.randomness import Randomness

__all__ = ["Density", "bounded"]

LARGEST = 1e3  # of weights: log-odds of a thousand are surer than anything that examples can teach


class Density(Unlabelled):
    """A learner of features that are those of a density of X. `starts_` are at most 100 training vectors."""

    starts_: Tensor

    @abstractmethod
    def _unnormalised(self) -> tuple[RestrictedBoltzmannMachine, Tensor]:
        """The machine, in float64, whose log Z `score_samples` leaves out; the means of what it sees (V,)."""

    def log_partition(self, method: str = "exact", *, random_state: RandomState = 0) -> Estimate:
        """log Z in nats with its 95 % interval: `value`, `low`, `high`, `method`.

        It is what `score_samples` leaves out. "exact" sums over the states of a layer of at most 25 units, and
        its interval is a point; "ais" is annealed importance sampling from the means of the training data, 100
        chains along 1,000 inverse temperatures. Raises UsageError for "relu" units, and where there are too
        many states.
        """
        check_is_fitted(self)
        machine, means = self._unnormalised()
        if method == "exact":
            return exact_log_partition(machine)
        if method == "ais":
            return annealed_log_partition(machine, Randomness(seed_of(random_state)), base=means)
        raise UsageError(f"method must be 'exact' or 'ais', got {shown(method)}")

    def _begun(self, n: Any, sweeps: Any, random_state: RandomState) -> tuple[Tensor, torch.Generator]:
        """Where `n` chains start, and what they draw from."""
        check_is_fitted(self)
        check("n", n, Whole)
        check("sweeps", sweeps, Whole)
        generator = Randomness(seed_of(random_state)).generator("estimator samples")
        return self.starts_[torch.randint(len(self.starts_), (n,), generator=generator)], generator


def bounded(machine: nn.Module) -> None:
    """Raise DataError where the machine's weights blew up.

    The loop cannot tell by the loss, which is an error of reconstruction: of units of 0 or 1 it is at most 1.
    """
    largest = max(float(p.detach().abs().max()) for p in machine.parameters())
    if largest > LARGEST:
        raise DataError(
            f"training blew up: a weight or bias became {largest:.2g}, and {LARGEST:,.0f} is beyond anything"
            " that can be learned. Give a lower rate, or fewer epochs"
        )

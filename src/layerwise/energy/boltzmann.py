"""The general Boltzmann machine: binary units, any of them tied to any other."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from layerwise.energy.enumeration import configurations
from layerwise.errors import UsageError

__all__ = ["BoltzmannMachine", "Moments"]


class Moments(NamedTuple):
    """What states do on average: `pairs` (U (U - 1) / 2,) how often two units are 1 together, `units` (U,)."""

    pairs: Tensor
    units: Tensor

    def minus(self, other: Moments) -> Moments:
        """Clamped minus free is the gradient of the mean log-likelihood."""
        return Moments(self.pairs - other.pairs, self.units - other.units)


class BoltzmannMachine(nn.Module):
    """Units 0 and 1 of which the first `visible` are seen (Ackley, Hinton and Sejnowski 1985).

    The energy of a state x is -sum over pairs i < j of w_ij x_i x_j, minus b . x. `couplings`
    (U (U - 1) / 2,) are the weights of the pairs, row by row, so that they are symmetric and without
    self-connection whatever an optimiser does; `bias` is (U,). Both start at 0.

    The gradient of the mean log-likelihood is `moments` with the visible units clamped to data, minus
    `moments` of the machine running free (equation 7): by `exact_moments` for at most 20 units not given,
    otherwise from states that `gibbs` has drawn.
    """

    _pairs: Tensor

    def __init__(self, visible: int, *, hidden: int = 0) -> None:
        if visible < 1 or hidden < 0:
            raise UsageError(f"a machine needs at least 1 visible unit, got {visible} and {hidden} hidden")
        super().__init__()
        self.visible, self.units = visible, visible + hidden
        self.couplings = nn.Parameter(torch.zeros(self.units * (self.units - 1) // 2))
        self.bias = nn.Parameter(torch.zeros(self.units))
        self.register_buffer("_pairs", torch.triu_indices(self.units, self.units, 1), persistent=False)

    @property
    def weights(self) -> Tensor:
        """(U, U), symmetric, zero on the diagonal."""
        upper = self.bias.new_zeros(self.units, self.units)
        upper[self._pairs[0], self._pairs[1]] = self.couplings
        return upper + upper.T

    def energy(self, states: Tensor) -> Tensor:
        """(N, U) to (N,)."""
        return -((states @ self.weights) * states).sum(1) / 2 - states @ self.bias

    def conditional(self, states: Tensor) -> Tensor:
        """Probability that each unit is 1, given all others: (N, U) to (N, U)."""
        return torch.sigmoid(states @ self.weights + self.bias)

    @torch.no_grad()
    def gibbs(
        self,
        states: Tensor,
        *,
        generator: Generator,
        updates: int = 1,
        clamped: int = 0,
        beta: float | Tensor = 1.0,
    ) -> Tensor:
        """Random-scan Gibbs sampling of exp(-beta * energy): (N, U) to new states (N, U).

        `updates` times, in each chain, a unit drawn at random beyond the first `clamped` ones is drawn
        given all others; `clamped=machine.visible` keeps the data, and all of a machine without hidden
        units. `beta` is one number or (N,). Each update is in detailed balance (Geman and Geman 1984).
        """
        if states.shape[1:] != (self.units,):
            raise UsageError(f"states must be (N, {self.units}), got {tuple(states.shape)}")
        if clamped == self.units:
            return states
        states, weights = states.clone(), self.weights
        chains, device = torch.arange(len(states), device=states.device), states.device
        shape = (updates, len(states))
        units = torch.randint(clamped, self.units, shape, generator=generator, device=device)
        draws = torch.rand(shape, generator=generator, device=device, dtype=states.dtype)
        for unit, draw in zip(units, draws, strict=True):
            fields = (weights[unit] * states).sum(1) + self.bias[unit]
            states[chains, unit] = (draw < torch.sigmoid(beta * fields)).to(states.dtype)
        return states

    def moments(self, states: Tensor) -> Moments:
        """Averages over sampled states (N, U)."""
        return self._moments(states.T @ states / len(states), states.mean(0))

    def free_energy(self, given: Tensor) -> Tensor:
        """-log of the sum of exp(-energy) over all units but the first k, which `given` (N, k) sets: (N,).

        Exact, by enumeration of at most 20 units.
        """
        return -torch.logsumexp(self._weigh(given)[0], 1)

    def log_partition(self) -> Tensor:
        """log Z, exact: a scalar."""
        return -self.free_energy(self.bias.new_zeros(1, 0))[0]

    def log_likelihood(self, visible: Tensor) -> Tensor:
        """log p of visible units (N, V), exact, in nats: (N,)."""
        return -self.free_energy(visible) - self.log_partition()

    def exact_moments(self, given: Tensor | None = None) -> Moments:
        """Averages over the rows of `given` (N, k) of what is expected with the first k units set so.

        Without it, what is expected of the machine running free.
        """
        given = self.bias.new_zeros(1, 0) if given is None else given
        log_weights, rest = self._weigh(given)
        chances = torch.softmax(log_weights, 1)  # (N, S)
        expected = chances @ rest
        across = given.T @ expected / len(given)
        top = torch.cat([given.T @ given / len(given), across], 1)
        bottom = torch.cat([across.T, rest.T @ (chances.mean(0)[:, None] * rest)], 1)
        return self._moments(torch.cat([top, bottom]), torch.cat([given, expected], 1).mean(0))

    def _moments(self, products: Tensor, units: Tensor) -> Moments:
        return Moments(products[self._pairs[0], self._pairs[1]], units)

    def _weigh(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the energies (N, S) of `given` with every setting (S, U - k) of the rest, and those."""
        k = given.shape[1]
        if given.ndim != 2 or k > self.units:
            raise UsageError(
                f"given units must be (N, k) with k at most {self.units}, got {tuple(given.shape)}"
            )
        rest = configurations(self.units - k).to(self.bias)
        weights = self.weights
        own = ((given @ weights[:k, :k]) * given).sum(1) / 2 + given @ self.bias[:k]
        among = ((rest @ weights[k:, k:]) * rest).sum(1) / 2
        return own[:, None] + among + (given @ weights[:k, k:] + self.bias[k:]) @ rest.T, rest

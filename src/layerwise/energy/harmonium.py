"""Two layers of units tied only across: what all restricted Boltzmann machines share, however they share weights."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Generator, Tensor, nn

from layerwise.energy.units import Units
from layerwise.nn.stage import Stage

__all__ = ["Harmonium", "scaled"]


class Harmonium(Stage):
    """Visible units v and hidden units h with the energy cost(v) + cost(h) - b v - c h - v W h.

    Welling, Rosen-Zvi and Hinton 2004, "Exponential family harmoniums". States are (N, ...); what a machine
    adds is how its `weight` ties one layer to the other. Units that share a bias have an axis of length 1 in
    it.

    Where products run in lower precision (autocast), states, inputs and slopes keep the precision of what went
    in: only the products are rounded.

    `beta` is an inverse temperature: it scales W and c, and leaves b and the costs, so that at 0 the visible
    units are independent and follow b. One number, or one for each row (N,).
    """

    visible: Units
    hidden: Units
    weight: nn.Parameter
    visible_bias: nn.Parameter
    hidden_bias: nn.Parameter

    @abstractmethod
    def seen(self, x: Tensor) -> Tensor:
        """Examples (N, ...) as states of the visible units."""

    @abstractmethod
    def hidden_input(self, v: Tensor) -> Tensor:
        """What reaches the hidden units, their bias included."""

    @abstractmethod
    def visible_input(self, h: Tensor, *, beta: float | Tensor = 1.0) -> Tensor:
        """What reaches the visible units, their bias included."""

    @abstractmethod
    def contrast(self, v: Tensor, h: Tensor, other_v: Tensor, other_h: Tensor) -> Tensor:
        """How often what each weight ties is on together in the rows of (v, h), less the same of the others.

        Summed over rows and places, in the shape of `weight`; the slope of minus their energies.
        """

    @torch.no_grad()
    def start_at(self, means: Tensor) -> None:
        """Set the visible biases to those under which, without hidden units, data have these means."""
        self.visible_bias.copy_(self.visible.bias(means))

    def hidden_mean(self, v: Tensor) -> Tensor:
        """Expected hidden states given visible ones."""
        return self.hidden.mean(self.hidden_input(v))

    def visible_mean(self, h: Tensor) -> Tensor:
        """Expected visible states given hidden ones."""
        return self.visible.mean(self.visible_input(h))

    def reconstruct(self, v: Tensor) -> Tensor:
        """There and back by means."""
        return self.visible_mean(self.hidden_mean(v))

    @torch.no_grad()
    def sample_hidden(self, v: Tensor, *, generator: Generator) -> Tensor:
        """Hidden states drawn given visible ones."""
        return self.hidden.sample(self.hidden_input(v), generator)

    @torch.no_grad()
    def sample_visible(self, h: Tensor, *, generator: Generator) -> Tensor:
        """Visible states drawn given hidden ones."""
        return self.visible.sample(self.visible_input(h), generator)

    @torch.no_grad()
    def gibbs(
        self, v: Tensor, *, generator: Generator, sweeps: int = 1, beta: float | Tensor = 1.0
    ) -> Tensor:
        """`sweeps` times all hidden units given all visible ones, then those given the hidden.

        Block Gibbs sampling; it leaves exp(-free_energy(v, beta=beta)) as it is where the units are exact.
        """
        for _ in range(sweeps):
            h = self.hidden.sample(scaled(self.hidden_input(v), beta), generator)
            v = self.visible.sample(self.visible_input(h, beta=beta), generator)
        return v

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """Of each row of v with the same of h: (N,). Raises UsageError for "relu", of which there is none."""
        return self._own(v) + self.hidden.cost(h) - (self.hidden_input(v) * h).flatten(1).sum(1)

    def free_energy(self, v: Tensor, *, beta: float | Tensor = 1.0) -> Tensor:
        """-log of the sum of exp(-energy) over all hidden states: (N,). Approximate for "relu"."""
        return self._own(v) - self.hidden.log_partition(scaled(self.hidden_input(v), beta))

    def _own(self, v: Tensor) -> Tensor:
        """The energy of visible states by themselves: (N,)."""
        return self.visible.cost(v.flatten(1)) - (v * self.visible_bias).flatten(1).sum(1)


def scaled(x: Tensor, beta: float | Tensor) -> Tensor:
    """Each row of x times beta, one number or one for each row."""
    if isinstance(beta, Tensor):
        return x * beta.view(-1, *(1,) * (x.ndim - 1))
    return x if beta == 1.0 else x * beta

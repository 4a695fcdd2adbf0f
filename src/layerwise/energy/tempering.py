"""Replica exchange: chains at several temperatures that trade their states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Generator, Tensor

from layerwise.errors import UsageError

__all__ = ["Energy", "Swapped", "Tempering", "Transition"]

Energy: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""States (M, ...) and their betas (M,) to -log of the unnormalised probability at that beta: (M,)."""

Transition: TypeAlias = Callable[[Tensor, Tensor, Generator], Tensor]
"""States (M, ...), their betas (M,) and a generator to new states; leaves each beta's distribution as it is."""


class Swapped(NamedTuple):
    """`states` (T, N, ...) after an attempt, and which pairs of neighbours traded: (pairs, N), bool."""

    states: Tensor
    traded: Tensor


@dataclass(frozen=True)
class Tempering:
    """N independent ladders of T replicas each, one at each of `betas` (T,) (Geyer 1991; Hukushima, Nemoto 1996).

    States are (T, N, ...); those at index t are distributed at betas[t]. Neighbours must overlap: where
    few of `traded` are True, put the betas closer. The energy is a function of the beta, so that a path
    between two models, or a sum over hidden units, is tempered as well as beta * energy:

        Tempering(betas, energy=lambda s, b: b * ising.energy(s),
                  transition=lambda s, b, g: ising.sweep(s, beta=b, generator=g))
    """

    betas: Tensor
    energy: Energy
    transition: Transition

    def __post_init__(self) -> None:
        if self.betas.ndim != 1 or len(self.betas) < 2:
            raise UsageError(f"tempering needs a ladder of at least 2 betas, got {tuple(self.betas.shape)}")

    def step(self, states: Tensor, number: int, *, generator: Generator) -> Swapped:
        """One transition of every replica, then one attempt to trade; pairs alternate with `number`."""
        self._check(states)
        moved = self.transition(states.flatten(0, 1), self._each(states), generator)
        return self.swap(moved.view_as(states), number % 2, generator=generator)

    def acceptance(self, states: Tensor, first: int) -> Tensor:
        """Probability that levels t and t + 1 trade, t = `first`, `first` + 2, ...: (pairs, N).

        It is the ratio of the joint probabilities after and before, at most 1, so that trading is in
        detailed balance.
        """
        self._check(states)
        lower, upper = self._pairs(first)
        traded = states.clone()
        traded[lower], traded[upper] = states[upper], states[lower]
        fall = self._energies(states) - self._energies(traded)
        return torch.exp(fall[lower] + fall[upper]).clamp(max=1.0)

    def swap(self, states: Tensor, first: int, *, generator: Generator) -> Swapped:
        """One attempt of levels t and t + 1, t = `first`, `first` + 2, ..., to trade: `first` is 0 or 1."""
        chances = self.acceptance(states, first)
        draws = torch.rand(chances.shape, generator=generator, device=states.device, dtype=chances.dtype)
        traded = draws < chances
        lower, upper = self._pairs(first)
        which = traded.view(traded.shape + (1,) * (states.ndim - 2))
        after = states.clone()
        after[lower] = torch.where(which, states[upper], states[lower])
        after[upper] = torch.where(which, states[lower], states[upper])
        return Swapped(after, traded)

    def _pairs(self, first: int) -> tuple[Tensor, Tensor]:
        lower = torch.arange(first, len(self.betas) - 1, 2)
        return lower, lower + 1

    def _each(self, states: Tensor) -> Tensor:
        return self.betas.to(states.device).repeat_interleave(states.shape[1])

    def _energies(self, states: Tensor) -> Tensor:
        return self.energy(states.flatten(0, 1), self._each(states)).view(states.shape[:2])

    def _check(self, states: Tensor) -> None:
        if states.ndim < 2 or len(states) != len(self.betas):
            raise UsageError(
                f"states must be (T, N, ...) with one of T = {len(self.betas)} levels for each beta,"
                f" got {tuple(states.shape)}"
            )

"""The Ising model on a square lattice with periodic borders, and two ways to sample it.

Spins are -1 or 1; the coupling is 1 and there is no field, so that temperatures are in units of the
coupling and the critical one is 2 / ln(1 + sqrt 2) = 2.269 (Onsager 1944).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from layerwise.energy.enumeration import configurations
from layerwise.errors import UsageError

__all__ = ["Ising", "binder_cumulant"]


@dataclass(frozen=True)
class Ising:
    """A lattice of `size` x `size` spins, whose states are (N, size, size) int8.

    Every spin has four bonds, one to each side; at size 2 two of them go to the same neighbour. `beta` is
    the inverse temperature, one in all or one a chain (N,). Kernels leave exp(-beta * energy) stationary
    and return new states.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 2:
            raise UsageError(f"a lattice needs a size of at least 2, got {self.size}")

    def start(self, chains: int, *, generator: Generator) -> Tensor:
        """Spins at infinite temperature: (chains, size, size) int8, on the generator's device."""
        shape = (chains, self.size, self.size)
        ups = torch.randint(2, shape, generator=generator, device=generator.device, dtype=torch.int8)
        return 2 * ups - 1

    def energy(self, spins: Tensor) -> Tensor:
        """Minus the sum over all bonds of the product of their two spins: (N,) float32.

        Of the whole lattice; divide by `size`**2 for the energy per spin.
        """
        self._check(spins)
        return -(spins * (spins.roll(1, 1) + spins.roll(1, 2))).sum((1, 2)).float()

    def magnetisation(self, spins: Tensor) -> Tensor:
        """The mean spin: (N,) float32, from -1 to 1."""
        self._check(spins)
        return spins.sum((1, 2)) / self.size**2

    def acceptance(self, spins: Tensor, *, beta: float | Tensor) -> Tensor:
        """Probability that Metropolis accepts to flip each spin: (N, size, size), of the type of `beta`.

        It is min(1, exp(-beta * rise)), where the energy would rise by 2 s (s_1 + s_2 + s_3 + s_4)
        (Metropolis et al. 1953).
        """
        self._check(spins)
        around = spins.roll(1, 1) + spins.roll(-1, 1) + spins.roll(1, 2) + spins.roll(-1, 2)
        return torch.exp(-_by_chain(beta, spins) * (2 * spins * around)).clamp(max=1.0)

    def flip(self, spins: Tensor, *, beta: float | Tensor, generator: Generator) -> Tensor:
        """One Metropolis proposal a chain, at a site drawn at random: in detailed balance."""
        chances = self.acceptance(spins, beta=beta).flatten(1)
        device, chains = spins.device, torch.arange(len(spins), device=spins.device)
        sites = torch.randint(self.size**2, (len(spins),), generator=generator, device=device)
        draws = torch.rand(len(spins), generator=generator, device=device)
        flipped = spins.flatten(1).clone()
        flipped[chains, sites] *= 1 - 2 * (draws < chances[chains, sites]).to(spins.dtype)
        return flipped.view_as(spins)

    def sweep(self, spins: Tensor, *, beta: float | Tensor, generator: Generator) -> Tensor:
        """One Metropolis proposal at every site: all black squares of a checkerboard, then all white ones.

        Squares of one colour are no neighbours, so that each half is in detailed balance; the sweep as a
        whole leaves the distribution as it is. Raises UsageError at an odd size, which has no two colours.
        """
        if self.size % 2:
            raise UsageError(f"a checkerboard sweep needs an even size, got {self.size}: use flip or wolff")
        at = torch.arange(self.size, device=spins.device)
        black = (at[:, None] + at) % 2 == 0
        draws = torch.rand(spins.shape, generator=generator, device=spins.device)
        for colour in (black, ~black):
            accepted = draws < self.acceptance(spins, beta=beta)
            spins = torch.where(colour & accepted, -spins, spins)
        return spins

    def wolff(self, spins: Tensor, *, beta: float | Tensor, generator: Generator) -> Tensor:
        """Flip one cluster a chain (Wolff 1989): in detailed balance, and quick at the critical temperature.

        Bonds between equal spins are kept with probability 1 - exp(-2 beta); the cluster is what the kept
        bonds tie to a site drawn at random.
        """
        self._check(spins)
        keep = -torch.expm1(-2 * _by_chain(beta, spins))
        bonds = [
            (spins == spins.roll(-1, axis))
            & (torch.rand(spins.shape, generator=generator, device=spins.device) < keep)
            for axis in (1, 2)
        ]
        seeds = torch.randint(self.size**2, (len(spins), 1), generator=generator, device=spins.device)
        cluster = torch.zeros_like(spins, dtype=torch.bool).flatten(1).scatter(1, seeds, True)
        return torch.where(_tied(cluster.view_as(spins), bonds), -spins, spins)

    def states(self) -> Tensor:
        """Every state: (2**(size**2), size, size) int8. Raises UsageError beyond size 4."""
        ups = configurations(self.size**2).view(-1, self.size, self.size)
        return 2 * ups.to(torch.int8) - 1

    def probabilities(self, beta: float) -> Tensor:
        """The exact probability of each of `states()`: (2**(size**2),) float64."""
        return torch.softmax(-beta * self.energy(self.states()).double(), 0)

    def _check(self, spins: Tensor) -> None:
        if spins.shape[1:] != (self.size, self.size):
            raise UsageError(
                f"this lattice has states of shape (N, {self.size}, {self.size}), got {tuple(spins.shape)}"
            )


def binder_cumulant(magnetisation: Tensor) -> Tensor:
    """1 - <m^4> / (3 <m^2>^2) over the last axis (Binder 1981): 2/3 in order, 0 in disorder.

    Its curves over temperature cross, for lattices of different size, at the critical temperature.
    """
    squares = magnetisation.square()
    return 1 - squares.square().mean(-1) / (3 * squares.mean(-1).square())


def _by_chain(beta: float | Tensor, spins: Tensor) -> Tensor:
    return torch.as_tensor(beta, device=spins.device).reshape(-1, 1, 1)


def _tied(cluster: Tensor, bonds: list[Tensor]) -> Tensor:
    """What bonds (N, L, L) to the next site along each axis tie to the sites of `cluster`."""
    while True:
        grown = cluster
        for axis, bond in enumerate(bonds, 1):
            grown = grown | (grown & bond).roll(1, axis) | (grown.roll(-1, axis) & bond)
        if torch.equal(grown, cluster):
            return cluster
        cluster = grown

"""Deep belief networks: restricted Boltzmann machines on top of one another, as one density."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from layerwise.energy.rbm import RestrictedBoltzmannMachine
from layerwise.energy.units import Bernoulli
from layerwise.errors import UsageError
from layerwise.randomness import Randomness

__all__ = ["belief_bound"]


def belief_bound(
    stack: Sequence[RestrictedBoltzmannMachine], v: Tensor, *, draws: int = 20, seed: int = 0
) -> Tensor:
    """(N,): a lower bound on the log-density of `v` (N, V), in nats, but for the topmost machine's log Z.

    The topmost machine is the prior of the states below it, which are drawn downwards from there (Hinton, Osindero
    and Teh 2006). With F the free energy of what a machine sees, G that of its hidden states, and q what it
    infers from v, the density is at least that of

        -F1(v) + E_q[G1(h) + (the same of the machines above, which see h)],

    and -F of the topmost. The expectation is a mean over `draws` states of 0 or 1, the same uniform numbers for
    each row, so that an example's value depends on no other; it is unbiased. One machine needs none: it is
    exact. Raises UsageError where states below the top are not 0 or 1.
    """
    if not stack or any(not isinstance(rbm.hidden, Bernoulli) for rbm in stack[:-1]):
        raise UsageError("the bound needs one machine or more, with hidden units of 0 or 1 below the topmost")
    generator = Randomness(seed).generator("belief bound", str(v.device))
    total = torch.zeros_like(v[:, 0])
    draws = draws if len(stack) > 1 else 1
    for _ in range(draws):
        states = v
        for below in stack[:-1]:
            mean = below.hidden_mean(states)
            uniform = torch.rand(mean.shape[1], generator=generator, dtype=v.dtype, device=v.device)
            hidden = (uniform < mean).to(v.dtype)
            total += _hidden_free_energy(below, hidden) - below.free_energy(states)
            states = hidden
        total -= stack[-1].free_energy(states)
    return total / draws


def _hidden_free_energy(rbm: RestrictedBoltzmannMachine, h: Tensor) -> Tensor:
    """-log of the sum, or integral, of exp(-energy) over all visible states: (N,)."""
    return -(h @ rbm.hidden_bias) - rbm.visible.log_partition(rbm.visible_input(h))

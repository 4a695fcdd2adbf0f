"""How deep Boltzmann machines learn: by mean field on data, and by chains that persist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from layerwise.energy.deep import DeepBoltzmannMachine
from layerwise.errors import UsageError
from layerwise.nn.dense import flat
from layerwise.randomness import Randomness
from layerwise.train.objectives import Objective
from layerwise.values import Batch

__all__ = ["MeanField"]


@final
class MeanField(Objective):
    """The gradient of the mean variational bound on the log-likelihood, its log Z by stochastic approximation.

    Salakhutdinov and Hinton 2009, "Deep Boltzmann machines", section 3: the hidden units of the data are as
    mean field has them after so many `rounds`; what the machine itself makes up are the states of `chains`
    (as many as examples in a batch where it is left out), which move `sweeps` sweeps of Gibbs sampling after
    each step. They keep the even layers, and the odd ones count with their expected states.

    The scalar "loss" is the squared error of reconstructions from the posterior's first layer, a visible
    unit. It tells of trouble, and is not what is descended.
    """

    chains: Tensor

    def __init__(self, *, rounds: int = 10, sweeps: int = 5, chains: int | None = None) -> None:
        super().__init__()
        if rounds < 1 or sweeps < 1 or (chains is not None and chains < 1):
            raise UsageError(
                f"rounds, sweeps and chains must be at least 1, got {rounds}, {sweeps} and {chains}"
            )
        self.rounds, self.sweeps, self.count = rounds, sweeps, chains

    @torch.no_grad()
    def begin(self, net: nn.Module, example: Batch, rng: Randomness) -> None:
        dbm, v = _machine(net), _data(example)
        v = v[torch.arange(self.count or len(v), device=v.device) % len(v)]
        starts = [v, *dbm.posterior(v, rounds=self.rounds)][::2]
        self.register_buffer("chains", self._moved(dbm, starts, rng))

    def gradients(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:  # noqa: ARG002
        dbm, v = _machine(net), _data(batch)
        with torch.no_grad():
            means = dbm.posterior(v, rounds=self.rounds)
            error = (dbm.input_to([v, *means], 0).sigmoid() - v).square().mean(1)
        weights = v.new_ones(len(v)) if batch.weights is None else batch.weights.to(v)
        shares = weights / weights.sum().clamp_min(1e-12)
        # whatever the products are rounded to, these are not: slopes are small differences of large sums
        with torch.autocast(v.device.type, enabled=False):
            ours = dbm.variational_free_energy(v, means)
            theirs = dbm.free_energy(torch.split(self.chains, list(dbm.sizes[::2]), 1))
            (shares @ ours - theirs.mean()).backward()  # type: ignore[no-untyped-call]
        return {"loss": shares @ error}

    def advance(self, net: nn.Module, batch: Batch, rng: Randomness) -> None:  # noqa: ARG002
        dbm = _machine(net)
        self.chains = self._moved(dbm, torch.split(self.chains, list(dbm.sizes[::2]), 1), rng)

    def _moved(
        self, dbm: DeepBoltzmannMachine, even: list[Tensor] | tuple[Tensor, ...], rng: Randomness
    ) -> Tensor:
        generator = rng.generator("mean field", str(even[0].device))
        return torch.cat(dbm.gibbs(even, generator=generator, sweeps=self.sweeps), 1)


def _machine(net: nn.Module) -> DeepBoltzmannMachine:
    if not isinstance(net, DeepBoltzmannMachine):
        raise UsageError(
            f"mean field trains a DeepBoltzmannMachine, got {type(net).__name__}: within a Pipeline name the"
            " stage (greedy, Within)"
        )
    return net


def _data(batch: Batch) -> Tensor:
    """(N, V): what the visible units see."""
    if not isinstance(batch.inputs, Tensor):
        raise UsageError(
            "mean field takes vectors of one length, got a table or unequal lengths: put stages that make"
            " vectors of them before the machine"
        )
    return flat(batch.inputs)

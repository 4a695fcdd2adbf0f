"""Contrastive divergence: how restricted Boltzmann machines learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Generator, Tensor, nn

from layerwise.energy.rbm import RestrictedBoltzmannMachine
from layerwise.energy.tempering import Tempering
from layerwise.energy.units import Bernoulli
from layerwise.errors import UsageError
from layerwise.nn.dense import flat
from layerwise.randomness import Randomness
from layerwise.train.objectives import Objective
from layerwise.values import Batch

__all__ = ["ContrastiveDivergence"]

FORGET = 0.1  # of the running mean of a unit's activity, a step (Hinton 2010, section 11)
SHOWN = 8  # examples of a batch that are reconstructed for the figure alone, where chains persist


@final
class ContrastiveDivergence(Objective):
    """The gradient of the mean free energy of data, minus that of states which the machine itself makes up.

    `k` sweeps of block Gibbs sampling from the data make them up (CD-k, Hinton 2002); or `persistent` chains,
    which move `k` sweeps after each step (Tieleman 2008); or, with `betas`, the coldest replicas of ladders
    that trade their states (Desjardins et al. 2010): inverse temperatures from 1 downwards, see
    `RestrictedBoltzmannMachine`. `chains` is how many chains or ladders, as many as examples in a batch where
    it is left out. Hidden units count with their expected states on both sides, so that the data's side is
    exact. With `expected_visible` CD reconstructs by means, quieter and more biased (Hinton 2010, "A practical
    guide to training restricted Boltzmann machines", section 3.2).

    `sparsity` is how often a hidden unit of 0 or 1 is to be on: `sparsity_cost` times the distance of its
    running mean from there is added to the gradient of its input (section 11; Lee, Ekanadham and Ng 2008).
    The guide's weight cost is the `decay` of the optimiser sgd, which spares biases.

    The scalar "loss" is the squared error of reconstructions by means, a visible unit: of the first sweep
    in CD; where chains persist, of the first 8 examples from expected hidden states, so that it costs no
    sixth product. It tells of trouble, and is not what is descended.
    """

    visible: Tensor
    hidden_input: Tensor
    activity: Tensor

    def __init__(
        self,
        *,
        k: int = 1,
        persistent: bool = False,
        chains: int | None = None,
        betas: Sequence[float] | None = None,
        expected_visible: bool = False,
        sparsity: float | None = None,
        sparsity_cost: float = 0.1,
    ) -> None:
        super().__init__()
        if k < 1 or (chains is not None and chains < 1):
            raise UsageError(f"k and chains must be at least 1, got {k} and {chains}")
        if betas is not None and (len(betas) < 2 or betas[0] != 1 or not all(0 <= b <= 1 for b in betas)):
            raise UsageError(f"betas must be two or more, from 0 to 1, with 1 first, got {list(betas)}")
        if sparsity is not None and not 0 < sparsity < 1:
            raise UsageError(f"sparsity must be between 0 and 1, such as 0.05, got {sparsity}")
        self.persistent = persistent or betas is not None
        if expected_visible and self.persistent:
            raise UsageError("chains that persist are drawn, not expected: leave expected_visible out")
        if chains is not None and not self.persistent:
            raise UsageError(f"only chains that persist have a number, got {chains} with persistent=False")
        self.k, self.chains, self.betas = k, chains, betas
        self.expected_visible = expected_visible
        self.sparsity, self.sparsity_cost = sparsity, sparsity_cost

    @torch.no_grad()
    def begin(self, net: nn.Module, example: Batch, rng: Randomness) -> None:
        rbm, v = _machine(net), _data(example)
        if self.betas is not None and not (rbm.visible.exact and rbm.hidden.exact):
            raise UsageError("rectified units have no exact tempered distribution: leave betas out")
        if self.persistent:
            starts = v[torch.arange(self.chains or len(v), device=v.device) % len(v)]
            states = starts if self.betas is None else starts.repeat(len(self.betas), 1, 1)
            moved = rbm.gibbs(states.flatten(0, -2), generator=_generator(rng, v))
            self.register_buffer("visible", moved.view_as(states))
            self.register_buffer("hidden_input", rbm.hidden_input(moved[: len(starts)]))
        if self.sparsity is not None:
            if not isinstance(rbm.hidden, Bernoulli):
                raise UsageError("sparsity is for hidden units of 0 or 1: leave it out for rectified ones")
            self.register_buffer("activity", _mean(rbm.hidden_mean(v), _shares(example)))

    @torch.no_grad()
    def gradients(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        rbm, v = _machine(net), _data(batch)
        shares = _shares(batch)
        x = rbm.hidden_input(v)
        h = rbm.hidden.mean(x)
        if self.persistent:
            some = None if shares is None else shares[:SHOWN]
            loss = _error(v[:SHOWN], rbm.visible_mean(h[:SHOWN]), some)
            model = self.visible if self.betas is None else self.visible[0]
            x, model_shares = self.hidden_input, None
        else:
            model, x, loss = self._reconstructed(rbm, v, x, shares, _generator(rng, v))
            model_shares = shares
        data_v, data_h = _mean(v, shares), _shared(h, shares)
        model_h = _shared(rbm.hidden.mean(x), model_shares)
        weight = torch.mm(model.t(), model_h).addmm_(v.t(), data_h, alpha=-1)
        hidden = model_h.sum(0).sub_(data_h.sum(0))
        if self.sparsity is not None:
            push = (self.activity - self.sparsity) * self.sparsity_cost
            hidden += push
            weight.addr_(data_v, push)
        _add(rbm.weight, weight)
        _add(rbm.visible_bias, _mean(model, model_shares).sub_(data_v))
        _add(rbm.hidden_bias, hidden)
        return {"loss": loss}

    @torch.no_grad()
    def advance(self, net: nn.Module, batch: Batch, rng: Randomness) -> None:
        if self.persistent:
            self._move(_machine(net), rng)
        if self.sparsity is not None:
            active = _mean(_machine(net).hidden_mean(_data(batch)), _shares(batch))
            self.activity.lerp_(active, FORGET)

    def _reconstructed(
        self,
        rbm: RestrictedBoltzmannMachine,
        v: Tensor,
        x: Tensor,
        shares: Tensor | None,
        generator: Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Visible states after k sweeps from data `v`, hidden input `x`; theirs; the first sweep's error."""
        first = None
        for _ in range(self.k):
            y = rbm.visible_input(rbm.hidden.sample(x, generator))
            first = y if first is None else first
            model = rbm.visible.mean(y) if self.expected_visible else rbm.visible.sample(y, generator)
            x = rbm.hidden_input(model)
        assert first is not None
        return model, x, _error(v, rbm.visible.mean(first), shares)

    def _move(self, rbm: RestrictedBoltzmannMachine, rng: Randomness) -> None:
        """`k` sweeps of each chain; the first half of the first goes on from the input kept with them."""
        generator = _generator(rng, self.visible)
        if self.betas is not None:
            ladder = Tempering(
                torch.tensor(self.betas, device=self.visible.device, dtype=self.visible.dtype),
                energy=lambda v, b: rbm.free_energy(v, beta=b),
                transition=lambda v, b, g: rbm.gibbs(v, generator=g, sweeps=self.k, beta=b),
            )
            pairs = rng.number("pairs") & 1
            self.visible = ladder.step(self.visible, pairs, generator=generator).states
            self.hidden_input = rbm.hidden_input(self.visible[0])
            return
        for _ in range(self.k):
            h = rbm.hidden.sample(self.hidden_input, generator)
            self.visible = rbm.sample_visible(h, generator=generator)
            self.hidden_input = rbm.hidden_input(self.visible)


def _machine(net: nn.Module) -> RestrictedBoltzmannMachine:
    if not isinstance(net, RestrictedBoltzmannMachine):
        raise UsageError(
            f"contrastive divergence trains a RestrictedBoltzmannMachine, got {type(net).__name__}: within a"
            " Pipeline name the stage (greedy, Within)"
        )
    return net


def _data(batch: Batch) -> Tensor:
    """(N, V): what the visible units see."""
    if not isinstance(batch.inputs, Tensor):
        raise UsageError(
            "contrastive divergence takes vectors of one length, got a table or unequal lengths: put stages"
            " that make vectors of them before the machine"
        )
    return flat(batch.inputs)


def _shares(batch: Batch) -> Tensor | None:
    """(N,) what each example counts in a mean, 1 in all; None where all count alike."""
    return None if batch.weights is None else batch.weights / batch.weights.sum().clamp_min(1e-12)


def _shared(h: Tensor, shares: Tensor | None) -> Tensor:
    """Each row times its share, in place."""
    return h.div_(len(h)) if shares is None else h.mul_(shares[:, None])


def _mean(x: Tensor, shares: Tensor | None) -> Tensor:
    """(N, U) to (U,)."""
    return x.mean(0) if shares is None else shares.to(x.dtype) @ x


def _error(v: Tensor, mean: Tensor, shares: Tensor | None) -> Tensor:
    """The mean square of what the reconstruction misses, a visible unit."""
    errors = (v - mean).square_().mean(1)
    return errors.mean() if shares is None else errors @ shares.to(v.dtype) / shares.sum().clamp_min(1e-12)


def _add(parameter: nn.Parameter, gradient: Tensor) -> None:
    if not parameter.requires_grad:
        return
    if parameter.grad is None:
        parameter.grad = gradient
    else:
        parameter.grad += gradient


def _generator(rng: Randomness, like: Tensor) -> Generator:
    return rng.generator("contrastive divergence", str(like.device))

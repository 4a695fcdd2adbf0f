"""Contrastive divergence: how restricted Boltzmann machines learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, final

import torch
from torch import Generator, Tensor, nn

from layerwise.energy.convolutional import Blocks
from layerwise.energy.harmonium import Harmonium
from layerwise.energy.tempering import Tempering
from layerwise.energy.units import Bernoulli
from layerwise.errors import UsageError
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
    that trade their states (Desjardins et al. 2010): inverse temperatures from 1 downwards, see `Harmonium`.
    `chains` is how many chains or ladders, as many as examples in a batch where it is left out. Hidden units
    count with their expected states on both sides, so that the data's side is exact. With `expected_visible`
    CD reconstructs by means, quieter and more biased (Hinton 2010, "A practical guide to training restricted
    Boltzmann machines", section 3.2).

    `sparsity` is how often a hidden unit of 0 or 1 is to be on: `sparsity_cost` times the distance of its
    running mean from there, over all places where units share a bias, is added to the gradient of its "input"
    (section 11), or of its "bias" alone, as `sparsity_of` says (Lee, Ekanadham and Ng 2008; Lee, Grosse,
    Ranganath and Ng 2009). The guide's weight cost is the `decay` of the optimiser sgd, which spares biases.

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
        sparsity_of: Literal["input", "bias"] = "input",
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
        self.sparsity, self.sparsity_cost, self.sparsity_of = sparsity, sparsity_cost, sparsity_of

    @torch.no_grad()
    def begin(self, net: nn.Module, example: Batch, rng: Randomness) -> None:
        rbm, v = _given(net, example)
        if self.betas is not None and not (rbm.visible.exact and rbm.hidden.exact):
            raise UsageError("rectified units have no exact tempered distribution: leave betas out")
        if self.persistent:
            starts = v[torch.arange(self.chains or len(v), device=v.device) % len(v)]
            states = starts if self.betas is None else torch.cat([starts] * len(self.betas))
            moved = rbm.gibbs(states, generator=_generator(rng, v))
            ladders = moved if self.betas is None else moved.view(len(self.betas), *starts.shape)
            self.register_buffer("visible", ladders)
            self.register_buffer("hidden_input", rbm.hidden_input(moved[: len(starts)]))
        if self.sparsity is not None:
            if not isinstance(rbm.hidden, Bernoulli | Blocks):
                raise UsageError("sparsity is for hidden units of 0 or 1: leave it out for rectified ones")
            self.register_buffer("activity", _active(rbm, v, _shares(example)))

    @torch.no_grad()
    def gradients(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        rbm, v = _given(net, batch)
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
        push = None if self.sparsity is None else (self.activity - self.sparsity) * self.sparsity_cost
        if push is not None and self.sparsity_of == "input":
            h -= push / _places(rbm, h)
        data_h, model_h = _shared(h, shares), _shared(rbm.hidden.mean(x), model_shares)
        hidden = _tied(model_h.sum(0).sub_(data_h.sum(0)), rbm.hidden_bias)
        if push is not None and self.sparsity_of == "bias":
            hidden += push
        _add(rbm.weight, rbm.contrast(model, model_h, v, data_h))
        _add(rbm.visible_bias, _tied(_mean(model, model_shares).sub_(_mean(v, shares)), rbm.visible_bias))
        _add(rbm.hidden_bias, hidden)
        return {"loss": loss}

    @torch.no_grad()
    def advance(self, net: nn.Module, batch: Batch, rng: Randomness) -> None:
        if self.persistent:
            self._move(_machine(net), rng)
        if self.sparsity is not None:
            self.activity.lerp_(_active(*_given(net, batch), _shares(batch)), FORGET)

    def _reconstructed(
        self,
        rbm: Harmonium,
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

    def _move(self, rbm: Harmonium, rng: Randomness) -> None:
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


def _machine(net: nn.Module) -> Harmonium:
    if not isinstance(net, Harmonium):
        raise UsageError(
            "contrastive divergence trains a RestrictedBoltzmannMachine or a ConvolutionalRBM, got"
            f" {type(net).__name__}: within a Pipeline name the stage (greedy, Within)"
        )
    return net


def _given(net: nn.Module, batch: Batch) -> tuple[Harmonium, Tensor]:
    """The machine, and what its visible units see of the batch."""
    machine = _machine(net)
    if not isinstance(batch.inputs, Tensor):
        raise UsageError(
            "contrastive divergence takes examples of one shape, got a table or unequal lengths: put stages"
            " that make vectors of them before the machine"
        )
    return machine, machine.seen(batch.inputs)


def _shares(batch: Batch) -> Tensor | None:
    """(N,) what each example counts in a mean, 1 in all; None where all count alike."""
    return None if batch.weights is None else batch.weights / batch.weights.sum().clamp_min(1e-12)


def _shared(h: Tensor, shares: Tensor | None) -> Tensor:
    """Each row times its share, in place."""
    return h.div_(len(h)) if shares is None else h.mul_(_rows(shares, h))


def _mean(x: Tensor, shares: Tensor | None) -> Tensor:
    """(N, ...) to (...)."""
    return x.mean(0) if shares is None else (x * _rows(shares, x)).sum(0)


def _rows(shares: Tensor, x: Tensor) -> Tensor:
    """(N,) as (N, 1, ...), to be multiplied with x."""
    return shares.to(x.dtype).view(-1, *(1,) * (x.ndim - 1))


def _tied(x: Tensor, bias: Tensor) -> Tensor:
    """The sum over units that share a bias."""
    return x.sum_to_size(bias.shape)


def _places(rbm: Harmonium, h: Tensor) -> int:
    """How many hidden units share a bias."""
    return h[0].numel() // rbm.hidden_bias.numel()


def _active(rbm: Harmonium, v: Tensor, shares: Tensor | None) -> Tensor:
    """How often hidden units are on, in the shape of their bias."""
    h = rbm.hidden_mean(v)
    return _tied(_mean(h, shares), rbm.hidden_bias) / _places(rbm, h)


def _error(v: Tensor, mean: Tensor, shares: Tensor | None) -> Tensor:
    """The mean square of what the reconstruction misses, a visible unit."""
    errors = (v - mean).square_()
    if shares is None:
        return errors.mean()
    return (errors.flatten(1).mean(1) * shares).sum() / shares.sum().clamp_min(1e-12)


def _add(parameter: nn.Parameter, gradient: Tensor) -> None:
    if not parameter.requires_grad:
        return
    if parameter.grad is None:
        parameter.grad = gradient
    else:
        parameter.grad += gradient


def _generator(rng: Randomness, like: Tensor) -> Generator:
    return rng.generator("contrastive divergence", str(like.device))

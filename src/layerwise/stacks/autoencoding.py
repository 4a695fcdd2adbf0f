"""Deep autoencoders: the plans by which they learned in 2006 and by which they learn today, and one call of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import nn

from layerwise.energy import Doubled, Gaussian, RestrictedBoltzmannMachine, unrolled
from layerwise.energy.rbm import Hidden, Visible
from layerwise.errors import UsageError, shown
from layerwise.nn import Dense, Mirrored, Pipeline, mirrored
from layerwise.nn.initialise import normal
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.train import (
    ConjugateGradients,
    ContrastiveDivergence,
    Objective,
    Phase,
    Plan,
    Reconstruction,
    Variational,
    constant,
    greedy,
    optimiser,
    stepped,
)
from layerwise.train.reconstruct import Error, masked

__all__ = [
    "Coding",
    "autoencode",
    "by_conjugate_gradients",
    "by_one_cycle",
    "first_weights",
    "machines",
    "pretraining",
    "stacking",
]

Run: TypeAlias = Callable[[nn.Module, Plan], None]
"""Trains a net in place by a plan."""

SPARSITY_WEIGHT = 3.0  # Ng 2011, "Sparse autoencoder"


@dataclass(frozen=True)
class Coding:
    """How an autoencoder is to code: each line of it, with what it may be.

    `widths`   of the levels, the code last
    `pretrain` "rbm": levels from 0 to 1 that restricted Boltzmann machines begin, tuned by conjugate gradients,
               as Hinton and Salakhutdinov 2006; None: GELU levels with batch norm, AdamW and one cycle;
               "stack": the same, each level first by itself, as an autoencoder of what the level below gives
    `visible`  "bernoulli": all values lie from 0 to 1, are taken as probabilities, and cross-entropy is
               descended; "gaussian": any values of about unit variance, and squared error is
    `noise`    share of the values that are set to 0 before they are seen (a denoising autoencoder); in a
               stack, of what each level sees
    `sparsity` how active each unit of the code is to be on average, between 0 and 1; the code is from 0 to 1
               then, and linear otherwise
    `contraction` weight of the squared norm of the code's Jacobian
    `variational` the code is a density of its own for each example, and the evidence bound is descended; goes
               with no other way to shape the code
    `epochs`   passes of training, and of each level's pretraining
    """

    widths: tuple[int, ...]
    pretrain: Literal["rbm", "stack"] | None = None
    visible: Literal["bernoulli", "gaussian"] = "bernoulli"
    noise: float = 0.0
    sparsity: float | None = None
    contraction: float = 0.0
    variational: bool = False
    epochs: float = 50.0

    def __post_init__(self) -> None:
        if self.pretrain not in ("rbm", "stack", None):
            raise UsageError(f"pretrain must be 'rbm', 'stack' or None, got {shown(self.pretrain)}")
        if self.visible not in ("bernoulli", "gaussian"):
            raise UsageError(f"visible must be 'bernoulli' or 'gaussian', got {shown(self.visible)}")
        if not 0 <= self.noise < 1:
            raise UsageError(f"noise is a share of the values, at least 0 and below 1, got {self.noise}")
        if not self.contraction >= 0:
            raise UsageError(f"contraction must be at least 0, got {self.contraction}")
        others = ("pretrain", "noise", "sparsity", "contraction")
        given = [f"{o}={getattr(self, o)!r}" for o in others if getattr(self, o) != getattr(Coding, o)]
        if self.variational and given:
            raise UsageError(
                f"a variational autoencoder goes without {', '.join(others)}, got {', '.join(given)}: leave that"
                " out, or variational"
            )

    @property
    def error(self) -> Error:
        """How far from its example what comes back is."""
        return "cross-entropy" if self.visible == "bernoulli" else "squared"


def autoencode(coding: Coding, spec: Spec, run: Run, *, seed: int) -> Mirrored:
    """An encoder and a decoder of examples of that look.

    The decoder gives values again, whatever was descended. The encoder of a variational one gives means.
    """
    make = _variational if coding.variational else _reconstructing
    net = make(coding, spec, run, seed=seed)
    if coding.error == "cross-entropy":
        net = Mirrored(net.encoder, Pipeline(values=net.decoder, bounded=nn.Sigmoid()))
    return net


def _variational(coding: Coding, spec: Spec, run: Run, *, seed: int) -> Mirrored:
    """The encoder learns means and log variances of codes, and is left with the means."""
    with first_weights(seed):
        net = mirrored(spec, coding.widths, activation="gelu", norm="batch")
        *levels, (_, means) = net.encoder.stages()
        assert isinstance(means, Dense)
        both = Dense.from_spec(vector(means.inputs), width=2 * means.width, activation=None)
    run(Pipeline(**dict(levels), code=both), (_today(Variational(net.decoder, error=coding.error), coding),))
    learned = both.linear.state_dict()
    means.linear.load_state_dict({name: value[: means.width] for name, value in learned.items()})
    return net


def _reconstructing(coding: Coding, spec: Spec, run: Run, *, seed: int) -> Mirrored:
    sparse = coding.sparsity is not None
    if coding.pretrain == "rbm":
        code: Hidden = "bernoulli" if sparse else "gaussian"
        stack = machines(spec, coding.widths, visible=coding.visible, code=code, seed=seed)
        run(stack, pretraining(stack, epochs=coding.epochs))
        net = unrolled([rbm for _, rbm in stack.stages() if isinstance(rbm, RestrictedBoltzmannMachine)])
    else:
        with first_weights(seed):
            net = mirrored(
                spec,
                coding.widths,
                activation="gelu",
                norm="batch",
                code="sigmoid" if sparse else None,
            )
        if coding.pretrain == "stack":
            run(net.encoder, stacking(net, error=coding.error, noise=coding.noise, epochs=coding.epochs))
    objective = Reconstruction(
        net.decoder,
        error=coding.error,
        corrupt=masked(coding.noise) if coding.noise else None,
        sparsity=None if coding.sparsity is None else (coding.sparsity, SPARSITY_WEIGHT),
        contraction=coding.contraction,
    )
    if coding.pretrain == "rbm":
        phase = by_conjugate_gradients(objective, epochs=coding.epochs)
    else:
        phase = _today(objective, coding)
    run(net.encoder, (phase,))
    return net


def _today(objective: Objective, coding: Coding) -> Phase:
    return by_one_cycle(objective, epochs=coding.epochs, rate=4e-3, size=128, decay=0.01)


def machines(
    spec: Spec,
    widths: Sequence[int],
    *,
    visible: Visible = "bernoulli",
    code: Hidden = "gaussian",
    seed: int = 0,
) -> Pipeline:
    """Restricted Boltzmann machines, one on the other: `level1`, ..., and `code`, of hidden units `code`.

    `visible` are the units of the lowest; those above see 0 or 1. First weights are normal of deviation 0.1.
    """
    if not widths:
        raise UsageError("a stack needs at least the width of its code, got none")
    stages: dict[str, RestrictedBoltzmannMachine] = {}
    with first_weights(seed):
        for place, width in enumerate(widths, 1):
            top = place == len(widths)
            rbm = RestrictedBoltzmannMachine.from_spec(
                spec,
                width=width,
                visible=visible if place == 1 else "bernoulli",
                hidden=code if top else "bernoulli",
            )
            normal(rbm.weight.data, 0.1)
            stages["code" if top else f"level{place}"] = rbm
            spec = vector(width)
    return Pipeline(**stages)


def pretraining(stack: Pipeline, *, epochs: float = 50.0) -> Plan:
    """Each machine by itself, `epochs` long, on the means of the one below.

    Hinton and Salakhutdinov 2006, supporting material: CD-1 that reconstructs by means, batches of 100, a
    rate of 0.1 (0.001 where units are real, 0.05 where they are doubled, which doubles gradients), a weight
    cost of 0.0002, a momentum of 0.5 for the first tenth and 0.9 after it.
    """
    names = [name for name, stage in stack.stages() if isinstance(stage, RestrictedBoltzmannMachine)]
    return greedy(names, lambda name: _alone(stack.get_submodule(name), name, epochs=epochs))


def _alone(rbm: nn.Module, name: str, *, epochs: float) -> Phase:
    kinds = {type(units) for units in (rbm.visible, rbm.hidden)}
    rate = 0.001 if Gaussian in kinds else 0.05 if Doubled in kinds else 0.1
    return Phase(
        name,
        ContrastiveDivergence(expected_visible=True),
        optimiser("sgd", rate=rate, decay=0.0002),
        size=100,
        epochs=epochs,
        schedule=constant,
        momentum=stepped(0.5, 0.9),
    )


def stacking(
    net: Mirrored, *, error: Error, noise: float = 0.0, epochs: float, rate: float = 4e-3, size: int = 128
) -> Plan:
    """Each level of `net.encoder` as an autoencoder of what the level below gives, `epochs` long.

    The stage of `net.decoder` that mirrors a level brings back what went into it, of which the share `noise`
    is hidden (Vincent et al. 2010, section 3.5; without noise: Bengio et al. 2007). The lowest level descends
    `error`; those on sigmoids alone cross-entropy, all others the squared error.
    """
    partners = dict(
        zip((name for name, _ in net.encoder.stages()), reversed(net.decoder.stages()), strict=True)
    )
    corrupt = masked(noise) if noise else None

    def alone(name: str) -> Phase:
        partner, descends = partners[name][1], error
        assert isinstance(partner, Dense)
        if partner.activation is not None:
            unit = partner.activation == "sigmoid" and partner.norm is None
            descends = "cross-entropy" if unit else "squared"
        decoder = partner.linear if descends == "cross-entropy" else partner  # which takes logits
        objective = Reconstruction(decoder, error=descends, corrupt=corrupt)
        return replace(by_one_cycle(objective, epochs=epochs, rate=rate, size=size, decay=0.01), name=name)

    return greedy(list(partners), alone)


def by_conjugate_gradients(objective: Objective, *, epochs: float, size: int = 1000) -> Phase:
    """Three line searches on each batch of 1,000, as in 2006."""
    return Phase("tuning", objective, ConjugateGradients, size=size, epochs=epochs, schedule=constant)


def by_one_cycle(objective: Objective, *, epochs: float, rate: float, size: int, decay: float = 0.0) -> Phase:
    """AdamW, its rate up and down along one cycle, as today."""
    return Phase(
        "training",
        objective,
        optimiser("adamw", rate=rate, decay=decay),
        size=size,
        epochs=epochs,
        clip=1.0,
    )


@contextmanager
def first_weights(seed: int) -> Iterator[None]:
    """What is drawn inside is a function of the seed; the caller's random numbers go on undisturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Randomness(seed).number("weights") >> 1)
        yield

"""Deep autoencoders: the plans by which they learned in 2006, and by which they learn today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from layerwise.energy import Gaussian, RestrictedBoltzmannMachine
from layerwise.energy.rbm import Visible
from layerwise.nn import Pipeline
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
    constant,
    greedy,
    optimiser,
)

__all__ = ["by_conjugate_gradients", "by_one_cycle", "first_weights", "machines", "pretraining"]


def machines(spec: Spec, widths: Sequence[int], *, visible: Visible = "bernoulli", seed: int = 0) -> Pipeline:
    """Restricted Boltzmann machines, one on the other: `level1`, ..., and `code`, whose units are real.

    `visible` are the units of the lowest; those above see 0 or 1. First weights are normal of deviation 0.1.
    """
    stages: dict[str, RestrictedBoltzmannMachine] = {}
    with first_weights(seed):
        for place, width in enumerate(widths, 1):
            top = place == len(widths)
            rbm = RestrictedBoltzmannMachine.from_spec(
                spec,
                width=width,
                visible=visible if place == 1 else "bernoulli",
                hidden="gaussian" if top else "bernoulli",
            )
            normal(rbm.weight.data, 0.1)
            stages["code" if top else f"level{place}"] = rbm
            spec = vector(width)
    return Pipeline(**stages)


def pretraining(stack: Pipeline, *, epochs: float = 50.0) -> Plan:
    """Each machine by itself, `epochs` long, on the means of the one below.

    Hinton and Salakhutdinov 2006, supporting material: CD-1 that reconstructs by means, batches of 100, a
    rate of 0.1 (0.001 where units are real), a weight cost of 0.0002, a momentum of 0.5 for the first tenth
    and 0.9 after it.
    """
    plan: Plan = ()
    for name, rbm in stack.stages():
        assert isinstance(rbm, RestrictedBoltzmannMachine)
        for momentum, share in ((0.5, 0.1), (0.9, 0.9)):
            plan += greedy([name], partial(_alone, rbm, momentum=momentum, epochs=share * epochs))
    return plan


def _alone(rbm: RestrictedBoltzmannMachine, name: str, *, momentum: float, epochs: float) -> Phase:
    real = isinstance(rbm.hidden, Gaussian) or isinstance(rbm.visible, Gaussian)
    return Phase(
        f"{name}, momentum {momentum}",
        ContrastiveDivergence(expected_visible=True),
        optimiser("sgd", rate=0.001 if real else 0.1, momentum=momentum, decay=0.0002),
        size=100,
        epochs=epochs,
        schedule=constant,
    )


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

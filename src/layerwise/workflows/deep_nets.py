"""Nets of one to eight levels on digits, with one remedy at a time: what `layerwise demo depth` trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.data.builtin import open_builtin
from layerwise.energy import RestrictedBoltzmannMachine, unrolled
from layerwise.look.anatomy import Coder, DeepNet, LevelState, anatomy, weights_of
from layerwise.nn import Dense, Head, Mirrored, Pipeline
from layerwise.nn.activations import Activation
from layerwise.nn.initialise import Init
from layerwise.nn.norms import Norm
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.stacks.autoencoding import first_weights, machines, pretraining
from layerwise.tasks import Classify
from layerwise.train import (
    Epoch,
    Objective,
    Phase,
    Plan,
    Reconstruction,
    Supervised,
    constant,
    optimiser,
    train,
)
from layerwise.values import Batch

__all__ = ["KINDS", "Pictures", "Scale", "coders", "deep_nets", "digits"]

HELD_OUT = 497
FULL = 16.0  # of the digits' grey levels
NARROWEST = 8  # units of a code


class Kind(NamedTuple):
    """A kind of level. `pretrained`: its first weights are those of restricted Boltzmann machines."""

    activation: Activation
    init: Init = "classic"
    norm: Norm | None = None
    residual: bool = False
    pretrained: bool = False


KINDS: Mapping[str, Kind] = {
    "sigmoid": Kind("sigmoid"),
    "tanh": Kind("tanh"),
    "pretrained": Kind("sigmoid", pretrained=True),
    "batch norm": Kind("sigmoid", norm="batch"),
    "residual": Kind("sigmoid", residual=True),
    "ReLU": Kind("relu", init="he"),
}
"""Sigmoids and tanh as they were, sigmoids with one remedy each, and ReLU with its own first weights."""


@dataclass(frozen=True)
class Scale:
    """How much is tried: all nets learn by the same steps, stochastic gradients with momentum 0.9."""

    depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    halves: tuple[int, ...] = (1, 2, 3, 4)  # levels of an autoencoder down to its code
    width: int = 64
    epochs: int = 20
    pretraining: float = 20.0
    rate: float = 0.05
    coding_rate: float = 0.002  # of autoencoders, whose loss is a sum over pixels
    size: int = 50

    @property
    def trials(self) -> int:
        """How many nets."""
        return len(KINDS) * (len(self.depths) + len(self.halves))


class Pictures(NamedTuple):
    """Digits (N, 64) from 0 to 1 and their numbers (N,)."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class _Batches:
    """Shuffled anew each epoch; a last batch that is not full is dropped."""

    pictures: Pictures
    size: int
    rng: Randomness

    @property
    def steps_per_epoch(self) -> int:
        return len(self.pictures.x) // self.size

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, self.steps_per_epoch)
        order = torch.randperm(len(self.pictures.x), generator=self.rng.at(epoch).generator("order"))
        rows = order[place * self.size : (place + 1) * self.size]
        return Batch(self.pictures.x[rows], self.pictures.y[rows], None, rows)


def digits(seed: int) -> tuple[Pictures, Pictures]:
    """1,300 of scikit-learn's digits to learn from, and 497 held out."""
    source = open_builtin("digits")
    images = np.asarray(source.columns["image"].values, np.float32) / FULL
    labels = np.array([int(label) for label in source.columns["digit"].values])
    x, y = torch.from_numpy(images).flatten(1), torch.from_numpy(labels)
    order = torch.randperm(len(x), generator=Randomness(seed).generator("held out"))
    held, kept = order[:HELD_OUT], order[HELD_OUT:]
    return Pictures(x[kept], y[kept]), Pictures(x[held], y[held])


def deep_nets(learned: Pictures, held: Pictures, scale: Scale, *, seed: int) -> Iterator[DeepNet]:
    """Every kind at every depth: what it reaches, and each of its levels after each epoch."""
    task = Classify.fit(learned.y.numpy())
    stack = _pretrained(learned, (scale.width,) * max(scale.depths), scale, seed=seed)
    for name, kind in KINDS.items():
        for many in scale.depths:
            with first_weights(seed):
                levels = _levels(vector(learned.x.shape[1]), (scale.width,) * many, kind)
                head = Head.from_spec(vector(scale.width), outputs=task.outputs)
            if kind.pretrained:
                levels = dict(unrolled(stack[:many]).encoder.stages())
            net = Pipeline(**levels, answer=head)
            states = tuple(_watched(net, Supervised(task), learned, scale, seed=seed))
            with torch.no_grad():
                right = (net.eval()(held.x).argmax(1) == held.y).double().mean().item()
            most = held.y.bincount().max().item() / len(held.y)
            yield DeepNet(name, many, right, most, len(held.y), states)


def coders(learned: Pictures, held: Pictures, scale: Scale, *, seed: int) -> Iterator[Coder]:
    """Autoencoders of every kind: the squared error of a held-out picture, and that of the mean picture."""
    values = learned.x.shape[1]
    floor = (held.x - learned.x.mean(0)).square().sum(1).mean().item()
    for name, kind in KINDS.items():
        for half in scale.halves:
            down = (*(scale.width,) * (half - 1), NARROWEST)
            if kind.pretrained:
                net = unrolled(_pretrained(learned, down, scale, seed=seed, code="gaussian"))
            else:
                net = _mirrored(vector(values), down, kind, seed=seed)
            objective = Reconstruction(net.decoder, error="cross-entropy")
            _follow(net.encoder, (_phase(objective, scale, rate=scale.coding_rate),), learned, seed=seed)
            with torch.no_grad():
                back = net.decoder.eval()(net.encoder.eval()(held.x)).sigmoid()
            error = (back - held.x).square().sum(1).mean().item()
            yield Coder(name, 2 * half, NARROWEST, error, floor, len(held.x))


def _levels(spec: Spec, widths: tuple[int, ...], kind: Kind) -> dict[str, nn.Module]:
    """`level1`, ...; the way round where in and out are of one width."""
    levels: dict[str, nn.Module] = {}
    for place, (before, width) in enumerate(pairwise((spec.features, *widths)), 1):
        levels[f"level{place}"] = Dense.from_spec(
            vector(before),
            width=width,
            activation=kind.activation,
            norm=kind.norm,
            init=kind.init,
            residual=kind.residual and before == width,
        )
    return levels


def _mirrored(spec: Spec, down: tuple[int, ...], kind: Kind, *, seed: int) -> Mirrored:
    """An encoder to a linear code of the last width, and a decoder to logits of the values."""
    *inner, narrowest = down
    values = spec.features
    with first_weights(seed):
        there = _levels(spec, tuple(inner), kind)
        code = Dense.from_spec(
            vector(inner[-1] if inner else values), width=narrowest, activation=None, init=kind.init
        )
        back = _levels(vector(narrowest), tuple(reversed(inner)), kind)
        output = Dense.from_spec(
            vector(inner[0] if inner else narrowest), width=values, activation=None, init=kind.init
        )
    return Mirrored(Pipeline(**there, code=code), Pipeline(**back, output=output))


def _pretrained(
    learned: Pictures, widths: tuple[int, ...], scale: Scale, *, seed: int, code: Any = "bernoulli"
) -> list[RestrictedBoltzmannMachine]:
    """Machines one on the other, each learned on the means of the one below."""
    stack = machines(vector(learned.x.shape[1]), widths, code=code, seed=seed)
    _follow(stack, pretraining(stack, epochs=scale.pretraining), learned, seed=seed)
    return [rbm for _, rbm in stack.stages() if isinstance(rbm, RestrictedBoltzmannMachine)]


def _phase(objective: Objective, scale: Scale, *, rate: float) -> Phase:
    make = optimiser("sgd", rate=rate, momentum=0.9)
    return Phase("training", objective, make, size=scale.size, epochs=scale.epochs, schedule=constant)


def _follow(net: nn.Module, plan: Plan, pictures: Pictures, *, seed: int) -> None:
    for _ in _events(net, plan, pictures, seed=seed):
        pass


def _events(net: nn.Module, plan: Plan, pictures: Pictures, *, seed: int) -> Iterator[Any]:
    def data(size: int, rng: Randomness) -> _Batches:
        return _Batches(pictures, min(size, len(pictures.x)), rng)

    return train(net, plan, data, seed=seed)


def _watched(
    net: Pipeline, objective: Supervised, learned: Pictures, scale: Scale, *, seed: int
) -> Iterator[tuple[LevelState, ...]]:
    """Train; each level before the first step and after each epoch, on all that is learned from."""
    first = weights_of(net)

    def loss(net: nn.Module) -> Tensor:
        return objective.task.loss(net(learned.x), learned.y, None)

    def states() -> tuple[LevelState, ...]:
        return tuple(anatomy(net, loss, learned.x, first=first).values())

    yield states()
    for event in _events(net, (_phase(objective, scale, rate=scale.rate),), learned, seed=seed):
        if isinstance(event, Epoch):
            yield states()

"""The levels of a network learned as restricted Boltzmann machines, one on the other, on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from layerwise.data import Packed
from layerwise.energy import RestrictedBoltzmannMachine, unrolled
from layerwise.errors import UsageError
from layerwise.nn import Dense, Pipeline, Scale
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.recipe import Recipe
from layerwise.spec import Spec
from layerwise.stacks.autoencoding import machines, pretraining
from layerwise.train import Batches, Done
from layerwise.values import ONLY, Batch
from layerwise.workflows.gather import Gathered
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.running import followed, on_device

__all__ = ["Made", "believed", "take_over"]

SHOWN = 12
LOOKS = 1_000  # training pictures in which the brightest pixel is looked for
SWEEPS = 200


class Made(NamedTuple):
    """What the stack itself makes: `samples` (n, ...), and `reconstructed` (n, ...) of stored `rows`, as the
    store has examples."""

    samples: np.ndarray
    rows: np.ndarray
    reconstructed: np.ndarray


def believed(
    net: Pipeline, gathered: Gathered, recipe: Recipe, *, checkpoint: Path | None, narrator: Narrator
) -> tuple[Done, Made]:
    """Learn the Dense levels of `net` (Scale, then Dense of sigmoids) greedily; they get the machines' weights.

    Hinton, Osindero and Teh 2006; a machine learns as in Hinton and Salakhutdinov 2006, for as many epochs as
    the recipe says. Pixels are taken from 0 to 1, the brightest. Raises UsageError for another network or length.
    """
    levels = [stage for _, stage in net.stages() if isinstance(stage, Dense)]
    if len(levels) != len(net.stages()) - 1 or any(level.activation != "sigmoid" for level in levels):
        raise UsageError("a deep belief network consists of Scale and Dense levels of sigmoids")
    if recipe.training.epochs is None:
        raise UsageError(
            "a deep belief network learns for so many epochs a level: set training.epochs, and leave the budget out"
        )
    spec, seed = gathered.spec, recipe.training.seed
    looked = np.asarray(gathered.store.take(gathered.train[:LOOKS])[ONLY])
    white = float(looked.max())
    if looked.min() < 0 or not white > 0:
        raise UsageError("a deep belief network takes pixels from 0 upwards, got others: try --method views")
    stack = machines(vector(spec.features), [level.width for level in levels], code="bernoulli", seed=seed)
    plan = pretraining(stack, epochs=recipe.training.epochs)
    with on_device(stack, plan, recipe) as where:

        def examples(size: int, rng: Randomness) -> Batches:
            return _Pixels(white, Packed(gathered.store, gathered.train, size=size, rng=rng, device=where))

        done = followed(
            stack, plan, examples, seed=seed, checkpoint=checkpoint, evaluate=None, narrator=narrator
        )
    found = [rbm for _, rbm in stack.stages() if isinstance(rbm, RestrictedBoltzmannMachine)]
    take_over(net, found, spec, white)
    return done, _made(found, gathered, white, seed)


@dataclass(frozen=True)
class _Pixels:
    """Batches of pictures as vectors (N, F) from 0 to 1, which is `white`."""

    white: float
    packed: Packed

    @property
    def steps_per_epoch(self) -> int:
        return self.packed.steps_per_epoch

    def at(self, step: int) -> Batch:
        batch = self.packed.at(step)
        assert isinstance(batch.inputs, Tensor)
        return replace(batch, inputs=(batch.inputs.flatten(1).float() / self.white).clamp_(max=1))


def take_over(net: Pipeline, stack: Sequence[RestrictedBoltzmannMachine], spec: Spec, white: float) -> None:
    """Give the net the machines' weights; the first level undoes what Scale does to pixels."""
    (_, scale), *levels = net.stages()
    encoder = unrolled(stack).encoder
    with torch.no_grad():
        for (_, level), (_, learned) in zip(levels, encoder.stages(), strict=True):
            level.load_state_dict(learned.state_dict())
        first = levels[0][1]
        assert isinstance(scale, Scale)
        assert isinstance(first, Dense)
        shape = (1, *(n or 1 for n in spec.shape))
        spread, centre = (b.expand(shape).flatten() / white for b in (scale.spread, scale.centre))
        first.linear.bias.add_(first.linear.weight.mv(centre))
        first.linear.weight.mul_(spread)


@torch.no_grad()
def _made(stack: Sequence[RestrictedBoltzmannMachine], gathered: Gathered, white: float, seed: int) -> Made:
    """Samples by Gibbs sweeps of the top machine that begin at training examples, and reconstructions."""
    generator = Randomness(seed).generator("samples shown")
    rows = (gathered.shown if len(gathered.shown) else gathered.train)[
        :SHOWN
    ]  # none are held out of the whole
    *below, top = stack

    def up(v: Tensor) -> Tensor:
        for rbm in stack:
            v = rbm.hidden_mean(v)
        return v

    def down(h: Tensor) -> np.ndarray:
        for rbm in reversed(stack):
            h = rbm.visible_mean(h)
        return _pictures(h * white, gathered.spec)

    v = _vectors(gathered, gathered.train[:SHOWN], white)
    for rbm in below:
        v = rbm.sample_hidden(v, generator=generator)
    v = top.gibbs(v, generator=generator, sweeps=SWEEPS)
    samples = down(top.hidden_mean(v))
    return Made(samples, rows, down(up(_vectors(gathered, rows, white))))


def _vectors(gathered: Gathered, rows: np.ndarray, white: float) -> Tensor:
    batch = _Pixels(white, Packed(gathered.store, rows, size=len(rows))).at(0).inputs
    assert isinstance(batch, Tensor)
    return batch


def _pictures(pixels: Tensor, spec: Spec) -> np.ndarray:
    """(N, F) as the store has pictures."""
    values = pixels.numpy()
    if not spec.dtype.startswith("float"):
        values = values.round()
    return values.astype(spec.dtype).reshape(len(values), *(n or 1 for n in spec.shape))

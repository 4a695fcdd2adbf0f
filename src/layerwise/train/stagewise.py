"""Layer by layer: any objective on any stage of a pipeline, on what the stages below make of the input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.randomness import Randomness
from layerwise.train.objectives import Objective
from layerwise.train.plan import Phase, Plan
from layerwise.values import Batch

__all__ = ["Within", "greedy"]


class Within(Objective):
    """An objective that sees the stage of that address alone, and as its input what goes into the stage.

    Its alterations (noise, views) are drawn where the stage's input is known, so anew for each of the pieces
    that a batch too large for the memory is cut into. With `sampled` the stage's input is drawn instead of
    taken as it is: probabilities become 0 or 1, as Hinton, Osindero and Teh 2006 feed one restricted
    Boltzmann machine from another.
    """

    def __init__(self, address: str, objective: Objective, *, sampled: bool = False) -> None:
        super().__init__()
        self.objective = objective
        self._address, self._sampled = address, sampled

    def begin(self, net: nn.Module, example: Batch, rng: Randomness) -> None:
        stage, batch = self._inside(net, example, rng)
        self.objective.begin(stage, batch, rng)

    def gradients(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        stage, inner = self._inside(net, batch, rng)
        return self.objective.gradients(stage, self.objective.altered(inner, rng), rng)

    def advance(self, net: nn.Module, batch: Batch, rng: Randomness) -> None:
        stage, inner = self._inside(net, batch, rng)
        self.objective.advance(stage, inner, rng)

    def _inside(self, net: nn.Module, batch: Batch, rng: Randomness) -> tuple[nn.Module, Batch]:
        if not isinstance(net, Pipeline):
            raise UsageError(f"a stage can be trained within a Pipeline, got {type(net).__name__}")
        with torch.no_grad():
            below = net.upto(batch.inputs, self._address)
            if self._sampled and isinstance(below, Tensor):
                draw = rng.generator("stage input", below.device.type)
                below = torch.bernoulli(below, generator=draw)
        return net.get_submodule(self._address), replace(batch, inputs=below)


def greedy(addresses: Sequence[str], phase: Callable[[str], Phase], *, together: Phase | None = None) -> Plan:
    """One phase a stage, from the lowest up, the others frozen, then all `together`.

    `phase(address)` says how a stage learns, as if it were a net of its own: Bengio, Lamblin, Popovici and
    Larochelle 2007, "Greedy layer-wise training of deep networks", with any objective.
    """
    if not addresses:
        raise UsageError("greedy training needs at least one stage to train, got none")
    alone = []
    for address in addresses:
        own = phase(address)
        alone.append(replace(own, objective=Within(address, own.objective), learns=(address,)))
    return (*alone, *(() if together is None else (together,)))

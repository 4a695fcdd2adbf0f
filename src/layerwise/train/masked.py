"""Masked reconstruction: hide a part of each example, and let the code of what is left tell what was hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.train.blocks import Blocks
from layerwise.train.hidden import Cells, Part, Words
from layerwise.train.objectives import Descent
from layerwise.train.reconstruct import mean
from layerwise.values import Batch

__all__ = ["Masked"]


@final
class Masked(Descent):
    """Tell what was hidden of each example from the net's code of the rest; the loss is of hidden parts only.

    The net is a Pipeline without a head, from examples of look `spec` to codes. What can be hidden follows
    from `spec`:

    tables                     cells, see `Cells`
    texts                      words, see `Words`
    pictures, series, sounds   patches and stretches, see `Blocks`

    `share` is how much of an example is hidden on average, from 0 to 1; chosen by the part where left out.
    The decoder is made when training begins and learns with the net. Scalars: "loss", about the mean loss of
    what is hidden.
    """

    part: Part

    def __init__(self, spec: Spec, *, share: float | None = None) -> None:
        super().__init__()
        if share is not None and not 0 < share < 1:
            raise UsageError(f"the share that is hidden lies between 0 and 1, got {share}")
        self._spec, self._share = spec, share

    def begin(self, net: nn.Module, example: Batch, rng: Randomness) -> None:
        if not isinstance(net, Pipeline):
            raise UsageError(
                f"masked reconstruction trains a Pipeline without a head, got {type(net).__name__}"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rng.number("decoder") >> 1)
            self.part = _part(self._spec).of(self._spec, net, share=self._share).to(example.rows.device)

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        generator = rng.generator("hidden", batch.rows.device.type)
        return {"loss": mean(self.part(net, batch.inputs, generator), batch.weights)}


def _part(spec: Spec) -> type[Part]:
    """How examples of that look are hidden."""
    if spec.columns:
        return Cells
    return Words if spec.sizes else Blocks

"""Self-supervision by two views: what is made of two alterations of an example agrees, and tells it from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn import Dense, Pipeline
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.train.objectives import Alter, Descent
from layerwise.train.reconstruct import mean
from layerwise.values import Batch, Padded

__all__ = ["TwoViews", "contrast", "projector"]

FIRST, SECOND = "first", "second"


@final
class TwoViews(Descent):
    """Draw two views of each example, and tell each view from those of all other examples of the batch, by
    what the net and `projector` make of its other view (Chen et al. 2020).

    `projector` from the net's output to (N, K); learned with the net, and no part of it afterwards
    `alter`     draws a view of a batch; asked twice, each time with a key of its own
    `temperature` what the cosine of two projections is divided by

    Weights of examples count in the mean, not in who is told from whom. Scalars: "loss"; "agreement", the
    mean cosine between the projections of an example's two views; "spread", their deviation about the mean
    direction, from 0, where all examples are made the same, to 1.
    """

    def __init__(self, projector: nn.Module, alter: Alter, *, temperature: float = 0.2) -> None:
        super().__init__()
        if not temperature > 0:
            raise UsageError(f"the temperature of a contrast must be positive, got {temperature}")
        self.projector = projector
        self._alter = alter
        self._temperature = temperature

    def altered(self, batch: Batch, rng: Randomness) -> Batch:
        views = {}
        for name in (FIRST, SECOND):
            view = self._alter(batch, rng.at("view", name)).inputs
            if isinstance(view, Mapping):
                raise UsageError("two views are drawn of one column, got several: name one with --input")
            views[name] = view
        return replace(batch, inputs=views)

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:  # noqa: ARG002
        assert isinstance(batch.inputs, Mapping)
        one, other = (self._projected(net, batch.inputs[name]) for name in (FIRST, SECOND))
        loss = mean(contrast(one, other, self._temperature), batch.weights)
        return {"loss": loss, **_signs(one.detach(), other.detach(), batch.weights)}

    def _projected(self, net: nn.Module, view: Tensor | Padded) -> Tensor:
        """(N, K) in float32."""
        made = net(view)
        if not isinstance(made, Tensor):
            raise UsageError(
                "two views are compared by a vector each, and the network gives one for each step:"
                " end it with GlobalPool"
            )
        z: Tensor = self.projector(made)
        return z.float()


def projector(spec: Spec, *, widths: Sequence[int] = (512, 128)) -> Pipeline:
    """Dense levels with batch normalisation from outputs of that look to (N, widths[-1]), the last linear.

    Chen et al. 2020, section 4.2: what is told apart is told after one or two levels more, so that the net's
    own output keeps what alterations change.
    """
    if not widths:
        raise UsageError("a projector needs at least one width, got none")
    stages: dict[str, Dense] = {}
    for place, width in enumerate(widths, 1):
        last = place == len(widths)
        stages[f"level{place}"] = Dense.from_spec(
            spec, width=width, activation=None if last else "relu", norm=None if last else "batch"
        )
        spec = vector(width)
    return Pipeline(**stages)


def contrast(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """(N,) the mean over both views (N, K) of the cross-entropy of finding the other view of the example
    among the 2 N - 1 other views, by the cosine over the temperature (Chen et al. 2020, equation 1)."""
    with torch.autocast(one.device.type, enabled=False):
        z = F.normalize(torch.cat([one, other]), dim=1)
        alike = z @ z.T / temperature
    n = len(one)
    alike = alike.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), -torch.inf)
    partner = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(alike, partner, reduction="none").view(2, n).mean(0)


def _signs(one: Tensor, other: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
    """Whether views agree, and whether all examples are becoming the same."""
    one, other = F.normalize(one, dim=1), F.normalize(other, dim=1)
    spread = (1 - one.mean(0).square().sum()).clamp_min(0).sqrt()
    return {"agreement": mean((one * other).sum(1), weights), "spread": spread}

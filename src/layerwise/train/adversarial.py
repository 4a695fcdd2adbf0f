"""Training on examples that were altered to the network's harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.randomness import Randomness
from layerwise.tasks.base import Task
from layerwise.train.objectives import Descent
from layerwise.values import Batch

__all__ = ["Adversarial"]


@final
class Adversarial(Descent):
    """The task's loss, half of it on examples, half on the same examples a step towards a higher loss.

    Goodfellow, Shlens and Szegedy 2015, "Explaining and harnessing adversarial examples", section 6: every value
    of an input moves by `step`, in its own units, up or down as raises the loss. Inputs are tensors of floating
    point numbers (N, ...). Takes about 2.5 times as long as `Supervised`.

    The scalar "loss" is the mean of both.
    """

    def __init__(self, task: Task, *, step: float) -> None:
        super().__init__()
        if not step > 0:
            raise UsageError(f"the step that examples are moved by must be above 0, got {step}")
        self.task, self.step = task, step

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:  # noqa: ARG002
        if not isinstance(batch.inputs, Tensor) or not batch.inputs.is_floating_point():
            raise UsageError(
                "adversarial training moves numbers, got a table, unequal lengths or whole numbers: train with"
                " Supervised"
            )
        if batch.targets is None:
            raise ValueError("supervised training needs targets, and this batch has none")
        x = batch.inputs.detach().requires_grad_()
        here = self.task.loss(net(x), batch.targets, batch.weights)
        (slope,) = torch.autograd.grad(here, x, retain_graph=True)
        moved = x.detach() + self.step * slope.sign()
        there = self.task.loss(net(moved), batch.targets, batch.weights)
        return {"loss": (here + there) / 2}

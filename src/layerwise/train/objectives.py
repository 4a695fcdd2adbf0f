"""What a step of training improves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias, final

from torch import Tensor, nn

from layerwise.randomness import Randomness
from layerwise.tasks.base import Task
from layerwise.values import Batch

__all__ = ["Alter", "Descent", "Objective", "Supervised"]

Alter: TypeAlias = Callable[[Batch, Randomness], Batch]
"""A change of a training batch that leaves its meaning; it may change targets and weights too (mixing)."""


class Objective(nn.Module, ABC):
    """What a step improves. A module, so that heads, chains and teachers are saved with the run.

    It never holds the net. Only `advance` moves its own state; `gradients` may be called several times
    in one step (line searches) and gives the same answer each time.
    """

    def begin(self, net: nn.Module, example: Batch, rng: Randomness) -> None:
        """Make whatever state the net and a first batch call for. Called before saved state is loaded."""

    def altered(self, batch: Batch, rng: Randomness) -> Batch:  # noqa: ARG002
        """The batch as this step sees it. Called once for each call of `gradients`, before the batch is
        cut into pieces that fit into memory, so that the pieces together are the same batch."""
        return batch

    @abstractmethod
    def gradients(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        """Add gradients to the parameters that require them; return named scalars, "loss" among them."""

    def advance(self, net: nn.Module, batch: Batch, rng: Randomness) -> None:
        """Move own state (persistent chains, teachers). Called once, after the step, without gradients."""


class Descent(Objective):
    """An objective whose gradients are those of a loss."""

    @abstractmethod
    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        """Named scalars; "loss", the mean over the batch by weight, is what is descended."""

    @final
    def gradients(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        scalars = self.loss(net, batch, rng)
        scalars["loss"].backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in scalars.items()}


@final
class Supervised(Descent):
    """The task's loss between the net's answers and the targets."""

    def __init__(self, task: Task, alter: Alter | None = None) -> None:
        super().__init__()
        self.task = task
        self.alter = alter

    def altered(self, batch: Batch, rng: Randomness) -> Batch:
        return batch if self.alter is None else self.alter(batch, rng.at("alter"))

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:  # noqa: ARG002
        if batch.targets is None:
            raise ValueError("supervised training needs targets, and this batch has none")
        return {"loss": self.task.loss(net(batch.inputs), batch.targets, batch.weights)}

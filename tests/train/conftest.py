"""Digits that scikit-learn ships, in batches, and a small net for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from layerwise.randomness import Randomness
from layerwise.tasks import Classify
from layerwise.train import Supervised
from layerwise.values import Batch


@dataclass
class Rows:
    """Batches of a table of rows, reshuffled each epoch; the last that is not full is dropped."""

    x: Tensor
    y: Tensor | None
    size: int
    rng: Randomness | None = None
    weights: Tensor | None = None

    @property
    def steps_per_epoch(self) -> int:
        return len(self.x) // self.size

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, self.steps_per_epoch)
        rows = torch.arange(len(self.x))
        if self.rng is not None:
            rows = torch.randperm(len(self.x), generator=self.rng.at(epoch).generator("order"))
        rows = rows[place * self.size : (place + 1) * self.size]
        weights = None if self.weights is None else self.weights[rows]
        return Batch(self.x[rows], None if self.y is None else self.y[rows], weights, rows)


@dataclass
class Digits:
    """8 x 8 pictures of digits: 1,500 to train on, 297 held out."""

    x: Tensor
    y: Tensor
    task: Classify

    def train(self, size: int, rng: Randomness) -> Rows:
        return Rows(self.x[:1500], self.y[:1500], size, rng)

    def objective(self) -> Supervised:
        return Supervised(self.task)

    def evaluate(self, net: nn.Module) -> dict[str, float]:
        outputs = net(self.x[1500:])
        accuracy = (outputs.argmax(1) == self.y[1500:]).float().mean()
        loss = self.task.loss(outputs.detach(), self.y[1500:], None)
        return {"loss": float(loss), "accuracy": float(accuracy)}

    def net(self, *, dropout: float = 0.0, seed: int = 0) -> nn.Sequential:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(
                nn.Linear(64, 64),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(64, 32),
                nn.ReLU(),
                nn.Linear(32, 10),
            )


@pytest.fixture(scope="session")
def digits() -> Digits:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = torch.tensor(x[order] / 16, dtype=torch.float32), y[order]
    return Digits(x, torch.tensor(y), Classify.fit(y.tolist()))


@pytest.fixture(scope="session")
def rows() -> Callable[..., Rows]:
    return Rows


@pytest.fixture
def weights() -> Callable[[nn.Module], list[Tensor]]:
    return lambda net: [p.detach().clone() for p in net.parameters()]

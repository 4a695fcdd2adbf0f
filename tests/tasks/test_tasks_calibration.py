"""Temperature: found where it is known, bounded where the data ask for boundless confidence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from layerwise.tasks import Classify, Tags

CLASSES = Classify(("a", "b", "c"), (1, 1, 1))


def drawn(n: int, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs whose true probabilities are softmax(outputs / temperature), and classes drawn from these."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, 3))
    p = np.exp(logits)
    p /= p.sum(1, keepdims=True)
    y = (p.cumsum(1) > rng.random((n, 1))).argmax(1)
    return torch.from_numpy(logits * temperature).float(), torch.from_numpy(y)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_of_known_outputs_is_found(temperature: float) -> None:
    task = Classify(CLASSES.classes, CLASSES.counts)
    outputs, y = drawn(20_000, temperature)
    task.calibrate(outputs, y)
    assert task.temperature == pytest.approx(temperature, rel=0.05)
    assert task.metrics(task.decode(outputs), y.numpy())["ece"].value < 0.02


def test_it_is_the_minimum_of_the_log_loss() -> None:
    task = Classify(CLASSES.classes, CLASSES.counts)
    outputs, y = drawn(20_000, 2.5)
    task.calibrate(outputs, y)
    best = task.metrics(task.decode(outputs), y.numpy())["log_loss"].value
    for factor in (0.95, 1.05):
        other = Classify(CLASSES.classes, CLASSES.counts, temperature=task.temperature * factor)
        assert other.metrics(other.decode(outputs), y.numpy())["log_loss"].value > best


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_separated_rows_do_not_make_it_boundlessly_sure(n: int) -> None:
    task = Classify(CLASSES.classes, CLASSES.counts)
    y = torch.arange(n) % 3
    task.calibrate(torch.eye(3)[y] * 2, y)
    assert 0.1 < task.temperature < 1
    wrong = Classify(CLASSES.classes, CLASSES.counts)
    wrong.calibrate(torch.eye(3)[(y + 1) % 3] * 2, y)
    assert 1 < wrong.temperature < 20.1


def test_members_are_calibrated_on_their_mean() -> None:
    task = Classify(CLASSES.classes, CLASSES.counts)
    outputs, y = drawn(5_000, 3.0)
    task.calibrate(outputs.unsqueeze(1).expand(-1, 4, -1), y)
    assert task.temperature == pytest.approx(3, rel=0.1)


def test_nothing_to_calibrate_on_leaves_it_at_one() -> None:
    task = Classify(CLASSES.classes, CLASSES.counts)
    task.calibrate(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    assert task.temperature == 1
    task.calibrate(torch.full((2, 3), float("nan")), torch.tensor([0, -1]))
    assert task.temperature == 1


def test_tags_share_a_temperature() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (5_000, 2))
    y = (rng.random((5_000, 2)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    task = Tags(("a", "b"), False)
    task.calibrate(torch.from_numpy(logits * 2), torch.from_numpy(y))
    assert task.temperature == pytest.approx(2, rel=0.1)

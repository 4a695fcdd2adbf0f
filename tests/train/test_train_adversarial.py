"""Adversarial training: the formula that a linear network has for it, and digits that stand up to their worst."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.randomness import Randomness
from layerwise.tasks import Classify
from layerwise.train import Adversarial, Objective, Phase, optimiser, train
from layerwise.values import Batch

RNG = Randomness(0)
TASK = Classify.fit(["no", "yes"])


def rows(x: Tensor, y: Tensor | None, weights: Tensor | None = None) -> Batch:
    return Batch(x, y, weights, torch.arange(len(x)))


@settings(max_examples=30, deadline=None)
@given(step=st.floats(0.01, 2.0), seed=st.integers(0, 50))
def test_of_a_linear_network_the_margin_shrinks_by_the_sum_of_its_weights(step: float, seed: int) -> None:
    """Goodfellow et al. 2015, section 5, for two outputs: the difference of their weights is the logistic one's."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(7, 4, generator=draw, dtype=torch.float64)
    y, weights = (
        torch.randint(2, (7,), generator=draw),
        torch.rand(7, generator=draw, dtype=torch.float64) + 0.1,
    )
    net = nn.Linear(4, 2, dtype=torch.float64)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=draw, dtype=torch.float64))

    found = Adversarial(TASK, step=step).gradients(net, rows(x, y, weights), RNG)
    own = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}

    apart, bias = net.weight[1] - net.weight[0], net.bias[1] - net.bias[0]
    margin = (2 * y - 1) * (x @ apart + bias)
    losses = F.softplus(-margin) + F.softplus(step * apart.abs().sum() - margin)
    expected = (weights / weights.sum() * losses).sum() / 2
    torch.testing.assert_close(found["loss"], expected.detach())
    for name, slope in zip(own, torch.autograd.grad(expected, list(net.parameters())), strict=True):
        torch.testing.assert_close(own[name], slope)


def test_inputs_and_their_gradients_stay_as_they_are() -> None:
    x = torch.randn(5, 4)
    before = x.clone()
    Adversarial(TASK, step=0.5).gradients(nn.Linear(4, 2), rows(x, torch.tensor([0, 1, 0, 1, 1])), RNG)
    assert torch.equal(x, before)
    assert x.grad is None
    assert not x.requires_grad


def test_digits_learned_so_are_told_when_they_are_at_their_worst(digits) -> None:
    """Both learn the same batches from the same weights; the one that saw the worst answers it better."""

    def worst(objective: Objective) -> float:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        phase = Phase("train", objective, optimiser("adamw", rate=0.003), size=100, epochs=30)
        for _ in train(net, (phase,), digits.train, seed=0):
            pass
        x = digits.x[1500:].clone().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(net(x), digits.y[1500:]), x)
        answers = net(x.detach() + step * slope.sign()).argmax(1)
        return float((answers == digits.y[1500:]).double().mean())

    step = 0.1 * float(digits.x.max() - digits.x.min())
    assert worst(Adversarial(digits.task, step=step)) > worst(digits.objective()) + 0.1


def test_what_cannot_move_is_refused() -> None:
    with pytest.raises(UsageError, match="must be above 0, got 0"):
        Adversarial(TASK, step=0)
    whole = rows(torch.ones(3, 4, dtype=torch.int64), torch.tensor([0, 1, 1]))
    objective = Adversarial(TASK, step=0.1)
    with pytest.raises(UsageError, match="got a table, unequal lengths or whole numbers"):
        objective.gradients(nn.Identity(), whole, RNG)
    with pytest.raises(ValueError, match="needs targets"):
        objective.gradients(nn.Identity(), replace(whole, inputs=torch.ones(3, 4), targets=None), RNG)

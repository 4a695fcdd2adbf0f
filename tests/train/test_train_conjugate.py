"""Conjugate gradients: exact on quadratics, downhill on everything, an optimiser like any other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.train import Done, Phase, constant, train
from layerwise.train.conjugate import ConjugateGradients


def closure_of(parameters, function):
    calls = []

    def closure():
        for p in parameters:
            p.grad = None
        loss = function()
        loss.backward()
        calls.append(loss.item())
        return loss

    return closure, calls


@pytest.mark.parametrize("n", [2, 7])
def test_a_quadratic_is_solved_in_about_as_many_searches_as_dimensions(n):
    draw = torch.Generator().manual_seed(n)
    half = torch.randn(n, n, generator=draw, dtype=torch.float64)
    matrix, target = half @ half.T + torch.eye(n), torch.randn(n, generator=draw, dtype=torch.float64)
    x = nn.Parameter(torch.zeros(n, dtype=torch.float64))
    closure, _ = closure_of([x], lambda: x @ matrix @ x / 2 - target @ x)
    ConjugateGradients([x], searches=4 * n).step(closure)
    exact = torch.linalg.solve(matrix, target)
    start, end = (float(v @ matrix @ v / 2 - target @ v) for v in (torch.zeros_like(exact), x.detach()))
    least = float(exact @ matrix @ exact / 2 - target @ exact)
    assert end - least < 1e-6 * (start - least)


def test_the_valley_of_rosenbrock_is_followed_to_its_end():
    x = nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    closure, calls = closure_of([x], lambda: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)
    ConjugateGradients([x], searches=80).step(closure)
    assert torch.allclose(x.detach(), torch.ones(2, dtype=torch.float64), atol=1e-4)
    assert len(calls) < 400


def test_no_search_goes_up_and_what_it_leaves_belongs_together():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 1)).double()
    x, y = torch.randn(40, 5, dtype=torch.float64), torch.randn(40, 1, dtype=torch.float64)
    parameters = list(net.parameters())
    closure, _ = closure_of(parameters, lambda: nn.functional.mse_loss(net(x), y))
    optimiser = ConjugateGradients(parameters)
    before = float("inf")
    for _ in range(10):
        optimiser.step(closure)
        left = [p.grad.clone() for p in parameters]
        loss = closure().item()
        assert loss < before
        for p, gradient in zip(parameters, left, strict=True):
            torch.testing.assert_close(gradient, p.grad)
        before = loss


def test_where_the_loss_is_no_number_the_search_turns_back():
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    closure, calls = closure_of([x], lambda: (-x + torch.log(3 - x) * 0).sum())  # downhill to an edge
    ConjugateGradients([x]).step(closure)
    assert any(loss != loss for loss in calls)
    assert 2.5 < x.item() < 3


def test_at_the_bottom_nothing_moves():
    x = nn.Parameter(torch.zeros(3))
    closure, _ = closure_of([x], lambda: (x**2).sum())
    assert ConjugateGradients([x]).step(closure).item() == 0
    assert torch.equal(x.detach(), torch.zeros(3))


def test_the_loop_trains_with_it_and_repeats_itself(digits):
    def run():
        net = digits.net()
        phase = Phase("train", digits.objective(), ConjugateGradients, size=300, steps=20, schedule=constant)
        *_, done = train(net, (phase,), digits.train, seed=0)
        assert isinstance(done, Done)
        return net

    one, two = run(), run()
    assert digits.evaluate(one)["accuracy"] > 0.9
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_wrong_numbers_are_refused():
    with pytest.raises(UsageError, match="got 0 of 20"):
        ConjugateGradients([nn.Parameter(torch.zeros(1))], searches=0)

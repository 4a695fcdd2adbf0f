from __future__ import annotations

import math

import pytest
import torch

from layerwise.nn import Dense, Maxout, constrain
from layerwise.nn.activations import ACTIVATIONS, RISING, activate
from layerwise.nn.initialise import INITS, initialise
from layerwise.spec import Spec

SPREAD = {
    "he": math.sqrt(2 / 400), "glorot": math.sqrt(2 / 700), "lecun": math.sqrt(1 / 400),
    "orthogonal": math.sqrt(1 / 400), "small": 0.01, "classic": math.sqrt(1 / 400 / 3),
}  # fmt: skip


@pytest.mark.parametrize("init", INITS)
def test_the_spread_of_first_weights(init: str) -> None:
    torch.manual_seed(0)
    weight = torch.empty(300, 16, 5, 5) if init not in ("orthogonal", "glorot") else torch.empty(300, 400)
    initialise(weight, init)
    assert weight.std().item() == pytest.approx(SPREAD[init], rel=0.02)
    assert abs(weight.mean().item()) < 0.02 * weight.std().item()
    if init == "classic":
        assert weight.abs().max() <= 1 / 20
    if init == "orthogonal":
        torch.testing.assert_close(weight @ weight.T, torch.eye(300), rtol=0, atol=1e-4)


def test_max_norm_shrinks_what_is_too_long_and_nothing_else() -> None:
    torch.manual_seed(0)
    spec = Spec(("feature",), (40,))
    bounded, free = Dense(spec, width=20, max_norm=1.0), Dense(spec, width=20)
    maxout = Maxout(spec, width=20, max_norm=0.5)
    with torch.no_grad():
        bounded.linear.weight[:5] *= 0.01
    before = bounded.linear.weight.clone(), free.linear.weight.clone()
    constrain(torch.nn.ModuleList([bounded, free, maxout]))
    norms = bounded.linear.weight.norm(dim=1)
    torch.testing.assert_close(norms[5:], torch.ones(15))
    assert torch.equal(bounded.linear.weight[:5], before[0][:5])
    assert torch.equal(free.linear.weight, before[1])
    assert (maxout.linear.weight.norm(dim=1) <= 0.5 + 1e-6).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    x = torch.linspace(-6, 6, 400)
    y = activate(x.clone(), name)
    assert y.isfinite().all()
    assert ((y.diff() >= 0).all().item()) == (name in RISING)


def test_lecuns_tanh_keeps_one() -> None:
    assert activate(torch.tensor([1.0, -1.0]), "lecun_tanh").tolist() == pytest.approx([1, -1], abs=1e-4)

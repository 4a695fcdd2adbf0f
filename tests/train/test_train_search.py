from __future__ import annotations

import pytest
import torch

from layerwise.errors import DataError, UsageError
from layerwise.train import Phase, constant, find_rate, optimiser, train


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_rate_found_learns(digits, name):
    phase = Phase("train", digits.objective(), optimiser(name, rate=1.0), size=50, epochs=4)
    found = find_rate(digits.net(), phase, digits.train, seed=0)
    assert list(found.rates) == sorted(found.rates)
    assert found.rate == pytest.approx(found.rates[found.losses.index(min(found.losses))] / 10)
    net = digits.net()
    make = optimiser(name, rate=found.rate)
    phase = Phase("train", digits.objective(), make, size=50, epochs=8, schedule=constant)
    list(train(net, (phase,), digits.train, seed=0))
    assert digits.evaluate(net)["accuracy"] > 0.85


def test_it_is_deterministic_and_gives_everything_back(digits):
    net = digits.net(dropout=0.3)
    net[2].eval()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    random = torch.get_rng_state()
    phase = Phase("train", digits.objective(), optimiser("muon", rate=1.0), size=50, steps=4)
    found = [find_rate(net, phase, digits.train, seed=3, steps=40) for _ in range(2)]
    assert found[0] == found[1]
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert net[0].training
    assert not net[2].training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in net.parameters())


def test_where_nothing_helps(digits, rows):
    x = torch.full((100, 64), float("nan"))
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=1.0), size=50, steps=4)
    with pytest.raises(DataError, match="no rate from 1e-06 to 10 lowers the loss"):
        find_rate(digits.net(), phase, lambda size, rng: rows(x, digits.y[:100], size), seed=0)
    with pytest.raises(UsageError, match="0 < lowest < highest"):
        find_rate(digits.net(), phase, digits.train, seed=0, lowest=2.0, highest=1.0)

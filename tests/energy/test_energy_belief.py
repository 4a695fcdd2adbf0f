"""The bound on the density of a deep belief network against enumeration."""

import pytest
import torch

from layerwise.energy import RestrictedBoltzmannMachine, belief_bound, configurations, exact_log_partition
from layerwise.errors import UsageError
from layerwise.nn.stage import vector


def machine(units: int, width: int, seed: int, **options) -> RestrictedBoltzmannMachine:
    rbm = RestrictedBoltzmannMachine(vector(units), width=width, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in rbm.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return rbm


@pytest.fixture
def stack():
    return [machine(5, 4, 1), machine(4, 3, 2), machine(3, 4, 3)]


def exact(stack, v: torch.Tensor) -> torch.Tensor:
    """log p(v): the states below the topmost machine enumerated, downwards from it."""
    *below, top = stack
    states = configurations(top.weight.shape[0]).double()
    logs = -top.free_energy(states) - exact_log_partition(top).value
    for rbm in reversed(below):
        means = rbm.visible_mean(states)
        lower = v if rbm is below[0] else configurations(rbm.weight.shape[0]).double()
        given = lower @ means.log().T + (1 - lower) @ (1 - means).log().T
        states, logs = lower, torch.logsumexp(given + logs, 1)
    return logs


def test_it_stays_below_the_density_and_near_it(stack):
    v = configurations(5).double()
    truth = exact(stack, v)
    assert truth.exp().sum().item() == pytest.approx(1)
    bound = belief_bound(stack, v, draws=4000) - exact_log_partition(stack[-1]).value
    assert (bound < truth + 0.05).all()
    assert (truth - bound).mean() < 1.5


def test_it_is_exact_where_the_machine_above_is_the_one_below_upside_down():
    low = machine(5, 4, 1)
    top = machine(4, 5, 2)
    with torch.no_grad():
        top.weight.copy_(low.weight.T)
        top.visible_bias.copy_(low.hidden_bias)
        top.hidden_bias.copy_(low.visible_bias)
    v = configurations(5).double()
    torch.testing.assert_close(belief_bound([low, top], v), -low.free_energy(v))


def test_real_units_below():
    low = machine(5, 4, 1, visible="gaussian", deviations=[0.5, 1, 2, 1, 1.5])
    stack = [low, machine(4, 3, 2)]
    v = torch.linspace(-2, 2, 15, dtype=torch.float64).view(3, 5)
    states = configurations(4).double()
    prior = -stack[1].free_energy(states) - exact_log_partition(stack[1]).value
    deviations = low.visible.variance.sqrt()
    normal = torch.distributions.Normal(low.visible_mean(states), deviations)
    mean = low.hidden_mean(v)[:, None]
    q = (states * mean.log() + (1 - states) * (1 - mean).log()).sum(2)
    expected = (q.exp() * (normal.log_prob(v[:, None]).sum(2) + prior - q)).sum(1)
    bound = belief_bound(stack, v, draws=4000) - exact_log_partition(stack[1]).value
    torch.testing.assert_close(bound, expected, rtol=0, atol=0.3)


def test_neighbours_do_not_matter(stack):
    v = configurations(5).double()
    torch.testing.assert_close(belief_bound(stack, v)[7:9], belief_bound(stack, v[7:9]), rtol=1e-12, atol=0)


def test_one_machine_needs_no_draws(stack):
    v = configurations(5).double()
    torch.testing.assert_close(belief_bound(stack[:1], v), -stack[0].free_energy(v))


def test_states_below_the_top_are_0_or_1(stack):
    with pytest.raises(UsageError, match="0 or 1"):
        belief_bound([machine(5, 4, 1, hidden="relu"), stack[1]], configurations(5).double())

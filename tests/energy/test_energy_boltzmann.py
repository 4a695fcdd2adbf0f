from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.energy.boltzmann import BoltzmannMachine, Moments
from layerwise.energy.enumeration import configurations
from layerwise.errors import UsageError

SOME = settings(max_examples=30, deadline=None, derandomize=True)
MACHINES = (st.integers(1, 5), st.integers(0, 4), st.integers(0, 2**31))


def machine(visible: int, hidden: int, seed: int) -> BoltzmannMachine:
    made = BoltzmannMachine(visible, hidden=hidden).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(generator=generator)
    return made


def data(visible: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, (7, visible), generator=generator).double()


def log_likelihood(made: BoltzmannMachine, visible: Tensor) -> Tensor:
    """By summing over every state of the whole machine, pair by pair."""
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=made.units))).double()
    scores = states @ made.bias
    for k, (i, j) in enumerate(itertools.combinations(range(made.units), 2)):
        scores = scores + made.couplings[k] * states[:, i] * states[:, j]
    joint = torch.log_softmax(scores, 0)
    same = (states[None, :, : made.visible] == visible[:, None]).all(2)
    return torch.logsumexp(torch.where(same, joint, -torch.inf), 1)


@SOME
@given(*MACHINES)
def test_likelihood_and_its_gradient_are_exact(visible: int, hidden: int, seed: int) -> None:
    made, rows = machine(visible, hidden, seed), data(visible, seed)
    expected = log_likelihood(made, rows)
    torch.testing.assert_close(made.log_likelihood(rows), expected, rtol=0, atol=1e-10)
    slopes = torch.autograd.grad(expected.mean(), [made.couplings, made.bias], materialize_grads=True)
    with torch.no_grad():
        gradient = made.exact_moments(rows).minus(made.exact_moments())
    for found, slope in zip(gradient, slopes, strict=True):
        torch.testing.assert_close(found, slope, rtol=0, atol=1e-10)


@SOME
@given(*MACHINES)
def test_free_energies_are_consistent(visible: int, hidden: int, seed: int) -> None:
    made = machine(visible, hidden, seed).requires_grad_(False)
    everything = configurations(made.units).double()
    torch.testing.assert_close(made.free_energy(everything), made.energy(everything))
    torch.testing.assert_close(made.log_partition(), torch.logsumexp(-made.energy(everything), 0))
    chances = made.log_likelihood(configurations(visible).double()).exp()
    assert chances.sum().item() == pytest.approx(1, abs=1e-12)
    weights = made.weights
    assert torch.equal(weights, weights.T)
    assert (weights.diagonal() == 0).all()


def test_energy_by_hand() -> None:
    made = BoltzmannMachine(2, hidden=1)
    with torch.no_grad():
        made.couplings.copy_(torch.tensor([1.0, 2.0, 4.0]))  # of units 0 and 1, 0 and 2, 1 and 2
        made.bias.copy_(torch.tensor([0.5, 0.25, 0.125]))
    states = torch.tensor(
        [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    )
    assert made.energy(states).tolist() == [-1.75, -2.625, -4.375, -7.875, 0.0]


def test_moments_of_states_count_pairs_and_units() -> None:
    made = BoltzmannMachine(2, hidden=1)
    states = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    found = made.moments(states)
    assert found.pairs.tolist() == [0.5, 0.5, 0.25]
    assert found.units.tolist() == [0.75, 0.5, 0.5]
    assert isinstance(found, Moments)


@pytest.mark.parametrize("clamped", [False, True])
def test_sampled_moments_are_near_the_exact_ones(clamped: bool) -> None:
    made, chains = machine(4, 4, seed=5), 5_000
    rows = data(4, 1).repeat(chains // 7 + 1, 1)[:chains]
    generator = torch.Generator().manual_seed(2)
    hidden = torch.randint(2, (chains, 4), generator=generator).double()
    known = made.visible if clamped else 0
    states = made.gibbs(torch.cat([rows, hidden], 1), updates=300, clamped=known, generator=generator)
    with torch.no_grad():
        exact = made.exact_moments(rows if clamped else None)
    for found, true in zip(made.moments(states), exact, strict=True):
        errors = (true * (1 - true) / chains).clamp(min=0).sqrt()
        assert ((found - true).abs() <= 4 * errors + 1e-12).all()


def test_a_machine_of_twenty_units_is_enumerated_and_one_of_more_is_not() -> None:
    made = BoltzmannMachine(12, hidden=8).double()
    assert made.log_partition().item() == pytest.approx(20 * torch.tensor(2.0).double().log().item())
    larger = BoltzmannMachine(12, hidden=9).double()
    assert larger.free_energy(torch.zeros(3, 12).double()).tolist() == pytest.approx(
        [-9 * 0.6931471805599453] * 3
    )
    with pytest.raises(UsageError, match="sample them instead"):
        larger.log_partition()


def test_what_a_machine_refuses() -> None:
    with pytest.raises(UsageError, match="at least 1 visible unit, got 0"):
        BoltzmannMachine(0)
    with pytest.raises(UsageError, match=r"k at most 3, got \(1, 4\)"):
        BoltzmannMachine(3).free_energy(torch.zeros(1, 4))


def test_configurations_count_up() -> None:
    assert configurations(2).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert configurations(2, values=3)[5].tolist() == [1, 2]
    assert configurations(0).shape == (1, 0)

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.energy.hopfield import DenseMemory, Hopfield, ModernHopfield
from layerwise.errors import UsageError

SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=40, deadline=None, derandomize=True)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def signs(rows: int, units: int, seed: int) -> Tensor:
    return 2.0 * torch.randint(2, (rows, units), generator=seeded(seed)).double() - 1


def noisy(patterns: Tensor, share: float, seed: int) -> Tensor:
    wrong = torch.rand(patterns.shape, generator=seeded(seed)) < share
    return torch.where(wrong, -patterns, patterns)


def symmetric(units: int, seed: int) -> Tensor:
    w = torch.randn(units, units, generator=seeded(seed), dtype=torch.float64)
    return (w + w.T).fill_diagonal_(0)


@FEW
@given(seed=SEEDS, units=st.integers(2, 30), hebbian=st.booleans())
def test_the_energy_never_rises_one_unit_at_a_time(seed: int, units: int, hebbian: bool) -> None:
    net = Hopfield.store(signs(5, units, seed)) if hebbian else Hopfield(symmetric(units, seed))
    states, generator = signs(8, units, seed + 1), seeded(seed + 2)
    for _ in range(6):
        after = net.retrieve(states, generator=generator, sweeps=1)
        moved = (after != states).any(1)
        assert (net.energy(after) <= net.energy(states) + 1e-9).all()
        if not hebbian:  # where no pull is exactly 0, every change lowers it
            assert (net.energy(after)[moved] < net.energy(states)[moved]).all()
        states = after
    settled = net.retrieve(states, generator=generator)
    pulls = settled @ net.weights
    assert (settled * pulls >= -1e-9).all()


@FEW
@given(seed=SEEDS, units=st.integers(2, 30))
def test_all_at_once_the_energy_of_successive_states_never_rises(seed: int, units: int) -> None:
    net = Hopfield(symmetric(units, seed))
    states = signs(8, units, seed + 1)
    successive = []
    for _ in range(60):
        after = net.retrieve(states, sweeps=1)
        successive.append(-(states @ net.weights * after).sum(1) / 2)
        states = after
    assert (torch.stack(successive).diff(dim=0) <= 1e-9).all()
    settled = net.retrieve(states)
    assert torch.equal(net.retrieve(net.retrieve(settled, sweeps=1), sweeps=1), settled)


def test_the_energy_by_hand_and_by_enumeration() -> None:
    net = Hopfield(torch.tensor([[0.0, 2.0, -1.0], [2.0, 0.0, 0.5], [-1.0, 0.5, 0.0]]))
    assert net.energy(torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0]])).tolist() == [-1.5, 3.5]
    pattern = signs(1, 10, 0)
    assert Hopfield.store(pattern).energy(pattern).item() == pytest.approx(-(10 - 1) / 2)


def test_all_at_once_can_end_in_a_cycle_of_two() -> None:
    net = Hopfield(torch.tensor([[0.0, -1.0], [-1.0, 0.0]]))
    both = torch.tensor([[1.0, 1.0]])
    assert torch.equal(net.retrieve(both, sweeps=1), -both)
    assert torch.equal(net.retrieve(both, sweeps=101), both)  # noticed after two updates
    apart = net.retrieve(both, generator=seeded(0))
    assert apart.sum() == 0


def test_a_unit_without_a_pull_keeps_its_value() -> None:
    net = Hopfield(torch.zeros(4, 4))
    states = signs(3, 4, 0).float()
    assert torch.equal(net.retrieve(states, sweeps=1), states)
    assert torch.equal(net.retrieve(states, generator=seeded(0), sweeps=1), states)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_stored_patterns_come_back_from_noise(one_by_one: bool) -> None:
    patterns = signs(10, 400, 0)
    net = Hopfield.store(patterns)
    found = net.retrieve(noisy(patterns, 0.15, 1), generator=seeded(2) if one_by_one else None)
    assert torch.equal(found, patterns)


def test_capacity_of_a_small_network() -> None:
    """At a load well under 0.138 patterns are kept, well over it they are lost."""
    units = 500
    for load, low, high in ((0.08, 0.98, 1.0), (0.22, 0.0, 0.7)):
        patterns = signs(int(load * units), units, 3)
        found = Hopfield.store(patterns).retrieve(patterns[:20], generator=seeded(4), sweeps=30)
        overlap = (found * patterns[:20]).mean().item()
        assert low <= overlap <= high


@FEW
@given(seed=SEEDS, units=st.integers(2, 16), order=st.integers(2, 5))
def test_the_energy_of_a_dense_memory_never_rises(seed: int, units: int, order: int) -> None:
    memory = DenseMemory(signs(6, units, seed), order)
    states, generator = signs(8, units, seed + 1), seeded(seed + 2)
    for _ in range(4):
        after = memory.retrieve(states, generator=generator, sweeps=1)
        assert (memory.energy(after) <= memory.energy(states)).all()  # whole numbers: no rounding
        states = after
    settled = memory.retrieve(states, generator=generator)
    for unit in range(units):
        flipped = settled.clone()
        flipped[:, unit] *= -1
        assert (memory.energy(flipped) >= memory.energy(settled)).all()


def test_a_dense_memory_of_order_two_is_the_classical_network() -> None:
    patterns = signs(16, 64, 0)
    states = noisy(patterns, 0.3, 1)
    net, memory = Hopfield.store(patterns), DenseMemory(patterns, 2)
    torch.testing.assert_close(memory.energy(states), 64 * (2 * net.energy(states) - 16))
    kept = memory.retrieve(states, generator=seeded(2), sweeps=1)
    assert torch.equal(kept, net.retrieve(states, generator=seeded(2), sweeps=1))


def test_a_dense_memory_keeps_more_patterns_than_units() -> None:
    patterns = signs(120, 60, 0)
    start = noisy(patterns, 0.05, 1)[:30]
    found = DenseMemory(patterns, 5).retrieve(start, generator=seeded(2))
    assert (found == patterns[:30]).double().mean() > 0.99
    lost = Hopfield.store(patterns).retrieve(start, generator=seeded(2))
    assert (lost == patterns[:30]).double().mean() < 0.8


@FEW
@given(seed=SEEDS, units=st.integers(1, 20), beta=st.floats(0.01, 30))
def test_the_energy_of_the_modern_network_never_rises(seed: int, units: int, beta: float) -> None:
    patterns = torch.randn(7, units, generator=seeded(seed), dtype=torch.float64)
    net = ModernHopfield(patterns, beta)
    states = 3 * torch.randn(9, units, generator=seeded(seed + 1), dtype=torch.float64)
    energies = [net.energy(states)]
    for _ in range(8):
        states = net.retrieve(states)
        energies.append(net.energy(states))
    falls = -torch.stack(energies).diff(dim=0)
    assert (falls >= -1e-9).all()
    assert (energies[-1] >= -1e-9).all()
    assert (energies[-1] <= 2 * patterns.square().sum(1).max() + 1e-9).all()


def test_the_modern_network_is_attention_and_descends_its_energy() -> None:
    patterns = torch.randn(50, 64, generator=seeded(0), dtype=torch.float64)
    net = ModernHopfield(patterns, 0.125)
    states = torch.randn(5, 64, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    found = net.retrieve(states)
    attention = torch.nn.functional.scaled_dot_product_attention(states[None], patterns[None], patterns[None])
    torch.testing.assert_close(found, attention[0])
    (slope,) = torch.autograd.grad(net.energy(states).sum(), states)
    torch.testing.assert_close(states - slope, found)  # a step of 1 down the gradient


def test_the_modern_network_keeps_exponentially_many_patterns_in_one_update() -> None:
    patterns = signs(2000, 64, 0)
    found = ModernHopfield(patterns, 2.0).retrieve(noisy(patterns, 0.1, 1))
    assert (found.sign() == patterns).all(1).double().mean() > 0.99
    converged = ModernHopfield(patterns[:5], 2.0).retrieve(patterns[:5], updates=3)
    torch.testing.assert_close(converged, patterns[:5])


def test_what_memories_refuse() -> None:
    with pytest.raises(UsageError, match="symmetric weights"):
        Hopfield(torch.eye(3))
    with pytest.raises(UsageError, match="symmetric weights"):
        Hopfield(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    with pytest.raises(UsageError, match=r"2.0 \* bits - 1"):
        Hopfield.store(torch.tensor([[0.0, 1.0]]))
    with pytest.raises(UsageError, match="order must be at least 2, got 1"):
        DenseMemory(signs(2, 3, 0), 1)
    with pytest.raises(UsageError, match="beta must be positive, got 0"):
        ModernHopfield(signs(2, 3, 0), 0.0)

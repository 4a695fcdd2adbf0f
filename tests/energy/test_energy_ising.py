from __future__ import annotations

from math import cos, cosh, exp, log, pi, prod, sinh, sqrt, tanh

import pytest
import torch

from layerwise.energy.ising import Ising, binder_cumulant
from layerwise.errors import UsageError

CRITICAL = log(1 + sqrt(2)) / 2  # the inverse of the critical temperature (Onsager 1944)


def log_partition(size: int, beta: float) -> float:
    """Of a torus, in closed form (Kaufman 1949)."""

    def gamma(r: int) -> float:
        if r == 0:
            return 2 * beta + log(tanh(beta))
        c = cosh(2 * beta) ** 2 / sinh(2 * beta) - cos(pi * r / size)
        return log(c + sqrt(c * c - 1))

    half = size / 2
    odd = [half * gamma(2 * r + 1) for r in range(size)]
    even = [half * gamma(2 * r) for r in range(size)]
    terms = sum(prod(2 * f(g) for g in gammas) for gammas in (odd, even) for f in (cosh, sinh))
    return log(terms) + half * size * log(2 * sinh(2 * beta)) - log(2)


def test_energies_of_every_state_of_a_lattice_of_sixteen() -> None:
    lattice = Ising(4)
    levels, counts = lattice.energy(lattice.states()).unique(return_counts=True)
    below = {-32: 2, -24: 32, -20: 64, -16: 424, -12: 1728, -8: 6688, -4: 13568}
    known = below | {0: 20524} | {-level: n for level, n in below.items()}
    assert dict(zip(levels.int().tolist(), counts.tolist(), strict=True)) == known


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("beta", [0.1, CRITICAL, 1.3])
def test_enumeration_agrees_with_the_closed_form(size: int, beta: float) -> None:
    lattice = Ising(size)
    energies = lattice.energy(lattice.states()).double()
    exact = torch.logsumexp(-beta * energies, 0).item()
    assert exact == pytest.approx(log_partition(size, beta), abs=1e-9)
    chances = lattice.probabilities(beta)
    assert chances.sum().item() == pytest.approx(1, abs=1e-12)
    assert chances[0].item() == pytest.approx(exp(2 * beta * size**2 - exact), rel=1e-9)
    step = 1e-5
    slope = (log_partition(size, beta + step) - log_partition(size, beta - step)) / (2 * step)
    assert (chances * energies).sum().item() == pytest.approx(-slope, abs=1e-6)


def test_energy_and_magnetisation_by_hand() -> None:
    lattice = Ising(3)
    spins = torch.ones(2, 3, 3, dtype=torch.int8)
    spins[1, 0, 2] = -1
    assert lattice.energy(spins).tolist() == [-18.0, -10.0]
    assert lattice.magnetisation(spins).tolist() == pytest.approx([1.0, 7 / 9])
    single = lattice.acceptance(spins, beta=0.5)
    assert single[0].unique().item() == pytest.approx(exp(-4))
    assert single[1, 0, 2].item() == 1  # falls by 8
    assert single[1, 0, 1].item() == pytest.approx(exp(-2))  # rises by 4


def test_hot_spins_are_fair_and_repeatable() -> None:
    lattice = Ising(8)
    spins = lattice.start(500, generator=torch.Generator().manual_seed(3))
    assert spins.dtype == torch.int8
    assert sorted(spins.unique().tolist()) == [-1, 1]
    assert abs(spins.float().mean()) < 4 / (500 * 64) ** 0.5
    assert torch.equal(spins, lattice.start(500, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("kernel", ["flip", "sweep", "wolff"])
def test_kernels_return_new_spins_and_repeat_with_the_seed(kernel: str) -> None:
    lattice = Ising(4)
    spins = lattice.start(50, generator=torch.Generator().manual_seed(0))
    before = spins.clone()
    once, again = (
        getattr(lattice, kernel)(spins, beta=0.4, generator=torch.Generator().manual_seed(1)) for _ in "ab"
    )
    assert torch.equal(spins, before)
    assert torch.equal(once, again)
    assert once.dtype == torch.int8
    assert not torch.equal(once, spins)


def test_binder_cumulants_at_the_ends_and_of_small_lattices() -> None:
    ordered = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    assert binder_cumulant(ordered).item() == pytest.approx(2 / 3)
    disorder = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    assert abs(binder_cumulant(disorder)) < 0.01
    cumulants = {}
    for size in (2, 4):
        lattice = Ising(size)
        squares = lattice.magnetisation(lattice.states()).double().square()
        for beta in (0.3, 0.6):
            chances = lattice.probabilities(beta)
            cumulants[size, beta] = 1 - (chances * squares.square()).sum() / (
                3 * (chances * squares).sum() ** 2
            )
    assert cumulants[2, 0.3] > cumulants[4, 0.3]  # in disorder the larger lattice is nearer to 0
    assert cumulants[2, 0.6] < cumulants[4, 0.6]  # in order it is nearer to 2/3


def test_what_a_lattice_refuses() -> None:
    generator = torch.Generator()
    with pytest.raises(UsageError, match="at least 2, got 1"):
        Ising(1)
    with pytest.raises(UsageError, match="even size, got 3"):
        Ising(3).sweep(torch.ones(1, 3, 3, dtype=torch.int8), beta=1.0, generator=generator)
    with pytest.raises(UsageError, match=r"\(N, 4, 4\), got \(1, 3, 3\)"):
        Ising(4).wolff(torch.ones(1, 3, 3, dtype=torch.int8), beta=1.0, generator=generator)
    with pytest.raises(UsageError, match="too many configurations"):
        Ising(5).states()


@pytest.mark.parametrize(("kernel", "beta", "steps"), [("sweep", 0.35, 60), ("wolff", CRITICAL, 40)])
def test_energies_of_a_lattice_too_large_to_enumerate(kernel: str, beta: float, steps: int) -> None:
    lattice, chains, step = Ising(8), 1500, 1e-4
    generator = torch.Generator().manual_seed(0)
    spins = torch.ones(chains, 8, 8, dtype=torch.int8)
    energies = []
    for number in range(2 * steps):
        spins = getattr(lattice, kernel)(spins, beta=beta, generator=generator)
        if number >= steps:
            energies.append(lattice.energy(spins))
    means = torch.stack(energies).double().mean(0)
    exact = -(log_partition(8, beta + step) - log_partition(8, beta - step)) / (2 * step)
    assert abs(means.mean() - exact) < 4 * means.std() / chains**0.5
    assert means.std() / chains**0.5 < 0.005 * abs(exact)

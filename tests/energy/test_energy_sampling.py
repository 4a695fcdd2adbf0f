"""Every sampler leaves its distribution as it is: by exact transition matrices, and by counting."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from layerwise.energy.boltzmann import BoltzmannMachine
from layerwise.energy.enumeration import configurations
from layerwise.energy.ising import Ising
from layerwise.energy.tempering import Tempering
from layerwise.errors import UsageError

CHAINS = 200_000
SIGMAS = 4.0  # a statistic of chi-squared may lie so many of its standard deviations above its mean
BETA = 0.3


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def number(bits: Tensor) -> Tensor:
    """(N, ...) of 0 and 1, or of -1 and 1, to the number of each configuration (N,)."""
    flat = (bits.flatten(1) > 0).long()
    return flat @ 2 ** torch.arange(flat.shape[1] - 1, -1, -1)


def as_expected(counts: Tensor, expected: Tensor) -> None:
    """Counts agree with what is expected of them: Pearson's statistic over cells of at least 5."""
    assert counts[expected == 0].sum() == 0
    cells = expected >= 5
    freedom = int(cells.sum()) - 1
    statistic = ((counts - expected)[cells].square() / expected[cells]).sum()
    assert (statistic - freedom) / (2 * freedom) ** 0.5 < SIGMAS


def counted(before: Tensor, after: Tensor, states: int) -> Tensor:
    """How often each state became each: (S, S)."""
    return torch.bincount(before * states + after, minlength=states**2).view(states, states).double()


def in_balance(counts: Tensor) -> None:
    """As many transitions there as back, in a chain that started in equilibrium."""
    there, back = (m[torch.triu(torch.ones_like(m), 1) > 0] for m in (counts, counts.T))
    seen = there + back >= 10
    freedom = int(seen.sum())
    statistic = ((there - back)[seen].square() / (there + back)[seen]).sum()
    assert freedom > 3
    assert (statistic - freedom) / (2 * freedom) ** 0.5 < SIGMAS


def balanced(chances: Tensor, matrix: Tensor) -> None:
    """The matrix is one of transitions, in detailed balance with `chances`."""
    torch.testing.assert_close(matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64))
    flow = chances[:, None] * matrix
    torch.testing.assert_close(flow, flow.T, rtol=0, atol=1e-12)


def drawn(chances: Tensor, seed: int = 1) -> Tensor:
    return torch.multinomial(chances, CHAINS, True, generator=seeded(seed))


# Ising

LATTICE = Ising(2)
SPINS = LATTICE.states()
CHANCES = LATTICE.probabilities(BETA)
EXACT_BETA = torch.tensor(BETA, dtype=torch.float64)


def test_single_flips_are_in_detailed_balance() -> None:
    accepted = LATTICE.acceptance(SPINS, beta=EXACT_BETA).flatten(1)
    matrix = torch.zeros(16, 16, dtype=torch.float64)
    for site in range(4):
        flipped = SPINS.flatten(1).clone()
        flipped[:, site] *= -1
        matrix[torch.arange(16), number(flipped)] += accepted[:, site] / 4
    matrix += torch.diag(1 - matrix.sum(1))
    balanced(CHANCES, matrix)

    before = drawn(CHANCES)
    after = number(LATTICE.flip(SPINS[before], beta=BETA, generator=seeded()))
    counts = counted(before, after, 16)
    in_balance(counts)
    as_expected(counts, CHAINS * CHANCES[:, None] * matrix)


def test_a_sweep_of_a_checkerboard_leaves_the_distribution() -> None:
    accepted = LATTICE.acceptance(SPINS, beta=EXACT_BETA).flatten(1)
    matrix = torch.eye(16, dtype=torch.float64)
    for sites in ((0, 3), (1, 2)):
        half = torch.zeros(16, 16, dtype=torch.float64)
        for flips in itertools.product((0, 1), repeat=2):
            flipped, chance = SPINS.flatten(1).clone(), torch.ones(16, dtype=torch.float64)
            for site, flip in zip(sites, flips, strict=True):
                flipped[:, site] *= 1 - 2 * flip
                chance = chance * (accepted[:, site] if flip else 1 - accepted[:, site])
            half[torch.arange(16), number(flipped)] += chance
        balanced(CHANCES, half)
        matrix = matrix @ half
    torch.testing.assert_close(CHANCES @ matrix, CHANCES, rtol=0, atol=1e-12)

    before = drawn(CHANCES)
    after = number(LATTICE.sweep(SPINS[before], beta=BETA, generator=seeded()))
    as_expected(counted(before, after, 16), CHAINS * CHANCES[:, None] * matrix)


def wolff_matrix() -> Tensor:
    """From every choice of kept bonds and of a first site, by hand."""
    bonds = [(s, t) for s in range(4) for t in ((s + 2) % 4, s // 2 * 2 + (s + 1) % 2)]
    keep = 1 - torch.exp(-2 * EXACT_BETA).item()
    matrix = torch.zeros(16, 16, dtype=torch.float64)
    for start, spins in enumerate(SPINS.flatten(1).tolist()):
        inside = [bond for bond in bonds if spins[bond[0]] == spins[bond[1]]]
        for kept in itertools.product((False, True), repeat=len(inside)):
            chance = keep ** sum(kept) * (1 - keep) ** (len(kept) - sum(kept)) / 4
            for seed in range(4):
                cluster, size = {seed}, 0
                while size < len(cluster):
                    size = len(cluster)
                    ties = (b for b, k in zip(inside, kept, strict=True) if k and cluster & set(b))
                    cluster |= {s for b in ties for s in b}
                flipped = [-s if i in cluster else s for i, s in enumerate(spins)]
                matrix[start, number(torch.tensor([flipped]))] += chance
    return matrix


def test_cluster_flips_are_in_detailed_balance() -> None:
    matrix = wolff_matrix()
    balanced(CHANCES, matrix)
    before = drawn(CHANCES)
    after = number(LATTICE.wolff(SPINS[before], beta=BETA, generator=seeded()))
    as_expected(counted(before, after, 16), CHAINS * CHANCES[:, None] * matrix)


@pytest.mark.parametrize("kernel", ["flip", "wolff"])
def test_samplers_of_a_larger_lattice(kernel: str) -> None:
    lattice = Ising(3)
    states, chances = lattice.states(), lattice.probabilities(0.2)
    before = drawn(chances)
    after = number(getattr(lattice, kernel)(states[before], beta=0.2, generator=seeded()))
    as_expected(torch.bincount(after, minlength=512).double(), CHAINS * chances)
    in_balance(counted(before, after, 512))


@pytest.mark.parametrize(("kernel", "steps"), [("flip", 600), ("sweep", 60), ("wolff", 30)])
def test_samplers_reach_equilibrium_at_each_chain_s_temperature(kernel: str, steps: int) -> None:
    lattice, chains = Ising(4), 2000
    betas = torch.tensor([0.2, 0.4]).repeat_interleave(chains)
    spins = lattice.start(2 * chains, generator=seeded())
    generator = seeded(1)
    for _ in range(steps):
        spins = getattr(lattice, kernel)(spins, beta=betas, generator=generator)
    energies, squares = lattice.energy(spins), lattice.magnetisation(spins).square()
    states = lattice.states()
    for beta, found in ((0.2, slice(chains)), (0.4, slice(chains, None))):
        chances = lattice.probabilities(beta)
        for sample, values in (
            (energies[found], lattice.energy(states)),
            (squares[found], lattice.magnetisation(states).square()),
        ):
            error = sample.std() / chains**0.5
            assert abs(sample.mean() - (chances * values).sum()) < SIGMAS * error


# Boltzmann machine


def machine(units: int, seed: int, scale: float = 1.0) -> BoltzmannMachine:
    made = BoltzmannMachine(units - 1, hidden=1).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=scale, generator=seeded(seed))
    return made


def settings(units: int) -> Tensor:
    return configurations(units).double()


def gibbs_matrix(made: BoltzmannMachine, beta: float) -> Tensor:
    states = settings(made.units)
    fields = states @ made.weights.detach() + made.bias.detach()
    matrix = torch.zeros(len(states), len(states), dtype=torch.float64)
    for unit in range(made.units):
        for value in (0, 1):
            after = states.clone()
            after[:, unit] = value
            sign = 2 * value - 1
            chance = torch.sigmoid(sign * beta * fields[:, unit]) / made.units
            matrix[torch.arange(len(states)), number(after)] += chance
    return matrix


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_random_scan_gibbs_is_in_detailed_balance(beta: float) -> None:
    made = machine(4, seed=3)
    states = settings(4)
    chances = torch.softmax(-beta * made.energy(states).detach(), 0)
    matrix = gibbs_matrix(made, beta)
    balanced(chances, matrix)

    before = drawn(chances)
    betas = torch.full((CHAINS,), beta, dtype=torch.float64)
    after = number(made.gibbs(states[before], beta=betas, generator=seeded()))
    counts = counted(before, after, 16)
    in_balance(counts)
    as_expected(counts, CHAINS * chances[:, None] * matrix)
    twice = number(made.gibbs(states[before], beta=beta, updates=2, generator=seeded()))
    as_expected(counted(before, twice, 16), CHAINS * chances[:, None] * matrix @ matrix)


def test_the_conditional_is_what_the_energies_say() -> None:
    made = machine(5, seed=4)
    states = settings(5)
    for unit in range(5):
        on, off = states.clone(), states.clone()
        on[:, unit], off[:, unit] = 1, 0
        odds = made.energy(off) - made.energy(on)
        torch.testing.assert_close(made.conditional(states)[:, unit], torch.sigmoid(odds))


def test_clamped_gibbs_keeps_the_data_and_leaves_the_posterior() -> None:
    made = machine(5, seed=5)
    states = settings(5)
    given = states[:, :2] == torch.tensor([1.0, 0.0], dtype=torch.float64)
    log_weights = torch.where(given.all(1), -made.energy(states).detach(), -torch.inf)
    chances = torch.softmax(log_weights, 0)
    after = made.gibbs(states[drawn(chances)], updates=3, clamped=2, generator=seeded())
    as_expected(torch.bincount(number(after), minlength=32).double(), CHAINS * chances)


def test_gibbs_with_everything_clamped_or_of_the_wrong_shape() -> None:
    made = machine(4, seed=3)
    assert torch.equal(made.gibbs(settings(4), clamped=4, generator=seeded()), settings(4))
    with pytest.raises(UsageError, match=r"must be \(N, 4\), got \(32, 5\)"):
        made.gibbs(settings(5), generator=seeded())


# Tempering

COLD, HOT = machine(3, seed=6, scale=2.0), machine(3, seed=7, scale=0.2)
BETAS = torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
BITS = settings(3)
PRODUCT = torch.cartesian_prod(*[torch.arange(8)] * 3)  # which state each level is in: (512, 3)


def path(states: Tensor, betas: Tensor) -> Tensor:
    """From one machine to another: no multiple of one energy."""
    return ((1 - betas) * HOT.energy(states) + betas * COLD.energy(states)).detach()


def mixed(states: Tensor, betas: Tensor, generator: torch.Generator) -> Tensor:
    """Metropolis on `path`: a flip of a random unit."""
    units = torch.randint(3, (len(states),), generator=generator)
    proposed = (states - torch.nn.functional.one_hot(units, 3)).abs()
    chances = torch.exp(path(states, betas) - path(proposed, betas))
    draws = torch.rand(len(states), generator=generator, dtype=torch.float64)
    return torch.where((draws < chances)[:, None], proposed, states)


LADDER = Tempering(BETAS, energy=path, transition=mixed)
LEVELS = torch.stack([torch.softmax(-path(BITS, b.expand(8)), 0) for b in BETAS])
JOINT = torch.stack([LEVELS[t, PRODUCT[:, t]] for t in range(3)]).prod(0)


def replicas(numbers: Tensor) -> Tensor:
    """(N,) of joint states to (T, N, 3)."""
    return BITS[PRODUCT[numbers]].transpose(0, 1)


def joint(states: Tensor) -> Tensor:
    return torch.stack([number(level) for level in states], 1) @ torch.tensor([64, 8, 1])


@pytest.mark.parametrize("first", [0, 1])
def test_trades_of_replicas_are_in_detailed_balance(first: int) -> None:
    everything = torch.arange(512)
    chances = LADDER.acceptance(replicas(everything), first)
    assert chances.shape == (1, 512)
    swapped = PRODUCT.clone()
    swapped[:, [first, first + 1]] = PRODUCT[:, [first + 1, first]]
    matrix = torch.zeros(512, 512, dtype=torch.float64)
    matrix[everything, swapped @ torch.tensor([64, 8, 1])] += chances[0]
    matrix += torch.diag(1 - matrix.sum(1))
    balanced(JOINT, matrix)

    before = drawn(JOINT)
    after, traded = LADDER.swap(replicas(before), first, generator=seeded())
    in_balance(counted(before, joint(after), 512))
    as_expected(counted(before, joint(after), 512), CHAINS * JOINT[:, None] * matrix)
    share = (JOINT * chances[0]).sum()
    assert abs(traded.double().mean() - share) < SIGMAS * (share * (1 - share) / CHAINS).sqrt()


@pytest.mark.parametrize("step", [0, 1])
def test_a_step_of_tempering_leaves_every_level_s_distribution(step: int) -> None:
    after = LADDER.step(replicas(drawn(JOINT)), step, generator=seeded()).states
    as_expected(torch.bincount(joint(after), minlength=512).double(), CHAINS * JOINT)


def test_tempering_crosses_what_single_flips_do_not() -> None:
    lattice, chains = Ising(4), 64
    betas = torch.linspace(0.2, 1.0, 7)
    ladder = Tempering(
        betas,
        energy=lambda spins, b: b * lattice.energy(spins),
        transition=lambda spins, b, g: lattice.sweep(spins, beta=b, generator=g),
    )
    spins = torch.ones(7, chains, 4, 4, dtype=torch.int8)
    alone, generator = spins[-1], seeded()
    traded = torch.zeros(())
    for step in range(400):
        spins, trades = ladder.step(spins, step, generator=generator)
        alone = lattice.sweep(alone, beta=1.0, generator=generator)
        traded += trades.float().mean() / 400
    assert traded > 0.2
    assert (lattice.magnetisation(alone) > 0).all()
    down = (lattice.magnetisation(spins[-1]) < 0).float().mean()
    assert abs(down - 0.5) < SIGMAS * 0.5 / chains**0.5


def test_tempering_refuses_states_of_another_ladder() -> None:
    with pytest.raises(UsageError, match="3 levels"):
        LADDER.step(torch.zeros(2, 5, 3, dtype=torch.float64), 0, generator=seeded())
    with pytest.raises(UsageError, match="at least 2 betas"):
        Tempering(torch.ones(1), energy=path, transition=mixed)

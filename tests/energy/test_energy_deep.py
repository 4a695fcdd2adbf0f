"""Deep Boltzmann machines against sums over all states, and the parts that they are begun from."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.energy import (
    DeepBoltzmannMachine,
    Doubled,
    RestrictedBoltzmannMachine,
    annealed_log_partition,
    configurations,
    exact_log_partition,
)
from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.nn.stage import IMAGE, vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec

SHAPES = [(3, 3, 2), (3, 2, 2, 2)]


def machine(sizes=(3, 3, 2), *, scale: float = 1.0, seed: int = 0) -> DeepBoltzmannMachine:
    draw = torch.Generator().manual_seed(seed)
    dbm = DeepBoltzmannMachine(vector(sizes[0]), widths=list(sizes[1:])).double()
    with torch.no_grad():
        for p in dbm.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return dbm


def restricted(visible: int, hidden: int, /, *, seed: int = 0, **options) -> RestrictedBoltzmannMachine:
    draw = torch.Generator().manual_seed(seed)
    rbm = RestrictedBoltzmannMachine(vector(visible), width=hidden, **options).double()
    with torch.no_grad():
        for p in rbm.parameters():
            p.copy_(torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return rbm


def every(dbm: DeepBoltzmannMachine) -> list[Tensor]:
    """All states of all layers: (S, size of the layer) each."""
    return list(configurations(sum(dbm.sizes)).double().split(dbm.sizes, 1))


def number(states: Tensor) -> Tensor:
    return (states @ (2.0 ** torch.arange(states.shape[1], dtype=torch.float64))).long()


def given_seen(dbm: DeepBoltzmannMachine) -> Tensor:
    """The free energy of each visible state, by the sum over all hidden ones: (2 ** V,)."""
    states = every(dbm)
    which, energy = number(states[0]), dbm.energy(states).detach()
    return torch.stack([-(-energy[which == i]).logsumexp(0) for i in range(2 ** dbm.sizes[0])])


# ---- energies and log Z


@pytest.mark.parametrize("sizes", SHAPES)
def test_the_halves_are_the_same_distribution(sizes):
    dbm = machine(sizes)
    states = every(dbm)
    written = -sum(x @ b for x, b in zip(states, dbm.biases, strict=True))
    for low, weight, high in zip(states, dbm.weights, states[1:], strict=False):
        written = written - torch.einsum("ni,ij,nj->n", low, weight, high)
    torch.testing.assert_close(dbm.energy(states), written)
    halves = dbm.halves()
    torch.testing.assert_close(halves.energy(torch.cat(states[::2], 1), torch.cat(states[1::2], 1)), written)


@pytest.mark.parametrize("sizes", SHAPES)
def test_log_z_and_free_energies_are_sums_over_all_states(sizes):
    dbm = machine(sizes)
    states = every(dbm)
    log_z = (-dbm.energy(states)).logsumexp(0).item()
    assert exact_log_partition(dbm.halves()).value == pytest.approx(log_z, abs=1e-10)
    even = configurations(sum(sizes[::2])).double()
    parts = list(even.split(sizes[::2], 1))
    which = number(torch.cat(states[::2], 1))
    for part, free in zip(number(even), dbm.free_energy(parts), strict=True):
        assert free.item() == pytest.approx(
            -(-dbm.energy(states)[which == part]).logsumexp(0).item(), abs=1e-10
        )
    estimate = annealed_log_partition(dbm.halves(), Randomness(1), chains=400, betas=500)
    assert estimate.low <= log_z <= estimate.high
    assert estimate.value == pytest.approx(log_z, abs=0.1)


@pytest.mark.parametrize("sizes", SHAPES)
def test_a_unit_follows_its_neighbours_alone(sizes):
    dbm = machine(sizes)
    states = every(dbm)
    for layer in range(len(sizes)):
        chance = dbm.input_to(states, layer).sigmoid()
        for unit in range(sizes[layer]):
            on, off = ([x.clone() for x in states] for _ in range(2))
            on[layer][:, unit], off[layer][:, unit] = 1, 0
            torch.testing.assert_close(chance[:, unit], (dbm.energy(off) - dbm.energy(on)).sigmoid())


@pytest.mark.parametrize("sizes", SHAPES)
def test_block_gibbs_leaves_the_distribution(sizes):
    """The kernel, enumerated over what may be drawn between; and what is drawn by it, in 4.5 standard errors."""
    dbm = machine(sizes)
    even, odd = (configurations(sum(part)).double() for part in (sizes[::2], sizes[1::2]))
    halves = dbm.halves()
    down = torch.ones(len(even), len(odd), dtype=torch.float64)
    up = torch.ones(len(odd), len(even), dtype=torch.float64)
    for matrix, states, mean in (
        (down, odd, halves.hidden_mean(even)),
        (up, even, halves.visible_mean(odd)),
    ):
        for unit in range(states.shape[1]):
            p, s = mean.detach()[:, unit, None], states[:, unit]
            matrix *= p * s + (1 - p) * (1 - s)
    kernel = down @ up
    chances = (-dbm.free_energy(list(even.split(sizes[::2], 1)))).detach().softmax(0)
    torch.testing.assert_close(chances @ kernel, chances, atol=1e-13, rtol=0)

    generator = torch.Generator().manual_seed(4)
    n = 200_000
    before = torch.multinomial(chances, n, replacement=True, generator=generator)
    starts = list(even[before].split(sizes[::2], 1))
    after = torch.cat(dbm.gibbs(starts, generator=generator), 1)
    found = torch.argsort(number(even))[number(after)]
    pairs = torch.bincount(before * len(even) + found, minlength=len(even) ** 2).double()
    expected = n * (chances[:, None] * kernel).flatten()
    assert ((pairs - expected).abs() / (expected + 1).sqrt()).max() < 5
    assert ((pairs - expected) ** 2 / expected).sum() < len(expected) + 5 * (2 * len(expected)) ** 0.5


# ---- mean field


@pytest.mark.parametrize("sizes", [*SHAPES, (3, 2, 2, 3, 2)])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.3, 1.0, 3.0]))
def test_mean_field_lowers_its_bound_and_stays_above_the_truth(sizes, seed, scale):
    dbm = machine(sizes, scale=scale, seed=seed)
    v = configurations(3).double()
    bounds = [dbm.variational_free_energy(v, dbm.posterior(v, rounds=n)) for n in (0, 1, 2, 10)]
    for earlier, later in pairwise(bounds):
        assert (later <= earlier + 1e-9).all()
    true = given_seen(dbm)[number(v)]
    assert (bounds[-1] >= true - 1e-9).all()


@pytest.mark.parametrize("sizes", SHAPES)
def test_settled_means_are_where_the_bound_is_flat(sizes):
    dbm, v = machine(sizes), configurations(3).double()
    means = [m.detach().requires_grad_() for m in dbm.posterior(v, rounds=200)]
    for slope in torch.autograd.grad(dbm.variational_free_energy(v, means).sum(), means):
        assert slope.abs().max() < 1e-8


def test_the_bound_is_tight_where_hidden_layers_are_not_tied():
    dbm, v = machine(), configurations(3).double()
    with torch.no_grad():
        dbm.weights[1].zero_()
    bound = dbm.variational_free_energy(v, dbm.posterior(v, rounds=1))
    torch.testing.assert_close(bound, given_seen(dbm)[number(v)], atol=1e-10, rtol=0)


# ---- the parts that it begins with


def test_a_doubled_layer_is_two_copies_of_it():
    """Free energies and log Z of doubled units are those of a machine in which each stands there twice."""
    for options in (
        {"visible": "doubled"},
        {"hidden": "doubled"},
        {"visible": "doubled", "hidden": "doubled"},
    ):
        rbm = restricted(3, 2, **options)
        across, along = ("visible" in options) + 1, ("hidden" in options) + 1
        twice = restricted(3 * across, 2 * along)
        with torch.no_grad():
            twice.weight.copy_(rbm.weight.repeat(across, along))
            twice.visible_bias.copy_(rbm.visible_bias.repeat(across))
            twice.hidden_bias.copy_(rbm.hidden_bias.repeat(along))
        v, h = configurations(3 * across).double(), configurations(2 * along).double()
        sums = v.unflatten(1, (across, 3)).sum(1)
        ways = (rbm.visible.cost(sums) if across == 2 else torch.zeros(len(v))).neg().exp()
        torch.testing.assert_close(rbm.free_energy(sums) + ways.log(), twice.free_energy(v))
        torch.testing.assert_close(rbm.hidden_mean(sums), twice.hidden_mean(v)[:, :2] * along)
        both = h.unflatten(1, (along, 2)).sum(1)
        torch.testing.assert_close(rbm.visible_mean(both), twice.visible_mean(h)[:, :3] * across)
        exact, doubled = exact_log_partition(twice).value, exact_log_partition(rbm).value
        assert doubled == pytest.approx(exact, abs=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_doubled_units_are_drawn_as_said(dtype):
    x = torch.tensor([-1.0, 0.5, 2.0], dtype=dtype)
    drawn = Doubled().sample(x.expand(60_000, 3), torch.Generator().manual_seed(5))
    p = x.double().sigmoid()
    for count, chance in ((0, (1 - p) ** 2), (1, 2 * p * (1 - p)), (2, p * p)):
        away = (drawn == count).double().mean(0) - chance
        assert (away.abs() / (chance * (1 - chance) / 60_000).sqrt()).max() < 4.5
    reach = Doubled().bias(Doubled().mean(x.double()))
    torch.testing.assert_close(reach, x.double())


def test_stacked_it_begins_as_its_parts_see_the_data():
    low = restricted(4, 3, visible="doubled")
    middle, top = restricted(3, 3, seed=1), restricted(3, 2, seed=2, hidden="doubled")
    with torch.no_grad():
        middle.visible_bias.copy_(low.hidden_bias)
        top.visible_bias.copy_(middle.hidden_bias)
    dbm = machine((4, 3, 3, 2))
    dbm.start_from([low, middle, top])
    v = torch.rand(5, 4, dtype=torch.float64)
    h1 = low.hidden_mean(2 * v)
    h2 = middle.hidden_mean(h1)
    h3 = top.hidden_mean(h2) / 2
    for found, expected in zip(dbm.posterior(v, rounds=0), (h1, h2, h3), strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(dbm.input_to([v, h1, h2, h3], 0), low.visible_input(h1))
    with torch.no_grad():
        middle.visible_bias += 1  # the other side's opinion counts half
    dbm.start_from([low, middle, top])
    torch.testing.assert_close(dbm.biases[1], low.hidden_bias + 0.5)
    with torch.no_grad():
        middle.visible_bias -= 1
    dbm.start_from([low, middle, top])
    down = low.visible_mean(middle.visible_mean(top.visible_mean(2 * h3))) / 2
    torch.testing.assert_close(dbm.downwards(h3), down)


# ---- a stage


def test_it_is_a_level_of_a_pipeline():
    dbm = DeepBoltzmannMachine.from_spec(Spec(IMAGE, (1, 2, 3)), widths=[4, 5])
    net = Pipeline(machine=dbm, answer=torch.nn.Linear(5, 2))
    assert net(torch.rand(3, 1, 2, 3)).shape == (3, 2)
    assert dbm.spec(vector(6)) == vector(5)
    assert dbm.field() == {"height": None, "width": None}
    assert dbm.depth(vector(6)) == 2
    assert dbm.cost(vector(6)) > 6 * 4 + 4 * 5
    assert dbm.words() == "deep Boltzmann machine, 6 to 4 to 5 units"


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="at least 2 layers"):
        DeepBoltzmannMachine(vector(3), widths=[4])
    with pytest.raises(UsageError, match="unequal lengths"):
        DeepBoltzmannMachine(Spec(("time", "channel"), (None, 3), longest=5), widths=[4, 2])
    with pytest.raises(UsageError, match="widths of DeepBoltzmannMachine must be a list"):
        DeepBoltzmannMachine.from_spec(vector(3), widths=[4, 0])

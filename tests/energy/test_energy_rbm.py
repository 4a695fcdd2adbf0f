"""Units, energies and log Z of restricted Boltzmann machines against sums and integrals over all states."""

from itertools import product
from math import pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.energy import (
    Bernoulli,
    Estimate,
    Gaussian,
    Rectified,
    RestrictedBoltzmannMachine,
    Softmax,
    annealed_log_partition,
    exact_log_partition,
    log_likelihood,
)
from layerwise.errors import UsageError
from layerwise.nn import Dense, Pipeline
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec

DEVIATIONS = [0.5, 1.0, 2.0]
KINDS = {
    "bernoulli": {},
    "softmax": {"visible": "softmax", "categories": 3},
    "gaussian": {"visible": "gaussian", "deviations": DEVIATIONS},
}


def machine(visible: int, hidden: int, /, *, scale: float = 0.7, seed: int = 0, **options):
    draw = torch.Generator().manual_seed(seed)
    rbm = RestrictedBoltzmannMachine(vector(visible), width=hidden, **options).double()
    with torch.no_grad():
        for p in rbm.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return rbm


def binary(units: int) -> Tensor:
    return torch.tensor(list(product((0.0, 1.0), repeat=units)), dtype=torch.float64)


def visible_states(rbm, units: int) -> Tensor:
    if not isinstance(rbm.visible, Softmax):
        return binary(units)
    k = rbm.visible.categories
    eye = torch.eye(k, dtype=torch.float64)
    return torch.stack([torch.cat([eye[i] for i in g]) for g in product(range(k), repeat=units // k)])


def joint(rbm) -> tuple[Tensor, Tensor, Tensor]:
    """All visible states, all hidden states, and their energies (V states, H states)."""
    v, h = visible_states(rbm, len(rbm.visible_bias)), binary(len(rbm.hidden_bias))
    energies = torch.stack([rbm.energy(v, one.expand(len(v), -1)) for one in h], 1)
    return v, h, energies.detach()


def standard_error(sample: Tensor) -> Tensor:
    return sample.std(0) / len(sample) ** 0.5 + 1e-9


# ---- units


@pytest.mark.parametrize("units", [Bernoulli(), Gaussian(), Gaussian([0.5, 2.0, 1.0] * 2), Softmax(3)])
def test_the_mean_is_the_slope_of_the_log_partition(units):
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    units.double().log_partition(x).sum().backward()
    torch.testing.assert_close(x.grad, units.mean(x).detach(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("units", [Bernoulli(), Gaussian([0.5]), Softmax(3), Rectified()])
def test_samples_have_the_mean_that_is_said(units, dtype):
    x = torch.linspace(-3, 4, 6, dtype=dtype)
    drawn = units.to(dtype).sample(x.expand(40_000, 6), torch.Generator().manual_seed(2))
    assert drawn.dtype == dtype
    away = (drawn.mean(0) - units.mean(x)) / standard_error(drawn)
    assert away.abs().max() < 4.5


def test_sixteen_bits_keep_what_is_certain_and_what_is_rare():
    generator = torch.Generator().manual_seed(3)
    sure = Bernoulli().sample(torch.tensor([-40.0, 40.0]).expand(100_000, 2), generator)
    assert sure.mean(0).tolist() == [0.0, 1.0]
    p = 10 / 65536
    rare = Bernoulli().sample(torch.full((1_000_000, 3), p).logit(), generator)
    assert abs(float(rare.sum()) - 3e6 * p) < 4.5 * (3e6 * p) ** 0.5
    assert abs(float((rare[:, 0] * rare[:, 1]).sum())) <= 3


def test_gaussian_samples_spread_as_told():
    drawn = Gaussian(DEVIATIONS).sample(torch.zeros(40_000, 3), torch.Generator().manual_seed(4))
    torch.testing.assert_close(drawn.std(0), torch.tensor(DEVIATIONS), rtol=0.02, atol=0)


def test_softmax_turns_exactly_one_on():
    drawn = Softmax(4).sample(torch.randn(500, 12), torch.Generator().manual_seed(5))
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(drawn.view(500, 3, 4).sum(-1), torch.ones(500, 3))


def test_rectified_free_energy_is_that_of_many_logistic_units_within_its_bound():
    """Nair and Hinton 2010: biases x - 0.5, x - 1.5, ...; 1/24 of the slope is the integral's error."""
    x = torch.linspace(-20, 40, 121, dtype=torch.float64)
    many = torch.nn.functional.softplus(x[:, None] + 0.5 - torch.arange(1, 200)).sum(1)
    gap = Rectified().log_partition(x[:, None]) - many
    assert gap.min() >= -1e-12
    assert gap.max() <= 1 / 24 + 1e-6
    torch.testing.assert_close(gap, torch.sigmoid(x) / 24, atol=1e-3, rtol=0)


def test_the_rectified_log_partition_is_the_integral_of_softplus():
    x = torch.linspace(-30, 30, 601, dtype=torch.float64, requires_grad=True)
    Rectified().log_partition(x[:, None]).sum().backward()
    torch.testing.assert_close(x.grad, torch.nn.functional.softplus(x.detach()), atol=1e-8, rtol=0)
    at_zero = Rectified().log_partition(torch.zeros(1, dtype=torch.float64))
    assert float(at_zero) == pytest.approx(pi**2 / 12, abs=1e-14)


@given(st.floats(-300, 300))
@settings(max_examples=50, deadline=None)
def test_rectified_means_and_their_slopes_are_finite(value):
    x = torch.tensor([value], requires_grad=True)
    mean = Rectified().mean(x)
    mean.sum().backward()
    assert torch.isfinite(mean).all()
    assert torch.isfinite(x.grad).all()
    assert float(mean.detach()) >= max(0.0, value) - 1e-4


@pytest.mark.parametrize("units", [Bernoulli(), Gaussian(DEVIATIONS), Softmax(3)])
def test_a_bias_gives_the_mean_it_was_made_for(units):
    means = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    torch.testing.assert_close(units.double().mean(units.bias(means)), means)
    edge = units.bias(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    assert torch.isfinite(edge).all()


# ---- energies and likelihoods against enumeration


@pytest.mark.parametrize("kind", ["bernoulli", "softmax"])
@pytest.mark.parametrize("sizes", [(6, 4), (3, 7), (12, 3)])
def test_free_energy_and_log_z_are_sums_over_all_states(kind, sizes):
    rbm = machine(*sizes, **KINDS[kind])
    v, _, energies = joint(rbm)
    torch.testing.assert_close(rbm.free_energy(v).detach(), -(-energies).logsumexp(1), atol=1e-9, rtol=0)
    log_z = float((-energies).flatten().logsumexp(0))
    found = exact_log_partition(rbm)
    assert found.value == pytest.approx(log_z, abs=1e-6)
    assert found == (found.value, found.value, found.value, "exact")
    mean = -float(rbm.free_energy(v).detach().mean()) - log_z
    assert log_likelihood(rbm, v, found).value == pytest.approx(mean, abs=1e-6)


def test_gaussian_free_energy_and_log_z_are_integrals():
    """A grid of 3 real units, wide and fine enough that its sum is the integral to 1e-6."""
    rbm = machine(3, 4, scale=0.4, **KINDS["gaussian"])
    h = binary(4)
    lines = [torch.linspace(-8 * d, 8 * d, 61, dtype=torch.float64) + 0.3 for d in DEVIATIONS]
    v = torch.cartesian_prod(*lines)
    cell = sum(float((line[1] - line[0]).log()) for line in lines)
    energies = torch.stack([rbm.energy(v, one.expand(len(v), -1)) for one in h], 1).detach()
    torch.testing.assert_close(rbm.free_energy(v).detach(), -(-energies).logsumexp(1), atol=1e-9, rtol=0)
    integral = float((-energies).flatten().logsumexp(0)) + cell
    assert exact_log_partition(rbm).value == pytest.approx(integral, abs=1e-6)


@pytest.mark.parametrize("sizes", [(6, 2), (3, 2)])
def test_free_energy_and_log_z_of_real_hidden_units_are_integrals(sizes):
    """The linear code of an autoencoder: a grid of 2 real hidden units under all visible states."""
    rbm = machine(*sizes, hidden="gaussian")
    v = binary(sizes[0])
    line = torch.linspace(-16, 16, 161, dtype=torch.float64)
    h, cell = torch.cartesian_prod(line, line), 2 * float((line[1] - line[0]).log())
    energies = torch.stack([rbm.energy(one.expand(len(h), -1), h) for one in v]).detach()
    torch.testing.assert_close(
        rbm.free_energy(v).detach(), -(-energies).logsumexp(1) - cell, atol=1e-9, rtol=0
    )
    assert exact_log_partition(rbm).value == pytest.approx(
        float((-energies).flatten().logsumexp(0)) + cell, abs=1e-6
    )
    chance = (-energies).softmax(1)
    torch.testing.assert_close(chance @ h, rbm.hidden_mean(v).detach(), atol=1e-9, rtol=0)


def test_gibbs_between_real_hidden_and_binary_units_keeps_the_distribution():
    rbm = machine(4, 2, hidden="gaussian")
    v = binary(4)
    p = (-rbm.free_energy(v)).softmax(0).detach()
    draw = torch.Generator().manual_seed(8)
    start = v[torch.multinomial(p, 40_000, replacement=True, generator=draw)]
    moved = rbm.gibbs(start, generator=draw, sweeps=2)
    code = 2.0 ** torch.arange(4, dtype=torch.float64)
    seen = torch.bincount((moved @ code).long(), minlength=16)[(v @ code).long()] / 40_000
    assert ((seen - p).abs() / (p * (1 - p) / 40_000).sqrt()).max() < 4.5
    assert not torch.equal(moved, start)


def test_the_gradient_of_the_log_likelihood_is_that_of_free_energies():
    """d log p = -dF(data) + E[dF]: log Z by autograd over all states, to 1e-6 in float64."""
    rbm = machine(6, 5)
    states = binary(6)
    chance = (-rbm.free_energy(states)).softmax(0).detach()
    expected = torch.autograd.grad((chance * rbm.free_energy(states)).sum(), list(rbm.parameters()))
    log_z = (-rbm.free_energy(states)).logsumexp(0)
    for one, other in zip(expected, torch.autograd.grad(log_z, list(rbm.parameters())), strict=True):
        torch.testing.assert_close(one, -other, atol=1e-9, rtol=0)


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 1000), st.floats(0, 3))
@settings(max_examples=25, deadline=None)
def test_log_z_does_not_depend_on_the_side_summed_over(visible, hidden, seed, scale):
    rbm = machine(visible, hidden, scale=scale, seed=seed)
    turned = machine(hidden, visible)
    with torch.no_grad():
        turned.weight.copy_(rbm.weight.t())
        turned.visible_bias.copy_(rbm.hidden_bias)
        turned.hidden_bias.copy_(rbm.visible_bias)
    assert exact_log_partition(rbm).value == pytest.approx(exact_log_partition(turned).value, abs=1e-6)
    h = binary(hidden)
    over_hidden = (h @ rbm.hidden_bias + rbm.visible.log_partition(rbm.visible_input(h))).logsumexp(0)
    assert exact_log_partition(rbm).value == pytest.approx(float(over_hidden.detach()), abs=1e-6)


# ---- sampling


@pytest.mark.parametrize("kind", ["bernoulli", "softmax"])
@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_block_gibbs_leaves_the_distribution_as_it_is(kind, beta):
    """The kernel over all visible states, exactly: p K = p in float64."""
    rbm = machine(6, 4, **KINDS[kind])
    v, h = visible_states(rbm, 6), binary(4)
    x, y = beta * rbm.hidden_input(v), rbm.visible_input(h, beta=beta)
    up = (x @ h.T - rbm.hidden.log_partition(x)[:, None]).exp()
    down = (y @ v.T - rbm.visible.log_partition(y)[:, None]).exp()
    p = (-rbm.free_energy(v, beta=beta)).softmax(0)
    torch.testing.assert_close(p @ up @ down, p, atol=1e-12, rtol=0)
    torch.testing.assert_close((up @ down).sum(1), torch.ones_like(p), atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["bernoulli", "softmax"])
@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_gibbs_sweeps_draw_by_that_kernel(kind, dtype, beta):
    """40,000 chains that begin in the distribution are still in it after two sweeps: within 4.5 standard errors."""
    rbm = machine(6, 4, scale=1.5, **KINDS[kind])
    v = visible_states(rbm, 6)
    p = (-rbm.free_energy(v, beta=beta)).softmax(0).detach()
    draw = torch.Generator().manual_seed(6)
    start = v[torch.multinomial(p, 40_000, replacement=True, generator=draw)].to(dtype)
    moved = rbm.to(dtype).gibbs(start, generator=draw, sweeps=2, beta=beta)
    code = torch.tensor([2.0**i for i in range(6)])
    seen = torch.bincount((moved.float() @ code).long(), minlength=64)[(v.float() @ code).long()] / 40_000
    assert ((seen - p).abs() / (p * (1 - p) / 40_000).sqrt()).max() < 4.5
    assert not torch.equal(moved, start)


def test_gaussian_gibbs_keeps_the_means_of_the_model():
    rbm = machine(3, 4, scale=0.4, **KINDS["gaussian"])
    h = binary(4)
    p = (h @ rbm.hidden_bias + rbm.visible.log_partition(rbm.visible_input(h))).softmax(0).detach()
    draw = torch.Generator().manual_seed(7)
    start = rbm.sample_visible(
        h[torch.multinomial(p, 40_000, replacement=True, generator=draw)], generator=draw
    )
    moved = rbm.gibbs(start, generator=draw, sweeps=3)
    mean = p @ rbm.visible_mean(h)
    assert ((moved.mean(0) - mean) / standard_error(moved)).abs().max() < 4.5
    spread = rbm.visible.variance + p @ rbm.visible_mean(h).square() - mean.square()
    assert ((moved - mean).square().mean(0) / spread - 1).abs().max() < 0.04


def test_each_chain_has_its_own_inverse_temperature():
    rbm = machine(4, 3)
    v = binary(4)
    betas = torch.linspace(0, 1, 16, dtype=torch.float64)
    together = rbm.free_energy(v, beta=betas).tolist()
    for one, beta, energy in zip(v, betas.tolist(), together, strict=True):
        assert energy == pytest.approx(rbm.free_energy(one[None], beta=beta).item(), abs=1e-12)
    frozen = rbm.gibbs(v, beta=torch.zeros(16).double(), generator=torch.Generator().manual_seed(1))
    assert torch.equal(frozen, rbm.gibbs(v, beta=0.0, generator=torch.Generator().manual_seed(1)))


# ---- annealed importance sampling


@pytest.mark.parametrize("kind", [*KINDS, "real hidden"])
def test_ais_comes_within_a_tenth_of_a_nat_and_covers(kind):
    options = {**KINDS, "gaussian": {"visible": "gaussian"}, "real hidden": {"hidden": "gaussian"}}[kind]
    rbm = machine(12, 8, scale=0.25 if "gaussian" in options.values() else 0.7, **options)
    truth = exact_log_partition(rbm).value
    bases = (None, torch.full((12,), 1 / 3))
    found = [
        annealed_log_partition(rbm, Randomness(seed), base=bases[seed % 2], betas=150) for seed in range(20)
    ]
    assert max(abs(f.value - truth) for f in found[:5]) < 0.1
    assert sum(f.low <= truth <= f.high for f in found) >= 17  # 16 or fewer of 20 at 95 %: 1 in 60
    assert all(f.low <= f.value <= f.high and f.method == "ais" for f in found)


def test_ais_is_exact_without_weights_and_repeatable_with_them():
    rbm = machine(5, 4)
    found = [annealed_log_partition(rbm, Randomness(seed), betas=20, chains=50) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    with torch.no_grad():
        rbm.weight.zero_()
    truth = exact_log_partition(rbm).value
    assert annealed_log_partition(rbm, Randomness(1), betas=20)[:3] == pytest.approx((truth,) * 3, abs=1e-9)
    means = torch.full((5,), 0.4, dtype=torch.float64)
    assert abs(annealed_log_partition(rbm, Randomness(1), base=means, betas=300).value - truth) < 0.1


def test_the_interval_of_a_likelihood_is_that_of_log_z_turned_round():
    rbm = machine(4, 3)
    v = binary(4)
    found = log_likelihood(rbm, v, Estimate(2.0, 1.5, 3.0, "ais"))
    mean = -float(rbm.free_energy(v).detach().mean())
    assert found[:3] == pytest.approx((mean - 2.0, mean - 3.0, mean - 1.5))
    assert found.method == "ais"


# ---- a stage, and what is refused


def test_it_is_a_level_of_a_pipeline():
    spec = Spec(("channel", "height", "width"), (1, 3, 4))
    rbm = RestrictedBoltzmannMachine.from_spec(spec, width=5)
    net = Pipeline(rbm=rbm, top=Dense(rbm.spec(spec), width=2))
    x = torch.rand(7, 1, 3, 4)
    levels = dict(net.levels(x))
    assert torch.equal(levels["rbm"], rbm.hidden_mean(x.flatten(1)))
    assert levels["top"].shape == (7, 2)
    net(x).sum().backward()
    assert rbm.weight.grad is not None
    assert rbm.field() == {"height": None, "width": None}
    assert rbm.words() == "restricted Boltzmann machine, 12 bernoulli to 5 bernoulli"
    assert rbm.cost(spec) == 60


def test_first_weights_are_small_and_visible_biases_give_the_datas_means():
    torch.manual_seed(0)
    rbm = RestrictedBoltzmannMachine(vector(200), width=100)
    assert rbm.weight.std().item() == pytest.approx(0.01, rel=0.02)
    means = torch.linspace(0.01, 0.99, 200)
    rbm.start_at(means)
    with torch.no_grad():
        rbm.weight.zero_()
    torch.testing.assert_close(rbm.reconstruct(torch.rand(1, 200))[0], means)


def test_rectified_hidden_units_have_free_energies_and_no_more():
    rbm = machine(6, 4, hidden="relu")
    v = binary(6)
    assert rbm.free_energy(v).shape == (64,)
    assert (rbm.sample_hidden(v, generator=torch.Generator().manual_seed(0)) >= 0).all()
    for ask in (
        lambda: rbm.energy(v, torch.ones(64, 4).double()),
        lambda: exact_log_partition(rbm),
        lambda: annealed_log_partition(rbm, Randomness(0)),
        lambda: log_likelihood(rbm, v, Estimate(0, 0, 0, "exact")),
    ):
        with pytest.raises(UsageError, match="rectified units"):
            ask()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"visible": "softmax"}, "categories belong to softmax"),
        ({"categories": 3}, "categories belong to softmax"),
        ({"visible": "softmax", "categories": 4}, "groups of 4"),
        ({"deviations": [1.0]}, "deviations are for gaussian"),
        ({"visible": "gaussian", "deviations": [1.0, 2.0]}, "one or 6"),
        ({"visible": "gaussian", "deviations": [-1.0]}, "positive and finite"),
        ({"visible": "binary"}, "one of"),
    ],
)
def test_units_that_do_not_fit_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        RestrictedBoltzmannMachine.from_spec(vector(6), width=2, **options)


def test_what_cannot_be_summed_or_is_of_unequal_length_is_refused():
    with pytest.raises(UsageError, match="2\\^30 states"):
        exact_log_partition(machine(40, 30))
    with pytest.raises(UsageError, match="2\\^30 states"):
        exact_log_partition(machine(30, 2, hidden="gaussian"))
    with pytest.raises(UsageError, match="unequal lengths"):
        RestrictedBoltzmannMachine(Spec(("time", "channel"), (None, 3), longest=4), width=2)
    with pytest.raises(UsageError, match="10 chains"):
        annealed_log_partition(machine(3, 2), Randomness(0), chains=2)

"""Convolutional machines with probabilistic max-pooling against sums over all states, and how they learn."""

import itertools
from itertools import product

import pytest
import torch
from torch import Tensor

from layerwise.energy import Blocks, ConvolutionalRBM
from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.nn.stage import IMAGE
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.train import ContrastiveDivergence, Phase, Step, constant, greedy, optimiser, train
from layerwise.train import loop as loop_module
from layerwise.values import Batch, Padded

KINDS = {"bernoulli": {}, "gaussian": {"visible": "gaussian", "deviation": 0.5}}
EACH = pytest.mark.parametrize("kind", KINDS)


def pictures(channels: int, height: int, width: int) -> Spec:
    return Spec(IMAGE, (channels, height, width))


def machine(spec: Spec, /, *, scale: float = 0.6, seed: int = 0, **options) -> ConvolutionalRBM:
    draw = torch.Generator().manual_seed(seed)
    rbm = ConvolutionalRBM.from_spec(spec, **options).double()
    with torch.no_grad():
        for p in rbm.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return rbm


def small(kind: str = "bernoulli", **options) -> ConvolutionalRBM:
    """Pictures of 3 x 5, 2 groups of 2 x 4 hidden units in 2 blocks each: 625 hidden states."""
    return machine(pictures(1, 3, 5), width=2, size=2, pool=2, **KINDS[kind], **options)


def tiny(**options) -> ConvolutionalRBM:
    """Pictures of 3 x 3, 2 groups of one block: 512 visible states and 25 hidden ones."""
    return machine(pictures(1, 3, 3), width=2, size=2, pool=2, **options)


def binary(*shape: int) -> Tensor:
    units = torch.Size(shape).numel()
    return torch.tensor(list(product((0.0, 1.0), repeat=units)), dtype=torch.float64).view(-1, *shape)


def hidden_states(rbm: ConvolutionalRBM, height: int, width: int) -> Tensor:
    """All of them: those of all binary maps that have at most one on in each block."""
    p, groups = rbm.pool, len(rbm.weight)
    blocks = [torch.zeros(p, p), *torch.eye(p * p).view(-1, p, p)]
    states = []
    for chosen in product(blocks, repeat=groups * (height // p) * (width // p)):
        rows = torch.stack(chosen).view(groups, height // p, width // p, p, p)
        states.append(rows.transpose(2, 3).reshape(groups, height, width))
    return torch.stack(states).double()


def data(rows: int, *shape: int, seed: int = 2) -> Tensor:
    return (torch.rand(rows, *shape, generator=torch.Generator().manual_seed(seed)) < 0.4).double()


def batch_of(x: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(x, None, weights, torch.arange(len(x)))


def gradients(objective, rbm, batch, seed: int = 3) -> list[Tensor]:
    rbm.zero_grad()
    objective.gradients(rbm, batch, Randomness(seed))
    return [p.grad.clone() for p in rbm.parameters()]


def begun(rbm, batch, **options) -> ContrastiveDivergence:
    objective = ContrastiveDivergence(**options).double()
    objective.begin(rbm, batch, Randomness(4))
    return objective


# ---- energies and conditionals


@EACH
def test_the_energy_is_that_of_the_paper(kind):
    """Sum by sum, as section 3.2 writes it."""
    rbm = machine(pictures(2, 4, 5), width=3, size=2, pool=1, **KINDS[kind]).requires_grad_(False)
    v = torch.randn(2, 2, 4, 5, dtype=torch.float64)
    h = data(2, 3, 3, 4)
    for n in range(2):
        total = float((v[n] ** 2).sum() / 2 / 0.5**2) if kind == "gaussian" else 0.0
        for k, i, j in product(range(3), range(3), range(4)):
            seen = sum(
                float(rbm.weight[k, c, r, s] * v[n, c, i + r, j + s])
                for c, r, s in product(range(2), repeat=3)
            )
            total -= float(h[n, k, i, j]) * (seen + float(rbm.hidden_bias[k]))
        total -= sum(float(rbm.visible_bias[c] * v[n, c].sum()) for c in range(2))
        assert float(rbm.energy(v, h)[n].detach()) == pytest.approx(total, abs=1e-9)


@EACH
def test_the_free_energy_sums_over_hidden_states(kind):
    rbm = small(kind)
    v = data(4, 1, 3, 5) if kind == "bernoulli" else torch.randn(4, 1, 3, 5, dtype=torch.float64)
    h = hidden_states(rbm, 2, 4)
    assert len(h) == 5**4
    joint = torch.stack([-rbm.energy(one.expand(len(h), -1, -1, -1), h) for one in v])
    torch.testing.assert_close(rbm.free_energy(v), -joint.logsumexp(1), atol=1e-10, rtol=0)
    chances = joint.softmax(1)
    expected = torch.einsum("ns,skij->nkij", chances, h)
    torch.testing.assert_close(rbm.hidden_mean(v), expected, atol=1e-10, rtol=0)
    pooled = torch.einsum("ns,skij->nkij", chances, torch.nn.functional.max_pool2d(h, 2))
    torch.testing.assert_close(rbm(v), pooled, atol=1e-10, rtol=0)


def test_visible_means_are_those_of_all_visible_states():
    rbm, v = tiny(), binary(1, 3, 3)
    for h in hidden_states(rbm, 2, 2)[::3]:
        chances = (-rbm.energy(v, h.expand(len(v), -1, -1, -1))).softmax(0)
        expected = torch.einsum("s,scij->cij", chances, v)
        torch.testing.assert_close(rbm.visible_mean(h[None])[0], expected, atol=1e-10, rtol=0)


def test_the_log_partition_is_the_same_from_either_side():
    rbm, h = small(), hidden_states(small(), 2, 4)
    bias = (h * rbm.hidden_bias).flatten(1).sum(1)
    from_hidden = (bias + rbm.visible.log_partition(rbm.visible_input(h).flatten(1))).logsumexp(0)
    from_visible = (-rbm.free_energy(binary(1, 3, 5))).logsumexp(0)
    torch.testing.assert_close(from_hidden, from_visible, atol=1e-9, rtol=0)


def test_a_block_of_one_unit_is_a_unit_of_its_own():
    x = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(Blocks(1).mean(x), torch.sigmoid(x))
    torch.testing.assert_close(Blocks(1).pooled(x), torch.sigmoid(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_draw_at_most_one_unit_as_often_as_is_said(dtype):
    x = 2 * torch.randn(1, 2, 4, 6, generator=torch.Generator().manual_seed(1), dtype=dtype)
    units, n = Blocks(2), 40_000
    drawn = units.sample(x.expand(n, -1, -1, -1), torch.Generator().manual_seed(2))
    assert drawn.dtype == dtype
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert float(torch.nn.functional.avg_pool2d(drawn, 2).max()) == 0.25
    mean = units.mean(x)[0]
    away = (drawn.mean(0) - mean) / (mean * (1 - mean) / n).sqrt()
    assert away.abs().max() < 4.5


def test_a_bias_of_blocks_gives_the_mean_it_was_made_for():
    mean = torch.tensor([0.01, 0.1, 0.24], dtype=torch.float64).view(3, 1, 1)
    x = Blocks(2).bias(mean).expand(1, 3, 4, 4)
    torch.testing.assert_close(Blocks(2).mean(x)[0], mean.expand(3, 4, 4))


def test_gibbs_sampling_stays_in_the_distribution():
    """40,000 chains that begin in it, seen after 3 sweeps: 4.5 standard errors in each of 512 states."""
    rbm, states, n = tiny(scale=0.8), binary(1, 3, 3), 40_000
    p = (-rbm.free_energy(states)).softmax(0).detach()
    draw = torch.Generator().manual_seed(6)
    v = states[torch.multinomial(p, n, replacement=True, generator=draw)]
    v = rbm.gibbs(v, generator=draw, sweeps=3)
    code = 2.0 ** torch.arange(8, -1, -1, dtype=torch.float64)
    seen = torch.bincount((v.flatten(1) @ code).long(), minlength=512) / n
    assert ((seen - p).abs() / (p * (1 - p) / n).sqrt()).max() < 4.5
    cold = rbm.gibbs(v, generator=draw, sweeps=3, beta=0.2)  # so the test can see another distribution
    seen = torch.bincount((cold.flatten(1) @ code).long(), minlength=512) / n
    assert ((seen - p).abs() / (p * (1 - p) / n).sqrt()).max() > 6


# ---- a level of a pipeline


def test_what_comes_out_is_what_its_spec_says_and_the_middle_is_seen():
    spec = pictures(2, 12, 9)
    rbm = machine(spec, width=3, size=4, pool=2)
    x = torch.rand(5, 2, 12, 9, dtype=torch.float64)
    assert rbm.spec(spec).shape == rbm(x).shape[1:] == (3, 4, 3)
    assert rbm.cost(spec) == 3 * 4 * 4 * 2 * 8 * 6
    assert torch.equal(rbm.seen(x), x[:, :, :11, :])
    wide = torch.rand(1, 2, 14, 9, dtype=torch.float64)
    assert torch.equal(rbm.seen(wide), wide[:, :, :13])


def test_an_output_sees_its_field_and_nothing_else():
    rbm = machine(pictures(1, 9, 9), width=2, size=4, pool=2)
    x = torch.rand(1, 1, 9, 9, dtype=torch.float64, requires_grad=True)
    rbm(x)[0, :, 1, 2].sum().backward()
    reach = rbm.field()["height"]
    rows, columns = (x.grad[0, 0].abs().sum(axis) > 0 for axis in (1, 0))
    for axis, place in ((rows, 1), (columns, 2)):
        expected = torch.zeros(9, dtype=torch.bool)
        expected[place * reach.stride : place * reach.stride + reach.size] = True
        assert torch.equal(axis, expected)


def test_projections_add_up_kernels():
    """Of one pooling unit: the mean of its kernel at the places of its block."""
    rbm = machine(pictures(2, 7, 7), width=3, size=4, pool=2)
    pooled = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    pooled[0, 1, 0, 1] = 1
    expected = torch.zeros(2, 7, 7, dtype=torch.float64)
    for i, j in product(range(2), range(2, 4)):
        expected[:, i : i + 4, j : j + 4] += rbm.weight.detach()[1] / 4
    torch.testing.assert_close(rbm.project(pooled)[0], expected)


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        (pictures(1, 3, 9), {"size": 4}, "no block of 2 x 2"),
        (Spec(("feature",), (9,)), {}, "takes images"),
        (pictures(1, 9, 9), {"deviation": 0.5}, "gaussian visible"),
        (pictures(1, 9, 9), {"visible": "softmax"}, "one of"),
    ],
)
def test_what_does_not_fit_is_refused(spec, options, words):
    with pytest.raises(UsageError, match=words):
        ConvolutionalRBM.from_spec(spec, width=2, **{"size": 3, **options})
    padded = Batch(Padded(torch.rand(4, 6), torch.full((4,), 6)), None, None, torch.arange(4))
    with pytest.raises(UsageError, match="unequal lengths"):
        ContrastiveDivergence().gradients(tiny(), padded, Randomness(0))


# ---- learning


def test_the_gradient_with_an_exact_negative_phase_is_that_of_the_likelihood():
    """Of minus the mean log-likelihood: by autograd through log Z, and by expectations over all states."""
    rbm, x, states = tiny(), data(10, 1, 3, 3), binary(1, 3, 3)
    loss = rbm.free_energy(x).mean() + (-rbm.free_energy(states)).logsumexp(0)
    expected = torch.autograd.grad(loss, [rbm.weight, rbm.visible_bias, rbm.hidden_bias])
    p = (-rbm.free_energy(states)).softmax(0).detach().view(-1, 1, 1, 1)
    with torch.no_grad():
        weight = rbm.contrast(states, p * rbm.hidden_mean(states), x, rbm.hidden_mean(x) / 10)
        visible = ((p * states).sum(0) - x.mean(0)).sum((1, 2))
        hidden = ((p * rbm.hidden_mean(states)).sum(0) - rbm.hidden_mean(x).mean(0)).sum((1, 2))
    torch.testing.assert_close(weight, expected[0], atol=1e-10, rtol=0)
    torch.testing.assert_close(visible, expected[1].flatten(), atol=1e-10, rtol=0)
    torch.testing.assert_close(hidden, expected[2].flatten(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("weighted", [False, True])
@EACH
def test_contrastive_divergence_takes_the_difference_of_two_free_energies(kind, weighted):
    rbm, x = small(kind), data(12, 1, 3, 5)
    weights = torch.rand(12, generator=torch.Generator().manual_seed(5)).double() if weighted else None
    shares = torch.full((12,), 1 / 12, dtype=torch.float64) if weights is None else weights / weights.sum()
    objective = begun(rbm, batch_of(x), persistent=True, chains=7)
    objective.advance(rbm, batch_of(x), Randomness(1))
    difference = shares @ rbm.free_energy(x) - rbm.free_energy(objective.visible).mean()
    expected = torch.autograd.grad(difference, list(rbm.parameters()))
    for one, other in zip(gradients(objective, rbm, batch_of(x, weights)), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_many_sweeps_of_cd_near_the_exact_gradient():
    rbm, x, states = tiny(scale=0.4), data(100, 1, 3, 3), binary(1, 3, 3)
    loss = rbm.free_energy(x).mean() + (-rbm.free_energy(states)).logsumexp(0)
    (expected,) = torch.autograd.grad(loss, [rbm.weight])
    drawn = torch.stack([gradients(ContrastiveDivergence(k=10), rbm, batch_of(x), s)[0] for s in range(100)])
    assert ((drawn.mean(0) - expected) / (drawn.std(0) / 10)).abs().max() < 4.5


def test_sparsity_moves_the_input_or_the_bias_alone():
    rbm, x = small(), data(12, 1, 3, 5)
    plain = gradients(begun(rbm, batch_of(x), persistent=True), rbm, batch_of(x))
    push = 0.1 * (rbm.hidden_mean(x).mean((0, 2, 3)) - 0.05).detach().view(2, 1, 1)
    added = (push * rbm.hidden_input(x)).mean((2, 3)).sum(1).mean()
    weight, bias = torch.autograd.grad(added, [rbm.weight, rbm.hidden_bias])
    for of, more in (("input", weight), ("bias", torch.zeros_like(weight))):
        options = {"persistent": True, "sparsity": 0.05, "sparsity_of": of}
        found = gradients(begun(rbm, batch_of(x), **options), rbm, batch_of(x))
        torch.testing.assert_close(found[0] - plain[0], more, atol=1e-12, rtol=0)
        torch.testing.assert_close(found[1], plain[1], atol=1e-12, rtol=0)
        torch.testing.assert_close(found[2] - plain[2], bias, atol=1e-12, rtol=0)
    torch.testing.assert_close(bias, push, atol=1e-12, rtol=0)


def test_tempered_chains_are_pictures_too():
    rbm, x = tiny(), data(6, 1, 3, 3)
    objective = begun(rbm, batch_of(x), betas=(1.0, 0.5), chains=4)
    objective.advance(rbm, batch_of(x), Randomness(1))
    assert objective.visible.shape == (2, 4, 1, 3, 3)
    assert torch.equal(objective.hidden_input, rbm.hidden_input(objective.visible[0]))


class Bars:
    """Batches of 8 of 32 pictures of 7 x 7 with a bar each, upright or lying."""

    steps_per_epoch = 4

    def __init__(self) -> None:
        self.x = torch.zeros(32, 1, 7, 7)
        for n in range(32):
            place = n // 2 % 7
            self.x[n, 0, :, place] = 1 - n % 2
            self.x[n, 0, place, :] += n % 2

    def at(self, step: int) -> Batch:
        rows = torch.arange(step % 4 * 8, step % 4 * 8 + 8)
        return Batch(self.x[rows], None, None, rows)


def network() -> Pipeline:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        spec = pictures(1, 7, 7)
        low = ConvolutionalRBM.from_spec(spec, width=4, size=3, pool=2)
        high = ConvolutionalRBM.from_spec(low.spec(spec), width=3, size=2, pool=1)
    return Pipeline(low=low, high=high)


def plan(steps: int, **options) -> tuple[Phase, ...]:
    def phase(address: str) -> Phase:
        make = optimiser("sgd", rate=0.1, momentum=0.5, decay=1e-3)
        objective = ContrastiveDivergence(sparsity=0.05, sparsity_cost=1.0, sparsity_of="bias", **options)
        return Phase(address, objective, make, size=8, steps=steps, schedule=constant)

    return greedy(("low", "high"), phase)


def run(net, phases, **options):
    return train(net, phases, lambda *_: Bars(), seed=5, every=3, **options)


@pytest.mark.parametrize("options", [{}, {"persistent": True}])
def test_a_level_learns_to_rebuild_what_it_sees(options):
    net = network()
    x, first = net.low.seen(Bars().x), net.high.weight.clone()
    for _ in run(net, plan(150, **options)):
        pass
    error = (net.low.reconstruct(x) - x).detach().square().mean()
    assert error < 0.8 * x.var(correction=0)
    assert (net.high.weight - first).abs().max() > 0.02


@pytest.mark.parametrize("stop_at", [1, 4, 15])
def test_killed_and_resumed_it_ends_bit_identical_with_its_chains(stop_at, tmp_path, monkeypatch):
    monkeypatch.setattr(loop_module, "WRITING", float("inf"))
    whole, resumed = plan(9, persistent=True), plan(9, persistent=True)
    one, other = network(), network()
    for _ in run(one, whole):
        pass
    events = run(network(), plan(9, persistent=True), checkpoint=tmp_path / "c")
    taken = itertools.count()
    for event in events:
        if isinstance(event, Step) and next(taken) >= stop_at:
            break
    events.close()
    for _ in run(other, resumed, checkpoint=tmp_path / "c"):
        pass
    for name, p in one.state_dict().items():
        assert torch.equal(p, other.state_dict()[name]), name
    for a, b in zip(whole, resumed, strict=True):
        saved, found = dict(a.objective.named_buffers()), dict(b.objective.named_buffers())
        assert len(saved) == 3
        assert all(torch.equal(saved[name], found[name]) for name in saved)

"""Contrastive divergence: gradients against enumeration, chains that are saved, weights, sparsity."""

import itertools
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from layerwise.energy import RestrictedBoltzmannMachine, exact_log_partition, log_likelihood
from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.train import ContrastiveDivergence, Done, Phase, Step, constant, greedy, optimiser, train
from layerwise.train import loop as loop_module
from layerwise.train.pieces import pieces
from layerwise.values import Batch, Padded

BETAS = (1.0, 0.7, 0.3)
WAYS = {
    "cd": {"k": 2},
    "means": {"expected_visible": True},
    "pcd": {"persistent": True},
    "sparse": {"persistent": True, "sparsity": 0.2, "sparsity_cost": 0.01},
    "tempered": {"betas": BETAS},
}


def machine(
    visible: int = 6, width: int = 4, /, *, scale: float = 0.8, **options
) -> RestrictedBoltzmannMachine:
    draw = torch.Generator().manual_seed(1)
    rbm = RestrictedBoltzmannMachine(vector(visible), width=width, **options).double()
    with torch.no_grad():
        for p in rbm.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return rbm


def binary(units: int) -> Tensor:
    return torch.tensor(list(product((0.0, 1.0), repeat=units)), dtype=torch.float64)


def batch_of(x: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(x, None, weights, torch.arange(len(x)))


def data(rows: int = 40, units: int = 6) -> Tensor:
    draw = torch.Generator().manual_seed(2)
    return (torch.rand(rows, units, generator=draw) < torch.linspace(0.1, 0.9, units)).double()


def gradients(objective, rbm, batch, seed: int = 3) -> list[Tensor]:
    rbm.zero_grad()
    objective.gradients(rbm, batch, Randomness(seed))
    return [p.grad.clone() for p in rbm.parameters()]


def begun(rbm, batch, **options) -> ContrastiveDivergence:
    objective = ContrastiveDivergence(**options).double()
    objective.begin(rbm, batch, Randomness(4))
    return objective


# ---- gradients


def exact(rbm, x: Tensor, shares: Tensor) -> list[Tensor]:
    """Of minus the mean log-likelihood, by autograd through a sum over all visible states."""
    loss = shares @ rbm.free_energy(x) + (-rbm.free_energy(binary(x.shape[1]))).logsumexp(0)
    return list(torch.autograd.grad(loss, list(rbm.parameters())))


@pytest.mark.parametrize("weighted", [False, True])
def test_with_chains_that_are_the_model_the_gradient_is_exact(weighted):
    """Chains in every state as often as the model says, rounded to one in two million: to 2e-6."""
    rbm, x = machine(scale=0.5), data()
    weights = torch.rand(40, generator=torch.Generator().manual_seed(5)).double() if weighted else None
    shares = torch.full((40,), 1 / 40, dtype=torch.float64) if weights is None else weights / weights.sum()
    states = binary(6)
    chances = (-rbm.free_energy(states)).softmax(0).detach()
    objective = begun(rbm, batch_of(x), persistent=True)
    objective.visible = states.repeat_interleave((chances * 2_000_000).round().long(), 0)
    objective.hidden_input = rbm.hidden_input(objective.visible).detach()
    found = gradients(objective, rbm, batch_of(x, weights))
    for one, other in zip(found, exact(rbm, x, shares), strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"visible": "softmax", "categories": 3}, {"visible": "gaussian"}, {"hidden": "gaussian"}],
)
def test_the_gradient_is_the_difference_of_two_free_energies(options, weighted):
    """dF(data) - dF(chains), by autograd, to 1e-12, whatever the units."""
    rbm, x = machine(**options), data()
    weights = torch.rand(40, generator=torch.Generator().manual_seed(5)).double() if weighted else None
    shares = torch.full((40,), 1 / 40, dtype=torch.float64) if weights is None else weights / weights.sum()
    objective = begun(rbm, batch_of(x), persistent=True, chains=9)
    objective.advance(rbm, batch_of(x), Randomness(1))
    difference = shares @ rbm.free_energy(x) - rbm.free_energy(objective.visible).mean()
    expected = torch.autograd.grad(difference, list(rbm.parameters()))
    for one, other in zip(gradients(objective, rbm, batch_of(x, weights)), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_many_sweeps_of_cd_near_the_exact_gradient():
    """CD-20 on a machine that mixes fast: within 4.5 standard errors over 200 draws."""
    rbm, x = machine(scale=0.4), data(200)
    found = [gradients(ContrastiveDivergence(k=20), rbm, batch_of(x), s)[0] for s in range(200)]
    drawn = torch.stack(found)
    away = drawn.mean(0) - exact(rbm, x, torch.full((200,), 1 / 200, dtype=torch.float64))[0]
    assert (away / (drawn.std(0) / 200**0.5)).abs().max() < 4.5
    one = torch.stack([gradients(ContrastiveDivergence(), rbm, batch_of(x), s)[0] for s in range(200)])
    assert (one.mean(0) - drawn.mean(0)).abs().max() > 0.005  # CD-1 is biased, so the test can see it


@pytest.mark.parametrize("way", WAYS)
def test_gradients_are_repeatable_and_move_nothing(way):
    rbm, batch = machine(), batch_of(data())
    objective = begun(rbm, batch, **WAYS[way])
    before = {name: b.clone() for name, b in objective.named_buffers()}
    state = torch.get_rng_state()
    once, again = gradients(objective, rbm, batch), gradients(objective, rbm, batch)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert all(torch.equal(before[name], b) for name, b in objective.named_buffers())
    objective.advance(rbm, batch_of(1 - batch.inputs), Randomness(8))
    assert torch.equal(torch.get_rng_state(), state)
    assert {
        name for name, b in objective.named_buffers() if not torch.equal(before[name], b)
    } == before.keys()


def test_gradients_are_added_and_what_is_frozen_gets_none():
    rbm, batch = machine(), batch_of(data())
    objective = ContrastiveDivergence()
    once = gradients(objective, rbm, batch)
    objective.gradients(rbm, batch, Randomness(3))
    assert all(torch.equal(p.grad, 2 * g) for p, g in zip(rbm.parameters(), once, strict=True))
    rbm.weight.requires_grad_(False)
    rbm.zero_grad()
    objective.gradients(rbm, batch, Randomness(3))
    assert rbm.weight.grad is None
    assert torch.equal(rbm.hidden_bias.grad, once[2])


@pytest.mark.parametrize("way", ["pcd", "sparse", "tempered"])
def test_pieces_of_a_batch_add_up_to_it(way):
    rbm, x = machine(), data()
    weights = torch.rand(40, generator=torch.Generator().manual_seed(5)).double()
    whole = batch_of(x, weights)
    objective = begun(rbm, whole, **WAYS[way])
    objective.advance(rbm, whole, Randomness(8))
    summed = [torch.zeros_like(p) for p in rbm.parameters()]
    for piece in pieces(whole, 3):
        share = piece.weights.sum() / weights.sum()
        for total, g in zip(summed, gradients(objective, rbm, piece), strict=True):
            total += share * g
    for total, g in zip(summed, gradients(objective, rbm, whole), strict=True):
        torch.testing.assert_close(total, g, atol=1e-12, rtol=0)


@pytest.mark.parametrize("way", ["pcd", "sparse", "tempered"])
def test_a_weight_counts_as_so_many_copies(way):
    rbm, x = machine(), data(12)
    times = torch.tensor([1, 2, 0, 3] * 3)
    repeated = batch_of(x.repeat_interleave(times, 0))
    weighted = batch_of(x, times.double())
    one, other = begun(rbm, weighted, **WAYS[way]), begun(rbm, weighted, **WAYS[way])
    for a, b in zip(gradients(one, rbm, weighted), gradients(other, rbm, repeated), strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_weights_count_in_cd():
    rbm, x = machine(), data(30)
    only = torch.zeros(30).double()
    only[:10] = 1
    changed = x.clone()
    changed[10:] = 1 - changed[10:]
    objective = ContrastiveDivergence()
    for a, b in zip(
        gradients(objective, rbm, batch_of(x, only)),
        gradients(objective, rbm, batch_of(changed, only)),
        strict=True,
    ):
        assert torch.equal(a, b)
    assert not torch.equal(
        gradients(objective, rbm, batch_of(x))[0], gradients(objective, rbm, batch_of(changed))[0]
    )


def test_sparsity_pushes_towards_its_target():
    rbm, batch = machine(), batch_of(data())
    plain, sparse = begun(rbm, batch, persistent=True), begun(rbm, batch, persistent=True, sparsity=0.05)
    push = 0.1 * (rbm.hidden_mean(batch.inputs).mean(0) - 0.05)
    without, with_it = gradients(plain, rbm, batch), gradients(sparse, rbm, batch)
    torch.testing.assert_close(with_it[2] - without[2], push.detach(), atol=1e-12, rtol=0)
    outer = batch.inputs.mean(0)[:, None] * push
    torch.testing.assert_close(with_it[0] - without[0], outer.detach(), atol=1e-12, rtol=0)
    torch.testing.assert_close(with_it[1], without[1])
    with torch.no_grad():
        rbm.hidden_bias -= 50
    for _ in range(3):
        sparse.advance(rbm, batch, Randomness(0))
    torch.testing.assert_close(sparse.activity, (push.detach() / 0.1 + 0.05) * 0.9**3, atol=1e-12, rtol=0)


# ---- chains


def test_tempered_chains_stay_in_the_distribution():
    """20,000 ladders that begin in each temperature's distribution, coldest seen after 6 steps: 4.5 standard errors."""
    rbm, states = machine(scale=2.0), binary(6)
    draw = torch.Generator().manual_seed(6)
    n = 20_000
    objective = begun(rbm, batch_of(states[:1].expand(n, -1)), betas=BETAS)
    chances = [(-rbm.free_energy(states, beta=b)).softmax(0).detach() for b in BETAS]
    starts = [states[torch.multinomial(p, n, replacement=True, generator=draw)] for p in chances]
    objective.visible.copy_(torch.stack(starts))
    objective.hidden_input.copy_(rbm.hidden_input(objective.visible[0]).detach())
    for step in range(6):
        objective.advance(rbm, batch_of(states), Randomness(7).at(step))
    code = torch.tensor([2.0**i for i in range(6)]).double()
    for level, p in enumerate(chances):
        seen = (
            torch.bincount((objective.visible[level] @ code).long(), minlength=64)[(states @ code).long()] / n
        )
        assert ((seen - p).abs() / (p * (1 - p) / n).sqrt()).max() < 4.5
    assert torch.equal(objective.hidden_input, rbm.hidden_input(objective.visible[0]))


def test_persistent_chains_stay_in_the_distribution():
    rbm, states = machine(scale=1.0), binary(6)
    n = 20_000
    p = (-rbm.free_energy(states)).softmax(0).detach()
    objective = begun(rbm, batch_of(states), persistent=True, chains=n, k=2)
    assert objective.visible.shape == (n, 6)
    start = states[torch.multinomial(p, n, replacement=True, generator=torch.Generator().manual_seed(6))]
    objective.visible.copy_(start)
    objective.hidden_input.copy_(rbm.hidden_input(start))
    for step in range(3):
        objective.advance(rbm, batch_of(states), Randomness(7).at(step))
    code = torch.tensor([2.0**i for i in range(6)]).double()
    seen = torch.bincount((objective.visible @ code).long(), minlength=64)[(states @ code).long()] / n
    assert ((seen - p).abs() / (p * (1 - p) / n).sqrt()).max() < 4.5


# ---- training


class Rows:
    """Batches of 16 of 64 patterns of 8 units: two bars, with a little noise."""

    steps_per_epoch = 4

    def __init__(self, rng: Randomness) -> None:
        self._rng = rng
        draw = torch.Generator().manual_seed(7)
        bars = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]]).float()
        noise = (torch.rand(64, 8, generator=draw) < 0.05).float()
        self.x = (bars[torch.arange(64) % 2] - noise).abs()

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, 4)
        order = torch.randperm(64, generator=self._rng.at(epoch).generator("order"))
        rows = order[place * 16 : (place + 1) * 16]
        return Batch(self.x[rows], None, None, rows)


def network() -> RestrictedBoltzmannMachine:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        rbm = RestrictedBoltzmannMachine(vector(8), width=4)
    return rbm


def plan(way: str, steps: int = 13, precision: str = "float32") -> tuple[Phase, ...]:
    make = optimiser("sgd", rate=0.1, momentum=0.5, decay=2e-4)
    objective = ContrastiveDivergence(**WAYS[way])
    return (Phase("rbm", objective, make, size=16, steps=steps, schedule=constant, precision=precision),)


def run(net: nn.Module, phases, **options):
    return train(net, phases, lambda _, rng: Rows(rng), seed=5, every=3, **options)


@pytest.mark.parametrize("way", WAYS)
def test_training_makes_data_likely(way):
    net, x = network(), Rows(Randomness(0)).x
    before = log_likelihood(net, x, exact_log_partition(net)).value
    *_, done = run(net, plan(way, 400))
    assert isinstance(done, Done)
    after = log_likelihood(net, x, exact_log_partition(net)).value
    assert before == pytest.approx(-5.55, abs=0.05)
    assert after > -4.3  # what is best is about -2.1
    losses = done.history["curve"]["loss"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("way", ["pcd", "sparse"])
def test_in_bfloat16_only_products_are_rounded(way):
    """Gradients are float32 and within a hundredth of the float32 ones; chains are float32 too."""
    rbm, batch = machine(8, 4).float(), Batch(Rows(Randomness(0)).x, None, torch.rand(64), torch.arange(64))
    objective = ContrastiveDivergence(**WAYS[way])
    objective.begin(rbm, batch, Randomness(4))
    rbm.start_at(batch.inputs.mean(0))
    exact = gradients(objective, rbm, batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gradients(objective, rbm, batch)
        objective.advance(rbm, batch, Randomness(5))
    for one, other in zip(exact, rounded, strict=True):
        assert other.dtype == torch.float32
        assert (one - other).norm() < 0.01 * one.norm()
    assert not torch.equal(exact[0], rounded[0])
    assert {b.dtype for b in objective.buffers()} <= {torch.float32}


def test_training_in_bfloat16_makes_data_as_likely():
    x = Rows(Randomness(0)).x
    reached = []
    for precision in ("float32", "bfloat16"):
        net = network()
        for _ in run(net, plan("pcd", 400, precision)):
            pass
        assert net.weight.dtype == torch.float32
        reached.append(log_likelihood(net, x, exact_log_partition(net)).value)
    assert reached[0] != reached[1]
    assert reached[1] == pytest.approx(reached[0], abs=0.2)


@pytest.mark.parametrize(
    ("way", "precision"),
    [("pcd", "float32"), ("pcd", "bfloat16"), ("tempered", "float32"), ("sparse", "float32")],
)
@pytest.mark.parametrize("stop_at", [0, 1, 4, 12])
def test_killed_and_resumed_it_ends_bit_identical_with_its_chains(
    way, precision, stop_at, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop_module, "WRITING", float("inf"))
    whole, resumed = plan(way, precision=precision), plan(way, precision=precision)
    one, other = network(), network()
    for _ in run(one, whole):
        pass
    events = run(network(), plan(way, precision=precision), checkpoint=tmp_path / "c")
    taken = itertools.count()
    for event in events:
        if isinstance(event, Step) and next(taken) >= stop_at:
            break
    events.close()
    for _ in run(other, resumed, checkpoint=tmp_path / "c"):
        pass
    for name, p in one.state_dict().items():
        assert torch.equal(p, other.state_dict()[name]), name
    saved, found = dict(whole[0].objective.named_buffers()), dict(resumed[0].objective.named_buffers())
    assert {"visible", "hidden_input"} <= saved.keys() == found.keys()
    assert all(torch.equal(saved[name], found[name]) for name in saved)


def test_greedy_stages_learn_from_one_another():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = Pipeline(
            low=RestrictedBoltzmannMachine(vector(8), width=6),
            high=RestrictedBoltzmannMachine(vector(6), width=3),
        )
    before = {name: p.clone() for name, p in net.state_dict().items()}

    def phase(address: str) -> Phase:
        return Phase(
            address, ContrastiveDivergence(persistent=True), optimiser("sgd", rate=0.1), size=16, steps=5
        )

    for _ in run(net, greedy(("low", "high"), phase)):
        pass
    moved = {name for name, p in net.state_dict().items() if not torch.equal(before[name], p)}
    assert {"low.weight", "high.weight"} <= moved


# ---- refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "at least 1"),
        ({"persistent": True, "chains": 0}, "at least 1"),
        ({"chains": 3}, "persistent=False"),
        ({"betas": (1.0,)}, "two or more"),
        ({"betas": (0.9, 0.5)}, "1 first"),
        ({"betas": (1.0, 1.5)}, "from 0 to 1"),
        ({"sparsity": 1.0}, "between 0 and 1"),
        ({"persistent": True, "expected_visible": True}, "leave expected_visible out"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        ContrastiveDivergence(**options)


def test_what_it_cannot_train_is_refused():
    batch = batch_of(torch.rand(4, 6))
    rectified = RestrictedBoltzmannMachine(vector(6), width=3, hidden="relu")
    with pytest.raises(
        UsageError, match="trains a RestrictedBoltzmannMachine or a ConvolutionalRBM, got Linear"
    ):
        begun(nn.Linear(6, 2), batch)
    with pytest.raises(UsageError, match="leave betas out"):
        ContrastiveDivergence(betas=(1.0, 0.5)).begin(rectified, batch, Randomness(0))
    with pytest.raises(UsageError, match="sparsity is for hidden units"):
        ContrastiveDivergence(sparsity=0.1).begin(rectified, batch, Randomness(0))
    padded = Batch(Padded(torch.rand(4, 6), torch.full((4,), 6)), None, None, torch.arange(4))
    with pytest.raises(UsageError, match="unequal lengths"):
        ContrastiveDivergence().gradients(rectified, padded, Randomness(0))

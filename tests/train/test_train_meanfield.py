"""Mean-field learning of deep Boltzmann machines: gradients by enumeration, chains that are saved, weights."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from layerwise.energy import DeepBoltzmannMachine, configurations, exact_log_partition
from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.train import Done, MeanField, Phase, Step, Within, constant, optimiser, train
from layerwise.train import loop as loop_module
from layerwise.train.pieces import pieces
from layerwise.values import Batch, Padded

SHAPES = [(4, 3, 2), (3, 2, 2, 2)]


def machine(sizes=(4, 3, 2), *, scale: float = 0.8) -> DeepBoltzmannMachine:
    draw = torch.Generator().manual_seed(1)
    dbm = DeepBoltzmannMachine(vector(sizes[0]), widths=list(sizes[1:])).double()
    with torch.no_grad():
        for p in dbm.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return dbm


def batch_of(x: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(x, None, weights, torch.arange(len(x)))


def data(rows: int = 30, units: int = 4) -> Tensor:
    draw = torch.Generator().manual_seed(2)
    return (torch.rand(rows, units, generator=draw) < torch.linspace(0.1, 0.9, units)).double()


def begun(dbm, batch, **options) -> MeanField:
    objective = MeanField(**options).double()
    objective.begin(dbm, batch, Randomness(4))
    return objective


def gradients(objective, dbm, batch) -> list[Tensor]:
    dbm.zero_grad()
    objective.gradients(dbm, batch, Randomness(3))
    return [p.grad.clone() for p in dbm.parameters()]


# ---- gradients


@pytest.mark.parametrize("sizes", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_with_chains_that_are_the_model_the_gradient_is_that_of_the_bound(sizes, weighted):
    """Chains in every state as often as the model says, rounded to one in two million: to 2e-6.

    The bound's log Z is summed over all states. The means count as given: settled, they would not move it.
    """
    dbm, x = machine(sizes, scale=0.5), data(units=sizes[0])
    weights = torch.rand(30, generator=torch.Generator().manual_seed(5)).double() if weighted else None
    shares = torch.full((30,), 1 / 30, dtype=torch.float64) if weights is None else weights / weights.sum()
    objective = begun(dbm, batch_of(x), rounds=200)
    even = configurations(sum(sizes[::2])).double()
    chances = (-dbm.free_energy(even.split(sizes[::2], 1))).softmax(0).detach()
    objective.chains = even.repeat_interleave((chances * 2_000_000).round().long(), 0)

    states = configurations(sum(sizes)).double().split(sizes, 1)
    bound = shares @ dbm.variational_free_energy(x, dbm.posterior(x, rounds=200))
    loss = bound + (-dbm.energy(states)).logsumexp(0)
    expected = torch.autograd.grad(loss, list(dbm.parameters()))
    for one, other in zip(gradients(objective, dbm, batch_of(x, weights)), expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=0)


def test_gradients_are_repeatable_and_move_nothing():
    dbm, batch = machine(), batch_of(data())
    objective = begun(dbm, batch)
    before = objective.chains.clone()
    state = torch.get_rng_state()
    once, again = gradients(objective, dbm, batch), gradients(objective, dbm, batch)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert torch.equal(objective.chains, before)
    objective.advance(dbm, batch, Randomness(8))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(objective.chains, before)
    dbm.weights[0].requires_grad_(False)
    dbm.zero_grad()
    objective.gradients(dbm, batch, Randomness(3))
    assert dbm.weights[0].grad is None


def test_pieces_of_a_batch_add_up_to_it_and_a_weight_is_so_many_copies():
    dbm, x = machine(), data()
    whole = batch_of(x, torch.tensor([1.0, 2.0, 0.0] * 10).double())
    objective = begun(dbm, whole)
    summed = [torch.zeros_like(p) for p in dbm.parameters()]
    for piece in pieces(whole, 3):
        for total, g in zip(summed, gradients(objective, dbm, piece), strict=True):
            total += piece.weights.sum() / whole.weights.sum() * g
    copies = batch_of(x.repeat_interleave(whole.weights.long(), 0))
    for total, g, h in zip(
        summed, gradients(objective, dbm, whole), gradients(objective, dbm, copies), strict=True
    ):
        torch.testing.assert_close(total, g, atol=1e-12, rtol=0)
        torch.testing.assert_close(h, g, atol=1e-12, rtol=0)


def test_the_loss_is_the_error_of_a_reconstruction():
    dbm, x = machine(), data()
    objective = begun(dbm, batch_of(x))
    h1, _ = dbm.posterior(x, rounds=10)
    back = torch.sigmoid(h1 @ dbm.weights[0].T + dbm.biases[0])
    loss = objective.gradients(dbm, batch_of(x), Randomness(0))["loss"]
    torch.testing.assert_close(loss, ((back - x) ** 2).mean())


def test_chains_stay_in_the_distribution():
    dbm, n = machine(), 20_000
    even = configurations(6).double()
    chances = (-dbm.free_energy(even.split((4, 2), 1))).softmax(0).detach()
    objective = begun(dbm, batch_of(data()), chains=n, sweeps=2)
    assert objective.chains.shape == (n, 6)
    draw = torch.Generator().manual_seed(6)
    objective.chains.copy_(even[torch.multinomial(chances, n, replacement=True, generator=draw)])
    for step in range(3):
        objective.advance(dbm, batch_of(data()), Randomness(7).at(step))
    place = (2.0 ** torch.arange(5, -1, -1)).double()
    seen = torch.bincount((objective.chains @ place).long(), minlength=64) / n
    assert ((seen - chances).abs() / (chances * (1 - chances) / n).sqrt()).max() < 4.5


# ---- training


class Rows:
    """Batches of 16 of 64 patterns of 8 units: two bars, with a little noise."""

    steps_per_epoch = 4

    def __init__(self, rng: Randomness) -> None:
        self._rng = rng
        bars = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]]).float()
        noise = (torch.rand(64, 8, generator=torch.Generator().manual_seed(7)) < 0.05).float()
        self.x = (bars[torch.arange(64) % 2] - noise).abs()

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, 4)
        order = torch.randperm(64, generator=self._rng.at(epoch).generator("order"))
        rows = order[place * 16 : (place + 1) * 16]
        return Batch(self.x[rows], None, None, rows)


def network() -> DeepBoltzmannMachine:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        dbm = DeepBoltzmannMachine(vector(8), widths=[4, 3])
        for weight in dbm.weights:
            nn.init.normal_(weight, std=0.3)
    return dbm


def plan(steps: int = 11) -> tuple[Phase, ...]:
    make = optimiser("sgd", rate=0.05, momentum=0.5, decay=2e-4)
    return (Phase("dbm", MeanField(), make, size=16, steps=steps, schedule=constant),)


def run(net: nn.Module, phases, **options):
    return train(net, phases, lambda _, rng: Rows(rng), seed=5, every=3, **options)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_makes_data_likely(precision):
    net, x = network(), Rows(Randomness(0)).x

    def bound() -> float:
        free = net.variational_free_energy(x, net.posterior(x)).mean().item()
        return -free - exact_log_partition(net.halves()).value

    assert bound() < -5.4
    *_, done = run(net, tuple(replace(phase, precision=precision) for phase in plan(200)))
    assert isinstance(done, Done)
    assert bound() > -2.8  # what is best is about -2.1


@pytest.mark.parametrize("stop_at", [0, 1, 4, 10])
def test_killed_and_resumed_it_ends_bit_identical_with_its_chains(stop_at, tmp_path, monkeypatch):
    monkeypatch.setattr(loop_module, "WRITING", float("inf"))
    whole, resumed = plan(), plan()
    one, other = network(), network()
    for _ in run(one, whole):
        pass
    events = run(network(), plan(), checkpoint=tmp_path / "c")
    taken = itertools.count()
    for event in events:
        if isinstance(event, Step) and next(taken) >= stop_at:
            break
    events.close()
    for _ in run(other, resumed, checkpoint=tmp_path / "c"):
        pass
    for name, p in one.state_dict().items():
        assert torch.equal(p, other.state_dict()[name]), name
    assert torch.equal(whole[0].objective.chains, resumed[0].objective.chains)
    assert whole[0].objective.chains.shape == (16, 11)


# ---- refused


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="at least 1, got 0, 5 and None"):
        MeanField(rounds=0)
    batch = batch_of(data())
    with pytest.raises(UsageError, match="got Linear: within a Pipeline"):
        MeanField().begin(nn.Linear(4, 2), batch, Randomness(0))
    padded = Batch(Padded(data()[:, :, None], torch.full((30,), 4)), None, None, torch.arange(30))
    with pytest.raises(UsageError, match="vectors of one length"):
        MeanField().begin(machine(), padded, Randomness(0))
    inside = Within("machine", MeanField())
    inside.begin(Pipeline(machine=machine().float()), batch_of(data().float()), Randomness(0))


def test_in_bfloat16_only_the_products_are_rounded():
    """States stay what they were; means, chains and gradients are those of float32, but for the rounding."""
    dbm = machine((40, 30, 20), scale=0.3).float()
    batch = batch_of(data(200, 40).float())
    objective = MeanField()
    objective.begin(dbm, batch, Randomness(4))
    exact, means = gradients(objective, dbm, batch), dbm.posterior(batch.inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, coarse = gradients(objective, dbm, batch), dbm.posterior(batch.inputs)
        objective.advance(dbm, batch, Randomness(5))
    assert {t.dtype for t in (*rounded, *coarse, objective.chains)} == {torch.float32}
    assert set(objective.chains.unique().tolist()) == {0.0, 1.0}
    for one, other in zip(coarse, means, strict=True):
        assert 0 < (one - other).abs().max() < 0.02
    for one, other in zip(rounded, exact, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()

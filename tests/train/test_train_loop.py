from __future__ import annotations

import pytest
import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.nn import Dense, Pipeline
from layerwise.spec import Spec
from layerwise.train import Done, Epoch, Phase, Saved, Step, Supervised, constant, optimiser, stepped, train
from layerwise.train.optimisers import OPTIMISERS
from layerwise.train.state import tensors
from layerwise.values import Batch


def follow(net, phase, data, **options):
    return list(train(net, (phase,), data, seed=0, **options))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_digits_are_learned(digits, name):
    net = digits.net(dropout=0.1)
    rate = 0.1 if name in ("sgd", "nesterov") else 0.005
    make = optimiser(name, rate=rate, decay=1e-4)
    phase = Phase("train", digits.objective(), make, size=50, epochs=15, average=0.98)
    follow(net, phase, digits.train)
    net.eval()
    assert digits.evaluate(net)["accuracy"] > 0.95


def test_it_does_what_a_hand_written_loop_does(digits):
    net, twin = digits.net(), digits.net()
    phase = Phase("train", digits.objective(), optimiser("adamw", rate=0.01), size=50, steps=40)
    events = follow(net, phase, digits.train)
    adam = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.0, fused=True)
    batches = []

    def data(size, rng):
        batches.append(digits.train(size, rng))
        return batches[0]

    next(train(digits.net(), (phase,), data, seed=0))
    losses = []
    for step in range(40):
        adam.param_groups[0]["lr"] = 0.01 * phase.schedule((step + 0.5) / 40)
        batch = batches[0].at(step)
        adam.zero_grad()
        loss = nn.functional.cross_entropy(twin(batch.inputs), batch.targets)
        loss.backward()
        adam.step()
        losses.append(loss.detach())
    assert [e.loss for e in events if isinstance(e, Step)] == losses
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, q)


def test_momentum_and_decay_follow_their_schedules(digits):
    net, twin = digits.net(), digits.net()
    phase = Phase(
        "train", digits.objective(), optimiser("sgd", rate=0.1, decay=0.01), size=50, steps=20,
        schedule=constant, momentum=stepped(0.5, 0.9, at=0.3), decay=stepped(1.0, 0.0, at=0.6),
    )  # fmt: skip
    events = follow(net, phase, digits.train)
    following = iter(e.loss for e in events if isinstance(e, Step))
    batches = []

    def data(size, rng):
        batches.append(digits.train(size, rng))
        return batches[0]

    next(train(digits.net(), (phase,), data, seed=0))
    speeds = [torch.zeros_like(p) for p in twin.parameters()]
    for step in range(20):
        batch = batches[0].at(step)
        twin.zero_grad()
        loss = nn.functional.cross_entropy(twin(batch.inputs), batch.targets)
        loss.backward()
        assert torch.allclose(next(following), loss)
        momentum, decay = (0.5 if step < 6 else 0.9), (0.01 if step < 12 else 0.0)
        with torch.no_grad():
            for p, speed in zip(twin.parameters(), speeds, strict=True):
                speed.mul_(momentum if step else 0.0).add_(p.grad)
                if p.ndim > 1:
                    speed.add_(p, alpha=decay)
                p.sub_(speed, alpha=0.1)
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_a_momentum_needs_an_optimiser_that_has_one(digits):
    phase = Phase(
        "train", digits.objective(), optimiser("adamw", rate=0.1), size=50, steps=2, momentum=constant
    )
    with pytest.raises(UsageError, match="'train' has a momentum by progress"):
        follow(digits.net(), phase, digits.train)


def test_events_come_in_order_and_history_tells_the_same(digits, tmp_path):
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), size=500, epochs=2.5)
    path = tmp_path / "run"
    events = follow(digits.net(), phase, digits.train, evaluate=digits.evaluate, checkpoint=path)
    assert [type(e) for e in events] == [
        Saved, *[Step] * 3, Epoch, *[Step] * 3, Epoch, *[Step] * 2, Epoch, Saved, Done,
    ]  # fmt: skip
    epochs = [e for e in events if isinstance(e, Epoch)]
    done = events[-1]
    table = done.history["epochs"]
    assert table["loss"] == [e.loss for e in epochs]
    assert table["epoch"] == [1.0, 2.0, pytest.approx(8 / 3)]
    assert table["validation accuracy"] == [e.scores["accuracy"] for e in epochs]
    assert (done.steps, done.taken, done.interrupted) == ((8,), (8,), False)
    steps = [e for e in events if isinstance(e, Step)]
    assert done.history["curve"]["loss"] == pytest.approx([float(e.loss) for e in steps])
    assert epochs[0].loss == pytest.approx(sum(float(e.loss) for e in steps[:3]) / 3)


def test_patience_stops_and_keeps_the_best_weights(digits):
    net = digits.net()
    kept = []

    def evaluate(net):  # best after the second epoch
        kept.append([p.detach().clone() for p in net.parameters()])
        return {"loss": [3.0, 1.0, 2.0, 1.5, 0.0][len(kept) - 1]}

    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), size=500, epochs=9, patience=2)
    *_, done = follow(net, phase, digits.train, evaluate=evaluate)
    assert (done.steps, done.taken) == ((27,), (12,))
    for p, best in zip(net.parameters(), kept[1], strict=True):
        assert torch.equal(p, best)


def test_patience_needs_something_to_judge_by(digits):
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), steps=3, patience=2)
    with pytest.raises(UsageError, match="give train an evaluate"):
        follow(digits.net(), phase, digits.train)
    with pytest.raises(UsageError, match="a figure named 'loss', got accuracy"):
        follow(digits.net(), phase, digits.train, evaluate=lambda net: {"accuracy": 1.0})


def test_evaluation_sees_averaged_weights_in_evaluation_mode_and_so_does_the_end(digits):
    net = digits.net(dropout=0.5)
    seen = []

    def evaluate(net):
        assert not any(m.training for m in net.modules())
        assert not torch.is_grad_enabled()
        seen.append([p.detach().clone() for p in net.parameters()])
        return {"loss": 0.0}

    make = optimiser("sgd", rate=0.1)
    phase = Phase("train", digits.objective(), make, size=150, epochs=3, average=0.9, schedule=constant)
    plain = digits.net(dropout=0.5)
    follow(
        plain, Phase("train", digits.objective(), make, size=150, epochs=3, schedule=constant), digits.train
    )
    follow(net, phase, digits.train, evaluate=evaluate)
    for p, last, raw in zip(net.parameters(), seen[-1], plain.parameters(), strict=True):
        assert torch.equal(p, last)
        assert not torch.equal(p, raw)


def test_only_what_a_phase_learns_moves(digits, weights):
    net = digits.net()
    before = weights(net)
    phase = Phase("top", digits.objective(), optimiser("adamw", rate=0.01, decay=0.1), steps=3, learns=("5",))
    for event in train(net, (phase,), digits.train, seed=0):
        if isinstance(event, Step):
            assert net[5].training
            assert not net[0].training
    moved = [not torch.equal(a, b) for a, b in zip(before, weights(net), strict=True)]
    assert moved == [False] * 4 + [True] * 2
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


def test_an_address_that_is_not_there(digits):
    net = nn.Sequential()
    net.add_module("hidden", nn.Linear(64, 10))
    phase = Phase("top", digits.objective(), optimiser("sgd", rate=0.1), steps=3, learns=("hiden",))
    with pytest.raises(UsageError, match="'hiden', which the network does not have; did you mean 'hidden'"):
        follow(net, phase, digits.train)


def test_nothing_to_learn(digits):
    phase = Phase("top", digits.objective(), optimiser("sgd", rate=0.1), steps=3)
    with pytest.raises(UsageError, match="nothing to learn"):
        follow(nn.Flatten(), phase, digits.train)


def test_an_optimiser_that_searches_along_lines(digits):
    net = digits.net(dropout=0.3)
    calls = []

    def count(net, batch):
        calls.append([p.grad.clone() for p in net.parameters()])

    def lbfgs(learned):
        return torch.optim.LBFGS(learned, max_iter=4, line_search_fn="strong_wolfe")

    phase = Phase("train", digits.objective(), lbfgs, size=500, steps=12, schedule=constant)
    events = follow(net, phase, digits.train, after_gradients=count)
    losses = [float(e.loss) for e in events if isinstance(e, Step)]
    assert len(calls) > 24
    assert losses[-1] < 0.3 * losses[0]


def test_dropout_is_the_same_at_every_call_of_a_step(digits):
    grads = []

    class Twice(torch.optim.SGD):
        def step(self, closure):
            for _ in range(2):
                loss = closure()
                grads.append(self.param_groups[0]["params"][0].grad.clone())
            return loss

    phase = Phase("train", digits.objective(), lambda p: Twice(p, lr=0.1), steps=2)
    follow(digits.net(dropout=0.5), phase, digits.train)
    assert torch.equal(grads[0], grads[1])
    assert torch.equal(grads[2], grads[3])
    assert not torch.equal(grads[0], grads[2])


def test_the_loss_of_a_step_is_the_one_before_it_was_taken(digits):
    losses = []

    class Probing(torch.optim.SGD):
        def step(self, closure):
            losses.append(closure())
            with torch.no_grad():
                self.param_groups[0]["params"][0].add_(0.1)
            assert closure() != losses[-1]

    phase = Phase("train", digits.objective(), lambda p: Probing(p, lr=0.1), steps=3)
    events = follow(digits.net(), phase, digits.train)
    assert [e.loss for e in events if isinstance(e, Step)] == losses


def test_bounds_on_weights_are_kept_after_each_step(digits):
    spec = Spec(("feature",), (64,))
    net = Pipeline(hidden=Dense(spec, width=20, max_norm=0.5), answer=nn.Linear(20, 10))
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.5), steps=20)
    for event in train(net, (phase,), digits.train, seed=0):
        if isinstance(event, Step):
            assert float(net.hidden.linear.weight.norm(dim=1).max().detach()) <= 0.5001
    assert float(net.answer.weight.norm(dim=1).max().detach()) > 0.5001


def test_gradients_are_clipped(digits):
    norms = []
    phase = Phase("train", digits.objective(), lambda p: Watching(p, lr=0.1), steps=5, clip=0.1)

    class Watching(torch.optim.SGD):
        def step(self, closure):
            closure()
            norms.append(float(nn.utils.get_total_norm([p.grad for p in self.param_groups[0]["params"]])))

    follow(digits.net(), phase, digits.train)
    assert norms == pytest.approx([0.1] * 5, rel=1e-3)


def test_a_weight_is_a_repetition(digits, rows):
    x, y = digits.x[:40], digits.y[:40]
    times = torch.arange(40) % 4
    weighted = rows(x, y, 40, weights=times.float())
    repeated = rows(x.repeat_interleave(times, 0), y.repeat_interleave(times), int(times.sum()))
    nets = []
    for batches in (weighted, repeated):
        nets.append(digits.net())
        phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), size=40, steps=10)
        follow(nets[-1], phase, lambda size, rng, batches=batches: batches)
    for p, q in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-5, rtol=1e-5)


def test_alterations_change_what_is_learned_the_same_way_each_time(digits):
    def alter(batch, rng):
        noise = torch.randn(batch.inputs.shape, generator=rng.generator("noise"))
        return Batch(batch.inputs + noise, batch.targets, batch.weights, batch.rows)

    def learned(change):
        net = digits.net()
        phase = Phase("train", Supervised(digits.task, change), optimiser("sgd", rate=0.1), steps=5)
        follow(net, phase, digits.train)
        return net[0].weight

    assert torch.equal(learned(alter), learned(alter))
    assert not torch.equal(learned(alter), learned(None))


class Clock:
    """Time that passes only when somebody says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def objective(self, task, seconds):
        clock = self

        class Slow(Supervised):
            def altered(self, batch, rng):
                clock.now += self.seconds
                return batch

        slow = Slow(task)
        slow.seconds = seconds
        return slow


@pytest.mark.parametrize("evaluation", [0.0, 0.5, 3.0])
def test_a_budget_is_kept_and_what_it_took_repeats_it(digits, monkeypatch, evaluation):
    clock = Clock(monkeypatch)

    def evaluate(net):
        clock.now += evaluation
        return {"loss": 0.0}

    def phase(**length):
        objective = clock.objective(digits.task, 0.11)
        return Phase("train", objective, optimiser("adamw", rate=0.01), size=100, **length)

    net = digits.net(dropout=0.2)
    *_, done = follow(net, phase(seconds=30), digits.train, evaluate=evaluate)
    assert 30 * 0.95 < clock.now - 100 <= 30 * 1.01 or abs(clock.now - 130) < 15 * 0.11 + evaluation
    again = digits.net(dropout=0.2)
    follow(again, phase(steps=done.steps[0], pace=done.paces[0]), digits.train)
    for p, q in zip(tensors(net).values(), tensors(again).values(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("slower", [4.0, 0.25])
def test_a_machine_that_others_use_keeps_the_budget(digits, monkeypatch, slower):
    clock = Clock(monkeypatch)
    objective = clock.objective(digits.task, 0.1)
    phase = Phase("train", objective, optimiser("sgd", rate=0.1), size=100, seconds=100)
    rates = []
    for event in train(digits.net(), (phase,), digits.train, seed=0):
        if isinstance(event, Step):
            rates.append(event.rate)
            objective.seconds = 0.1 * slower if 130 < clock.now < 170 else 0.1
    assert abs(clock.now - 200) < 2
    assert rates[-1] < 0.01
    assert max(rates) > 0.99


def test_a_timed_run_that_is_stopped_ends_in_time_all_the_same(digits, tmp_path, monkeypatch):
    clock = Clock(monkeypatch)

    def events(step_seconds):
        objective = clock.objective(digits.task, step_seconds)
        phase = Phase("train", objective, optimiser("sgd", rate=0.1), size=100, seconds=60)
        return train(digits.net(), (phase,), digits.train, seed=0, checkpoint=tmp_path / "run", every=10)

    first = events(0.1)
    next(e for e in first if isinstance(e, Saved) and e.step >= 100)
    first.close()
    left = 160 - clock.now
    resumed = clock.now
    *_, done = events(0.5)
    assert abs(clock.now - resumed - left) < 0.05 * 60
    assert done.steps == (sum(done.paces[0]),)


def test_products_in_bfloat16_learn_too_and_differ(digits):
    nets = [digits.net(), digits.net()]
    for net, precision in zip(nets, ("float32", "bfloat16"), strict=True):
        make = optimiser("adamw", rate=0.01)
        phase = Phase("train", digits.objective(), make, size=100, epochs=8, precision=precision)
        follow(net, phase, digits.train)
        assert digits.evaluate(net)["accuracy"] > 0.93
        assert net[0].weight.dtype == torch.float32
    assert not torch.equal(nets[0][0].weight, nets[1][0].weight)

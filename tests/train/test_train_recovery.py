from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from layerwise.errors import DataError, MachineError
from layerwise.train import Descent, Phase, Recovered, Step, Supervised, constant, optimiser, train
from layerwise.values import Batch


class Narrow(nn.Module):
    """A net in a machine that has room for so many examples at once."""

    def __init__(self, inner: nn.Module, room: int) -> None:
        super().__init__()
        self.inner, self.room = inner, room

    def forward(self, x):
        if self.training and len(x) > self.room:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:116] . DefaultCPUAllocator: not enough memory")
        return self.inner(x)


def test_a_rate_that_is_far_too_high_is_cut_until_it_learns(digits):
    net = digits.net()
    make = optimiser("sgd", rate=300.0)
    phase = Phase("train", digits.objective(), make, size=50, epochs=6, schedule=constant)
    events = list(train(net, (phase,), digits.train, seed=0))
    recovered = [e for e in events if isinstance(e, Recovered)]
    assert 1 <= len(recovered) <= 3
    assert all("the rate is cut to 0." in e.reason for e in recovered)
    assert digits.evaluate(net)["loss"] < 2.5


class Breaks:
    """Spoils the gradient of one weight at one call of all."""

    def __init__(self, call: int) -> None:
        self.left = call

    def __call__(self, net: nn.Module, batch: Batch) -> None:
        self.left -= 1
        if self.left == 0:
            next(net.parameters()).grad[0, 0] = float("nan")


def test_a_loss_that_is_no_number_goes_back_to_the_last_good_state(digits):
    phase = Phase("train", digits.objective(), optimiser("adamw", rate=0.01), size=100, steps=12)
    seen = list(train(digits.net(), (phase,), digits.train, seed=0, every=5, after_gradients=Breaks(7)))
    back = next(e for e in seen if isinstance(e, Recovered))
    reason = "the loss became nan at step 8: the rate is cut to 0.1 of what it was"
    assert (back.step, back.reason) == (5, reason)
    assert [e.step for e in seen if isinstance(e, Step)] == [1, 2, 3, 4, 5, 6, 7, *range(6, 13)]


@pytest.mark.parametrize("call", [5, 12])
def test_weights_that_are_no_numbers_are_never_remembered_nor_left(digits, call):
    net = digits.net()
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), size=100, steps=12)
    seen = list(train(net, (phase,), digits.train, seed=0, every=5, after_gradients=Breaks(call)))
    back = next(e for e in seen if isinstance(e, Recovered))
    assert back.step == {5: 0, 12: 10}[call]
    assert f"weights stopped being numbers at step {call}" in back.reason
    assert all(torch.isfinite(p).all() for p in net.parameters())


def test_a_recovered_run_that_is_stopped_ends_the_same(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("layerwise.train.loop.WRITING", float("inf"))

    def events(net, **options):
        make = optimiser("nesterov", rate=20.0)
        phase = Phase("train", digits.objective(), make, size=50, steps=40, average=0.9)
        return train(net, (phase,), digits.train, seed=0, every=6, **options)

    whole = digits.net()
    recoveries = [e for e in events(whole) if isinstance(e, Recovered)]
    assert recoveries
    for stop_at in (1, 8, 15, 33):
        taken = itertools.count()
        path = tmp_path / f"run{stop_at}"
        list(events(digits.net(), checkpoint=path, stop=lambda n=stop_at, t=taken: next(t) >= n))
        net = digits.net()
        list(events(net, checkpoint=path))
        for p, q in zip(whole.parameters(), net.parameters(), strict=True):
            assert torch.equal(p, q), stop_at


def test_what_cannot_be_helped_is_said(digits, rows):
    x = digits.x[:100].clone()
    x[3, 5] = float("nan")
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), size=100, steps=5)
    with pytest.raises(
        DataError, match=r"failed 4 times; the loss became nan at step 1.*no numbers"
    ) as caught:
        list(train(digits.net(), (phase,), lambda size, rng: rows(x, digits.y[:100], size), seed=0))
    assert "--set training.rate" in str(caught.value)


def test_other_errors_are_not_touched(digits):
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), steps=5)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        list(train(nn.Linear(63, 10), (phase,), digits.train, seed=0))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_too_little_memory_cuts_the_batch_and_changes_nothing_but_rounding(digits, rows, name):
    weights = torch.rand(len(digits.x), generator=torch.Generator().manual_seed(0)).round(decimals=1)

    def alter(batch, rng):
        noise = torch.rand(batch.inputs.shape, generator=rng.generator("noise"))
        return Batch(batch.inputs + 0.1 * noise, batch.targets, batch.weights, batch.rows)

    nets, events = [], []
    for room in (1000, 30):
        nets.append(Narrow(digits.net().double(), room))
        phase = Phase("train", Supervised(digits.task, alter), optimiser(name, rate=0.02), size=100, steps=10)
        batches = rows(digits.x.double(), digits.y, 100, weights=weights.double())
        events.append(list(train(nets[-1], (phase,), lambda size, rng, b=batches: b, seed=0)))
    assert not any(isinstance(e, Recovered) for e in events[0])
    reasons = [e.reason for e in events[1] if isinstance(e, Recovered)]
    assert reasons == [f"out of memory: batches are cut into {n} pieces from now on" for n in (2, 4)]
    for p, q in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-9, rtol=1e-9)
    losses = [[float(e.loss) for e in run if isinstance(e, Step)] for run in events]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_a_timed_run_measures_with_the_pieces_that_fit(digits, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: next(ticks) * 0.001)
    net = Narrow(digits.net(), 60)
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), size=100, seconds=0.3)
    *events, done = train(net, (phase,), digits.train, seed=0)
    assert not any(isinstance(e, Recovered) for e in events)
    assert done.taken[0] > 3


def test_no_room_for_one_example(digits):
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), size=8, steps=2)
    with pytest.raises(MachineError, match="out of memory with one example at a time"):
        list(train(Narrow(digits.net(), 0), (phase,), digits.train, seed=0))


def test_pieces_without_weight_are_left_out(digits, rows):
    class Mean(Descent):
        def loss(self, net, batch, rng):
            each = nn.functional.cross_entropy(net(batch.inputs), batch.targets, reduction="none")
            return {"loss": (each * batch.weights).sum() / batch.weights.sum()}

    weights = torch.zeros(8)
    weights[:3] = 1.0
    batches = rows(digits.x[:8], digits.y[:8], 8, weights=weights)
    phase = Phase("train", Mean(), optimiser("sgd", rate=0.1), size=8, steps=3)
    events = list(train(Narrow(digits.net(), 2), (phase,), lambda size, rng: batches, seed=0))
    assert all(torch.isfinite(e.loss) for e in events if isinstance(e, Step))

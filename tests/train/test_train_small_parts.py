"""Schedules, averages, pieces, phases: the small parts of training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.errors import UsageError
from layerwise.recipe import Training
from layerwise.train import Phase, constant, one_cycle, stepped, trapezoid
from layerwise.train.averaging import Average
from layerwise.train.budget import PARTS, along, steps_within
from layerwise.train.pieces import mass, pieces
from layerwise.train.progress import Progress
from layerwise.train.schedules import SCHEDULES
from layerwise.values import Batch, Padded, count


@given(st.floats(0, 1))
def test_schedules_stay_between_nothing_and_the_highest_rate(progress):
    for schedule in SCHEDULES.values():
        assert 0 <= schedule(progress) <= 1


def test_schedules_have_the_shape_they_are_named_for():
    assert [round(one_cycle(p), 4) for p in (0, 0.3, 1)] == [0.04, 1, 0.0001]
    assert [round(trapezoid(p), 4) for p in (0, 0.025, 0.05, 0.7, 0.85, 1)] == [0, 0.5, 1, 1, 0.5, 0]
    assert constant(0.3) == 1
    assert [stepped(0.5, 0.9)(p) for p in (0, 0.09, 0.1, 1)] == [0.5, 0.5, 0.9, 0.9]


def test_an_average_is_the_sum_it_says():
    layer = nn.BatchNorm1d(3).double()
    average = Average(layer, 0.9)
    expected = torch.ones(3, dtype=torch.float64)
    for step in range(1, 81):
        with torch.no_grad():
            layer.weight.fill_(step)
            layer.running_mean.fill_(-step)
            layer.num_batches_tracked.fill_(step)
        average.update(step)
        if step % 8 == 0:
            u = step // 8
            keep = min(0.9**8, (1 + u) / (10 + u))
            expected = keep * expected + (1 - keep) * step
    torch.testing.assert_close(average.values["weight"], expected)
    assert average.values["running_mean"][0] < -70
    assert average.values["num_batches_tracked"] == 80


def test_averages_stand_in_the_net_only_for_a_while():
    layer = nn.Linear(2, 2)
    average = Average(layer, 0.5)
    old = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(1)
    new = layer.weight.detach().clone()
    with average.in_place():
        assert torch.equal(layer.weight, old)
    assert torch.equal(layer.weight, new)


@given(st.integers(1, 30), st.integers(1, 40))
def test_pieces_together_are_the_batch(n, number):
    rows = torch.arange(n)
    padded = Padded(torch.rand(n, 4, 2), torch.randint(0, 5, (n,)))
    batch = Batch({"a": rows.float(), "b": padded}, rows, rows.float() + 1, rows)
    cut = list(pieces(batch, number))
    assert len(cut) <= number
    assert torch.equal(torch.cat([p.rows for p in cut]), rows)
    assert torch.equal(torch.cat([p.inputs["b"].values for p in cut]), padded.values)
    assert torch.equal(torch.cat([p.inputs["b"].lengths for p in cut]), padded.lengths)
    assert sum(mass(p) for p in cut) == pytest.approx(mass(batch))
    assert all(count(p.inputs) == len(p.targets) == len(p.weights) for p in cut)


@given(st.floats(0, 1e3), st.floats(1e-3, 10), st.floats(0, 10), st.integers(1, 1000), st.data())
def test_steps_within_a_budget_fill_it(seconds, step, evaluation, steps_per_epoch, data):
    to_epoch = data.draw(st.integers(1, steps_per_epoch))
    n = steps_within(
        seconds, step=step, evaluation=evaluation, to_epoch=to_epoch, steps_per_epoch=steps_per_epoch
    )

    def cost(n):
        return n * step + (n >= to_epoch) * (1 + (n - to_epoch) // steps_per_epoch) * evaluation

    assert cost(n) <= seconds + 1e-6
    assert cost(n + 1) > seconds - 1e-6


@given(st.lists(st.integers(0, 30), min_size=PARTS, max_size=PARTS))
def test_progress_along_a_pace_rises_evenly_within_each_part(pace):
    steps = sum(pace)
    found = [along(pace, step) for step in range(steps + 1)]
    assert found == sorted(found)
    assert found[-1] == 1
    for part in range(PARTS):
        begin = sum(pace[:part])
        if pace[part]:
            assert found[begin] == pytest.approx(part / PARTS)
            assert along(pace, begin + pace[part] / 2) == pytest.approx((part + 0.5) / PARTS)


def test_a_pace_must_add_up(digits):
    with pytest.raises(UsageError, match="adds up to 7 steps, not 8"):
        Phase("a", digits.objective(), lambda p: torch.optim.SGD(p), steps=8, pace=(3, 4))


def test_a_phase_needs_exactly_one_length(digits):
    with pytest.raises(UsageError, match="exactly one of epochs, steps and seconds, got none"):
        Phase("a", digits.objective(), lambda p: torch.optim.SGD(p))
    with pytest.raises(UsageError, match="got epochs, steps"):
        Phase("a", digits.objective(), lambda p: torch.optim.SGD(p), epochs=1, steps=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 0), ("clip", -1.0), ("patience", 0), ("average", 1.0), ("precision", "float16"), ("steps", 0)],
)
def test_a_phase_refuses_what_is_out_of_range(digits, name, value):
    options = {"steps": 3, name: value}
    with pytest.raises(UsageError, match=str(value)):
        Phase("a", digits.objective(), lambda p: torch.optim.SGD(p), **options)


def test_a_recipe_becomes_a_phase(digits):
    training = Training(
        optimiser="nesterov", rate=0.2, schedule="trapezoid", batch=32, epochs=2.5, average=0.9
    )
    phase = Phase.of(training, digits.objective())
    assert (phase.size, phase.schedule, phase.average) == (32, trapezoid, 0.9)
    assert phase.length(10) == 25
    with pytest.raises(UsageError, match="no schedule 'cosine'"):
        Phase.of(Training(schedule="cosine", epochs=1), digits.objective())


def test_a_spike_is_no_blow_up_but_a_rise_is():
    progress = Progress()
    assert [progress.note(loss) for loss in (2.3, 2.0, 30.0, 2.0)] == [None] * 4
    assert progress.note(705.0) == "the loss rose from 2.3 to 705"
    assert progress.note(float("nan")) == "the loss became nan"


def test_the_history_fills_what_a_row_lacks():
    progress = Progress()
    progress.record("epochs", loss=1.0)
    progress.record("epochs", loss=2.0, accuracy=0.5)
    progress.record("epochs", accuracy=0.6)
    assert progress.history["epochs"] == {"loss": [1.0, 2.0, None], "accuracy": [None, 0.5, 0.6]}

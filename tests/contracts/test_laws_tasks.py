"""What every task promises, over all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.errors import ModelError, UsageError
from layerwise.recipe import Training
from layerwise.tasks import TASKS, Task, paired, restore, task_named

PROMISED = {
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "roc_auc",
    "log_loss",
    "ece",
    "r2",
    "mae",
    "mse",
}


@dataclass(frozen=True)
class Case:
    """A task with rows: raw targets, encoded ones and raw outputs (N, outputs)."""

    task: Task
    raw: Any
    targets: np.ndarray
    outputs: torch.Tensor

    @property
    def encoded(self) -> torch.Tensor:
        return torch.from_numpy(self.targets)


def case(name: str, n: int = 60) -> Case:
    rng = np.random.default_rng(3)
    raw: Any = {
        "classify": [["yes", "no", "perhaps"][k] for k in rng.integers(0, 3, n)],
        "tags": [";".join(t for t in "abc" if rng.random() < 0.5) for _ in range(n)],
        "regress": rng.normal(50, 10, n),
        "forecast": rng.normal(50, 10, (n, 4)),
    }[name]
    task = task_named(name).fit(raw)
    outputs = torch.from_numpy(rng.normal(size=(n, task.outputs)).astype(np.float32))
    return Case(task, raw, task.encode(raw), outputs)


def every_task() -> Any:
    return pytest.mark.parametrize("name", [task.name for task in TASKS])


@every_task()
def test_state_survives_json(name: str) -> None:
    c = case(name)
    c.task.calibrate(c.outputs, c.encoded)
    again = restore(json.loads(json.dumps(c.task.state(), allow_nan=False)))
    assert again == c.task
    assert np.array_equal(again.decode(c.outputs), c.task.decode(c.outputs))
    assert again.sentence == c.task.sentence


@every_task()
def test_damaged_state_is_refused(name: str) -> None:
    state = case(name).task.state()
    positive = [key for key in ("temperature", "spread") if key in state]
    bad = [(key, value) for key in state for value in (None, float("nan"), {"a": 1}, ())]
    for key, value in [*bad, *((key, -1.0) for key in positive)]:
        with pytest.raises(ModelError):
            restore({**state, key: value})
    for key in state:
        with pytest.raises(ModelError):
            restore({k: v for k, v in state.items() if k != key})


@every_task()
def test_loss_is_the_mean_of_losses(name: str) -> None:
    c = case(name)
    losses = c.task.losses(c.outputs, c.encoded)
    assert losses.shape == (60,)
    torch.testing.assert_close(c.task.loss(c.outputs, c.encoded, None), losses.mean())
    torch.testing.assert_close(c.task.loss(c.outputs, c.encoded, torch.ones(60)), losses.mean())


@every_task()
@settings(max_examples=20, deadline=None)
@given(weights=st.lists(st.integers(0, 3), min_size=60, max_size=60).filter(any))
def test_weight_equals_repetition(name: str, weights: list[int]) -> None:
    c = case(name)
    rows = torch.arange(60).repeat_interleave(torch.tensor(weights))
    repeated = c.task.loss(c.outputs[rows], c.encoded[rows], None)
    torch.testing.assert_close(c.task.loss(c.outputs, c.encoded, torch.tensor(weights).float()), repeated)


@every_task()
def test_members_lose_alone_and_answer_together(name: str) -> None:
    c = case(name)
    members = torch.stack([c.outputs, 2 * c.outputs, c.outputs - 1], dim=1)
    losses = c.task.losses(members, c.encoded)
    assert losses.shape == (60, 3)
    for k in range(3):
        torch.testing.assert_close(losses[:, k], c.task.losses(members[:, k], c.encoded))
    torch.testing.assert_close(c.task.loss(members, c.encoded, None), losses.mean())
    torch.testing.assert_close(c.task.loss(members, c.encoded, torch.ones(60)), losses.mean())
    each = np.stack([c.task.decode(members[:, k]) for k in range(3)])
    np.testing.assert_allclose(c.task.decode(members), each.mean(0), rtol=1e-12)


@every_task()
def test_neighbours_do_not_matter(name: str) -> None:
    c = case(name)
    whole = c.task.decode(c.outputs)
    alone = np.concatenate([c.task.decode(c.outputs[i : i + 1]) for i in range(60)])
    np.testing.assert_allclose(whole, alone, rtol=1e-12)
    assert c.task.answers(whole).answer == [c.task.answers(alone[i : i + 1]).answer[0] for i in range(60)]


@every_task()
def test_metrics_are_promised_and_their_intervals_hold_them(name: str) -> None:
    c = case(name)
    decoded = c.task.decode(c.outputs)
    for groups in (None, np.arange(60) % 12):
        metrics = c.task.metrics(decoded, c.targets, groups=groups)
        assert c.task.primary in metrics
        assert {m.removesuffix("_scaled") for m in metrics} <= PROMISED
        for key, metric in metrics.items():
            assert metric.name == key
            assert metric.low <= metric.value <= metric.high
            assert metric.low < metric.high
            assert metric.n == 60
            assert groups is None or metric.groups == 12
            assert c.task.words(key, metric.value)
            json.dumps(metric.to_json(), allow_nan=False)
        assert metrics == c.task.metrics(decoded, c.targets, groups=groups)


@every_task()
def test_few_rows_give_figures_or_a_caveat(name: str) -> None:
    c = case(name)
    decoded = c.task.decode(c.outputs)
    for n in (0, 1, 2):
        for metric in c.task.metrics(decoded[:n], c.targets[:n]).values():
            assert np.isfinite([metric.value, metric.low, metric.high]).all() or metric.caveat


@every_task()
def test_paired_is_positive_for_the_better(name: str) -> None:
    c = case(name)
    decoded = c.task.decode(c.outputs)
    truth = {"classify": lambda: np.eye(3)[c.targets]}.get(name, lambda: c.targets)()
    difference, low, high = paired(c.task, truth, decoded, c.targets)
    assert 0 < low <= difference <= high
    assert paired(c.task, decoded, truth, c.targets)[0] == pytest.approx(-difference)
    difference, low, high = paired(c.task, decoded, decoded, c.targets)
    assert difference == 0
    assert -0.05 < low <= 0 <= high < 0.05  # as many rows cannot show that others would not differ


@every_task()
def test_scores_rank_a_right_answer_above_a_wrong_one(name: str) -> None:
    c = case(name)
    decoded = c.task.decode(c.outputs)
    truth = {"classify": lambda: np.eye(3)[c.targets]}.get(name, lambda: c.targets.astype(float))()
    scores = c.task.scores(decoded, c.targets)
    assert scores.shape == (60,)
    assert (c.task.scores(truth, c.targets) >= scores).all()


@every_task()
def test_known_rows_are_those_that_encode(name: str) -> None:
    task = task_named(name)
    raw: Any = {
        "classify": ["a", None, "b", "", "a"],
        "tags": np.array([[0, 1], [None, 1], [1, 0], [1, np.nan], [1, 1]], dtype=object),
        "regress": [1.0, None, 2, float("nan"), "3.5"],
        "forecast": np.array([[1.0, 2], [np.nan, 1], [2, 3], [3, np.nan], [1, 1]]),
    }[name]
    known = task.known(raw)
    assert known.tolist() == [True, False, True, False, True]
    rows = [row for row, good in zip(raw, known, strict=True) if good]
    encoded = task.fit(rows).encode(rows)
    assert len(encoded) == 3
    assert np.isfinite(encoded).all()


@every_task()
def test_settings_of_other_tasks_are_refused(name: str) -> None:
    task = case(name).task
    task.configure(Training())
    if name == "classify":
        task.configure(Training(balance=True, smoothing=0.1))
        return
    with pytest.raises(UsageError, match="balance"):
        task.configure(Training(balance=True))


@every_task()
def test_top_answers_come_in_order(name: str) -> None:
    c = case(name)
    decoded = c.task.decode(c.outputs)
    top = c.task.top(decoded, 2)
    assert len(top) == 60
    for row, answer in zip(top, c.task.answers(decoded).answer, strict=True):
        assert [p for _, p in row] == sorted((p for _, p in row), reverse=True)
        if name == "classify":
            assert row[0][0] == answer


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'classify'"):
        task_named("clasify")
    with pytest.raises(ModelError, match="unknown task"):
        restore({"task": "os.system"})

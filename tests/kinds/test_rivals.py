"""Simple rivals: each learns what it can, survives what it cannot, and is the same for the same seed."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from layerwise.kinds.base import ONLY, Rival
from layerwise.kinds.features import flattened, of_facts, over_time, principal
from layerwise.kinds.rivals import challenge
from layerwise.spec import Spec
from layerwise.tasks import Classify, Forecast, Regress, Tags, Task

LEARNERS = ("majority", "linear", "neighbours", "boosting")
RNG = np.random.default_rng(0)


def as_given(values: Any, facts: Any, spec: Spec) -> Any:
    return lambda values, facts: values[ONLY]


def as_sparse(values: Any, facts: Any, spec: Spec) -> Any:
    return lambda values, facts: sparse.csr_matrix(np.nan_to_num(values[ONLY]))


def rival(learner: Any, features: Any = as_given, most: int = 20_000) -> Rival:
    return Rival(learner, learner, features, most)


def ask(who: Rival, task: Task, x: np.ndarray, y: np.ndarray, test: np.ndarray, **more: Any) -> np.ndarray:
    spec = Spec(("feature",), (x.shape[1],))
    return challenge(who, task, {ONLY: x}, {}, y, {ONLY: test}, {}, spec=spec, seed=7, **more)


def lesson(name: str, n: int = 240) -> tuple[Task, np.ndarray, np.ndarray]:
    """A task that a line of two features decides, beside a constant, a gap and noise."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 6))
    x[:, 2] = 5
    signal = x[:, 0] + x[:, 1]
    x[rng.random(n) < 0.2, 3] = np.nan
    x[0, 4] = np.inf
    made: dict[str, tuple[Task, np.ndarray]] = {
        "classify": (
            Classify(("a", "never", "b", "c"), (1,) * 4),
            np.array([0, 2, 3])[np.digitize(signal, [-0.7, 0.7])],
        ),
        "tags": (
            Tags(("up", "down", "never"), False),
            np.column_stack([signal > 0.5, signal < -0.5, signal > 99]).astype(np.float32),
        ),
        "regress": (Regress("y", 100.0, 5.0, 0.0, 200.0), 100 + 5 * signal),
        "forecast": (Forecast("y", 12, 0.0, 1.0), 50 + np.outer(signal, np.arange(1, 13))),
    }
    task, y = made[name]
    return task, x, y


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("name", ["classify", "tags", "regress", "forecast"])
def test_every_learner_answers_every_task(name: str, learner: str) -> None:
    task, x, y = lesson(name)
    decoded = ask(rival(learner), task, x[:180], y[:180], x[180:])
    shape = {"classify": (60, 4), "tags": (60, 3), "regress": (60,), "forecast": (60, 12)}[name]
    assert decoded.shape == shape
    assert np.isfinite(decoded).all()
    if name == "classify":
        np.testing.assert_allclose(decoded.sum(1), 1, atol=1e-6)
    if task.labels:
        assert decoded.min() >= 0
        assert decoded.max() <= 1 + 1e-9
    again = ask(rival(learner), task, x[:180], y[:180], x[180:])
    np.testing.assert_array_equal(decoded, again)
    if learner != "majority":
        guess = ask(rival("majority"), task, x[:180], y[:180], x[180:])
        assert task.scores(decoded, y[180:]).mean() > task.scores(guess, y[180:]).mean()


@pytest.mark.parametrize("learner", ["linear", "neighbours", "boosting"])
@pytest.mark.parametrize("name", ["classify", "tags", "regress"])
def test_sparse_features_will_do(name: str, learner: str) -> None:
    task, x, y = lesson(name)
    x = np.where(np.isfinite(x), x, 0)
    decoded = ask(rival(learner, as_sparse), task, x[:180], y[:180], x[180:])
    guess = ask(rival("majority"), task, x[:180], y[:180], x[180:])
    assert task.scores(decoded, y[180:]).mean() > task.scores(guess, y[180:]).mean()


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("name", ["classify", "tags", "regress", "forecast"])
def test_a_handful_of_rows_will_do(name: str, n: int, learner: str) -> None:
    task, x, y = lesson(name)
    decoded = ask(rival(learner), task, x[:n], y[:n], x[10:13])
    assert len(decoded) == 3
    assert np.isfinite(decoded).all()
    assert len(ask(rival(learner), task, x[:n], y[:n], x[:0])) == 0


@pytest.mark.parametrize("learner", LEARNERS)
def test_nothing_to_see_is_as_good_as_the_majority(learner: str) -> None:
    task, x, y = lesson("classify")
    blind = ask(rival(learner), task, np.full_like(x, np.nan), y, np.full_like(x[:5], np.nan))
    assert (blind.argmax(1) == np.bincount(y).argmax()).all()


def test_majority_answers_with_the_rates() -> None:
    task = Classify(("a", "b"), (1, 3))
    y = np.array([0, 1, 1, 1, -1])
    x = np.zeros((5, 1))
    np.testing.assert_allclose(ask(rival("majority"), task, x, y, x[:2]), [[0.25, 0.75]] * 2)
    weighted = ask(rival("majority"), task, x, y, x[:1], weights=np.array([3.0, 1, 1, 1, 9]))
    np.testing.assert_allclose(weighted, [[0.5, 0.5]])


@pytest.mark.parametrize("learner", ["linear", "neighbours", "boosting"])
def test_weights_count(learner: str) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 2)).round()
    y = rng.integers(0, 2, 300)
    task = Classify(("a", "b"), (1, 1))
    heavy = ask(rival(learner), task, x, y, x[:20], weights=np.where(y == 1, 100.0, 1.0))
    assert (heavy[:, 1] > 0.7).mean() > 0.9


def test_the_naive_rival_finds_the_season() -> None:
    steps = np.arange(600)
    series = 1000 + np.array([0, 3, 1, 7, 2, 9, 4])[steps % 7] + RNG.normal(size=600) * 0.1
    windows = np.lib.stride_tricks.sliding_window_view(series, 35 + 10)
    x, y = windows[:, :35], windows[:, 35:]
    task = Forecast.fit(y[:400])
    decoded = ask(rival("naive"), task, x[:400], y[:400], x[400:])
    assert np.abs(decoded - y[400:]).max() < 1
    with pytest.raises(ValueError, match="the naive rival forecasts"):
        ask(rival("naive"), lesson("classify")[0], x, np.zeros(len(x), np.int64), x)


def test_the_naive_rival_repeats_the_last_value_of_a_random_walk() -> None:
    series = RNG.normal(size=700).cumsum()
    windows = np.lib.stride_tricks.sliding_window_view(series, 24)
    x, y = windows[:, :20].copy(), windows[:, 20:]
    x[-1, -1] = np.nan
    decoded = ask(rival("naive"), Forecast.fit(y), x[:500], y[:500], x[500:])
    np.testing.assert_allclose(decoded[:-1], np.repeat(x[500:-1, -1:], 4, axis=1))
    np.testing.assert_allclose(decoded[-1], x[-1, -2])


def test_thinning_is_a_fair_draw_that_follows_the_seed() -> None:
    task, x, y = lesson("regress")
    few = ask(rival("majority", most=20), task, x, y, x[:1])
    assert few == ask(rival("majority", most=20), task, x, y, x[:1])
    assert few != ask(rival("majority"), task, x, y, x[:1])


def test_no_warning_leaves_and_filters_stay_as_they_were() -> None:
    task, x, y = lesson("classify")
    before = list(warnings.filters)
    ask(rival("linear"), task, x * 1e6, y, x[:3])
    assert warnings.filters == before


def test_wide_features_take_seconds() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 5, 2_000)
    x = rng.normal(size=(2_000, 600)).astype(np.float32)
    x[:, :10] += 2 * rng.normal(size=(5, 10))[y]
    task = Classify(tuple(range(5)), (1,) * 5)
    start = time.process_time()
    for learner, least in (("linear", 0.7), ("neighbours", 0.4)):
        decoded = ask(rival(learner), task, x[:1500], y[:1500], x[1500:])
        assert task.scores(decoded, y[1500:]).mean() > least
    assert time.process_time() - start < 10


def test_features_of_kinds() -> None:
    spec = Spec(("channel", "height", "width"), (2, 3, 3), "uint8", centre=(1.0, 2.0), spread=(2.0, 4.0))
    values = {ONLY: np.full((4, 2, 3, 3), 6, np.uint8)}
    flat = flattened(values, {}, spec)(values, {})
    assert flat.shape == (4, 18)
    assert set(flat[0, :9]) == {2.5}
    assert set(flat[0, 9:]) == {1.0}
    clips = {ONLY: [np.array([1.0, 2, 6]), np.array([np.nan]), np.zeros(0)]}
    seen = over_time(clips, {}, Spec(("time",), (None,)))(clips, {})
    assert seen.shape == (3, 10)
    assert seen[0].tolist() == [3, pytest.approx(np.std([1, 2, 6])), 1, 1.5, 2, 4, 6, 2.5, 5, 3]
    assert np.isnan(seen[1, :9]).all()
    facts = {"rate_hz": np.array([8000, 16000])}
    assert of_facts("rate_hz")({}, facts, spec)({}, facts).tolist() == [[8000], [16000]]


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_principal_components_are_those_of_the_svd(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(4).normal(size=shape)
    parts = principal(x, 5)
    _, sizes, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.linalg.norm(parts(x), axis=0), sizes[:5], rtol=1e-4)
    np.testing.assert_allclose(parts.axes.T @ parts.axes, np.eye(5), atol=1e-5)

"""Metrics equal scikit-learn's; unseen classes count as wrong."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from layerwise.tasks import Classify, Forecast, Regress, Tags

LESS = settings(max_examples=40, deadline=None)


def probabilities(rng: np.random.Generator, n: int, classes: int, y: np.ndarray) -> np.ndarray:
    raw = np.round(rng.normal(size=(n, classes)), 1)  # rounded, so that there are ties
    raw[np.arange(n), y] += 0.7
    p = np.exp(raw)
    return p / p.sum(1, keepdims=True)


@LESS
@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), classes=st.integers(2, 6))
def test_classes_equal_scikit_learn(seed: int, n: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    p = probabilities(rng, n, classes, y)
    task = Classify(tuple(f"class {k}" for k in range(classes)), (1,) * classes)
    ours = {k: m.value for k, m in task.metrics(p, y).items()}
    answers = p.argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of classes that these rows lack
        assert ours["balanced_accuracy"] == pytest.approx(theirs.balanced_accuracy_score(y, answers))
        assert ours["accuracy"] == theirs.accuracy_score(y, answers)
        assert ours["f1_macro"] == pytest.approx(theirs.f1_score(y, answers, average="macro"), abs=1e-12)
        assert ours["log_loss"] == pytest.approx(theirs.log_loss(y, p, labels=range(classes)))
        each = [theirs.roc_auc_score(y == c, p[:, c]) for c in range(classes) if 0 < (y == c).sum() < n]
    if classes == 2:
        each = each[1:]
    if each:
        assert ours["roc_auc"] == pytest.approx(np.mean(each))
    else:
        assert np.isnan(ours["roc_auc"])
        assert "one class" in task.metrics(p, y)["roc_auc"].caveat


@LESS
@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), tags=st.integers(1, 5))
def test_tags_equal_scikit_learn(seed: int, n: int, tags: int) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.random((n, tags)) < 0.4).astype(np.float32)
    y[:2] = [[0] * tags, [1] * tags]
    p = np.clip(0.3 * y + 0.7 * rng.random((n, tags)), 1e-6, 1 - 1e-6)
    ours = {k: m.value for k, m in Tags(tuple("abcde"[:tags]), False).metrics(p, y).items()}
    assert ours["accuracy"] == pytest.approx((np.round(p) == y).all(1).mean())
    binary = {"average": "macro"} if tags > 1 else {}
    flat = (y, p >= 0.5) if tags > 1 else (y[:, 0], p[:, 0] >= 0.5)
    assert ours["f1_macro"] == pytest.approx(theirs.f1_score(*flat, **binary))
    assert ours["roc_auc"] == pytest.approx(theirs.roc_auc_score(y, p))
    assert ours["log_loss"] == pytest.approx(theirs.log_loss(y.ravel(), p.ravel(), labels=[0, 1]))


@LESS
@given(seed=st.integers(0, 10_000), n=st.integers(3, 60), offset=st.sampled_from([0.0, 1e6]))
def test_numbers_equal_scikit_learn(seed: int, n: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    y = offset + rng.normal(size=n)
    answers = y + rng.normal(size=n)
    ours = {k: m.value for k, m in Regress("y", 0.0, 1.0, 0.0, 1.0).metrics(answers, y).items()}
    assert ours["r2"] == pytest.approx(theirs.r2_score(y, answers), rel=1e-6, abs=1e-6)
    assert ours["mae"] == pytest.approx(theirs.mean_absolute_error(y, answers))
    assert ours["mse"] == pytest.approx(theirs.mean_squared_error(y, answers))


def test_forecasts_are_measured_in_own_units_and_on_the_scale_of_papers() -> None:
    rng = np.random.default_rng(0)
    y, answers = rng.normal(20, 5, (50, 8)), rng.normal(20, 5, (50, 8))
    ours = {k: m.value for k, m in Forecast("OT", 8, 20.0, 5.0).metrics(answers, y).items()}
    assert ours["mse"] == pytest.approx(theirs.mean_squared_error(y, answers))
    assert ours["mae"] == pytest.approx(theirs.mean_absolute_error(y, answers))
    scaled = (y - 20) / 5, (answers - 20) / 5
    assert ours["mse_scaled"] == pytest.approx(theirs.mean_squared_error(*scaled))
    assert ours["mae_scaled"] == pytest.approx(theirs.mean_absolute_error(*scaled))


def test_calibration_error_is_the_gap_in_bins() -> None:
    confident = np.tile([0.9, 0.1], (10, 1))
    y = np.array([0] * 6 + [1] * 4)
    ece = Classify(("a", "b"), (1, 1)).metrics(confident, y)["ece"]
    assert ece.value == pytest.approx(0.3)  # sure of .9, right in .6
    two_bins = np.vstack([confident, np.tile([0.3, 0.7], (10, 1))])
    y = np.concatenate([y, [1] * 9 + [0]])  # sure of .7, right in .9
    assert Classify(("a", "b"), (1, 1)).metrics(two_bins, y)["ece"].value == pytest.approx(0.25)


def test_rows_of_unseen_classes_count_as_wrong() -> None:
    task = Classify.fit(["a", "b", "a", "b"])
    y = task.encode(["a", "b", "c", "c"], mark=True)
    assert y.tolist() == [0, 1, -1, -1]
    metrics = task.metrics(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]), y)
    assert metrics["accuracy"].value == 0.5
    assert "2 rows are of classes unseen" in metrics["accuracy"].caveat
    assert metrics["balanced_accuracy"].value == pytest.approx(2 / 3)
    f1 = theirs.f1_score([0, 1, 2, 2], [0, 1, 0, 1], average="macro")
    assert metrics["f1_macro"].value == pytest.approx(f1)
    assert np.isfinite(metrics["log_loss"].value)


def test_rows_without_a_number_do_not_count() -> None:
    metrics = Regress("y", 0.0, 1.0, 0.0, 1.0).metrics(np.array([1.0, 2, 9]), np.array([2.0, 2, np.nan]))
    assert metrics["mae"].value == pytest.approx(0.5)
    assert "1 rows without a target" in metrics["mae"].caveat


def test_answers_that_are_no_numbers_have_a_caveat() -> None:
    metrics = Regress("y", 0.0, 1.0, 0.0, 1.0).metrics(np.array([1.0, np.nan]), np.array([2.0, 2]))
    assert np.isnan(metrics["mae"].value)
    assert "not finite" in metrics["mae"].caveat
    assert metrics["mae"].to_json()["value"] is None


def test_a_constant_target_has_no_r2() -> None:
    r2 = Regress("y", 0.0, 1.0, 0.0, 1.0).metrics(np.array([1.0, 2]), np.array([2.0, 2]))["r2"]
    assert np.isnan(r2.value)
    assert r2.caveat

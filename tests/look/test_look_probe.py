"""Linear probes against scikit-learn's linear models."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from layerwise.look.features import standardised
from layerwise.look.probe import fit_plane, fit_probe


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return StandardScaler().fit_transform(x)[order], y[order]


@pytest.mark.parametrize("penalty", [0.1, 0.001])
def test_classes_equal_multinomial_logistic_regression(
    digits: tuple[np.ndarray, np.ndarray], penalty: float
) -> None:
    x, y = digits[0][:800], digits[1][:800]
    oracle = LogisticRegression(C=1 / (len(x) * penalty), max_iter=2000, tol=1e-8).fit(x, y)
    plane = fit_plane(x, np.eye(10)[y], "classes", penalty)
    expected = oracle.predict_proba(digits[0][800:])
    found = plane(digits[0][800:])
    assert np.allclose(found.sum(axis=1), 1)
    assert np.abs(found - expected).mean() < 0.01
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.99


def test_tags_equal_one_logistic_regression_each(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits[0][:800], digits[1][:800]
    tags = np.column_stack([y % 2 == 0, y > 4, y == 3]).astype(np.float64)
    found = fit_plane(x, tags, "tags", 0.01)(digits[0][800:])
    for i in range(3):
        oracle = LogisticRegression(C=1 / (len(x) * 0.01), max_iter=2000, tol=1e-8).fit(x, tags[:, i])
        expected = oracle.predict_proba(digits[0][800:])[:, 1]
        assert np.abs(found[:, i] - expected).mean() < 0.01


def test_numbers_equal_ridge_regression() -> None:
    x, y = load_diabetes(return_X_y=True)
    goals = np.column_stack([y, y**0.5])
    oracle = Ridge(alpha=0.3 * 300).fit(x[:300], goals[:300])
    found = fit_plane(x[:300], goals[:300], "numbers", 0.3)(x[300:])
    assert np.allclose(found, oracle.predict(x[300:]), rtol=1e-6)


def test_starting_elsewhere_ends_in_the_same_place(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits[0][:400], np.eye(10)[digits[1][:400]]
    start = fit_plane(x, y, "classes", 1.0)
    one, other = (fit_plane(x, y, "classes", 0.01, start=s) for s in (None, start))
    assert one.loss(x, y) == pytest.approx(other.loss(x, y), rel=0.01)


def test_the_chosen_penalty_is_as_good_as_the_best_of_all(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, held = standardised(digits[0][:500], digits[0][800:])
    found = (
        fit_probe(x, np.eye(10)[digits[1][:500]], "classes", seed=0)(held).argmax(1) == digits[1][800:]
    ).mean()
    best = max(
        LogisticRegression(C=c, max_iter=2000).fit(x, digits[1][:500]).score(held, digits[1][800:])
        for c in (0.001, 0.01, 0.1, 1, 10)
    )
    assert found > best - 0.01


def test_labels_that_mean_nothing_are_not_learnt(digits: tuple[np.ndarray, np.ndarray]) -> None:
    labels = np.random.default_rng(1).integers(0, 10, len(digits[1]))
    answers = fit_probe(digits[0][:800], np.eye(10)[labels[:800]], "classes", seed=0)(digits[0][800:])
    assert answers.max() < 0.3  # unsure, as it should be
    assert (answers.argmax(1) == labels[800:]).mean() < 0.14

"""Intervals hold the truth as often as they say, and cost little."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from layerwise.tasks import Classify, Forecast, Regress, paired
from layerwise.tasks.intervals import Statistic, contrast, stretches, wilson

NUMBER = Regress("y", 0.0, 1.0, 0.0, 1.0)
BINARY = Classify(("a", "b"), (1, 1))


def share(right: np.ndarray) -> Statistic:
    right = right.astype(np.float64)
    return Statistic(right[:, None], lambda sums: sums[:, 0] / len(right), (0, 1), share=right)


def coverage(inside: list[bool]) -> float:
    return float(np.mean(inside))


def test_the_interval_of_a_mean_covers() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for seed in range(150):
        y = rng.normal(size=80)
        mse = NUMBER.metrics(np.zeros(80), y, seed=seed)["mse"]
        inside.append(mse.low <= 1 <= mse.high)
    assert 0.88 <= coverage(inside) <= 0.99


def test_groups_widen_the_interval_until_it_covers() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 10)
    by_group, by_row = [], []
    for seed in range(60):
        p_right = np.repeat(rng.beta(1, 1, 40), 10)  # rows of a group are right or wrong together
        y = (rng.random(400) < p_right).astype(int)
        answers = np.tile([0.2, 0.8], (400, 1))
        grouped = BINARY.metrics(answers, y, groups=groups, seed=seed)["accuracy"]
        alone = BINARY.metrics(answers, y, seed=seed)["accuracy"]
        by_group.append(grouped.low <= 0.5 <= grouped.high)
        by_row.append(alone.low <= 0.5 <= alone.high)
    assert coverage(by_group) > 0.88
    assert coverage(by_row) < 0.8


def test_the_area_under_the_curve_varies_as_if_every_draw_were_sorted() -> None:
    rng = np.random.default_rng(2)
    y = (rng.random(200) < 0.3).astype(int)
    score = 1 / (1 + np.exp(-rng.normal(y, 1)))
    ours = BINARY.metrics(np.column_stack([1 - score, score]), y)["roc_auc"]
    draws = [roc_auc_score(y[rows], score[rows]) for rows in rng.integers(0, 200, (600, 200))]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert ours.value == pytest.approx(roc_auc_score(y, score))
    assert ours.low == pytest.approx(low, abs=0.012)
    assert ours.high == pytest.approx(high, abs=0.012)


def test_resampling_does_not_flatter_the_calibration_error() -> None:
    rng = np.random.default_rng(7)
    p = rng.dirichlet(np.ones(2), 1000)
    y = (rng.random(1000) < p[:, 1]).astype(int)  # calibrated, so that draws of rows all look worse
    ece = BINARY.metrics(p, y)["ece"]
    assert ece.low < ece.value - 0.005
    assert ece.high > ece.value + 0.005


def test_wilson_agrees_with_the_published_interval() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_a_perfect_score_is_not_certain() -> None:
    y = np.arange(50) % 2
    right = np.eye(2)[y]
    assert BINARY.metrics(right, y)["accuracy"].low == pytest.approx(wilson(50, 50)[0])
    grouped = BINARY.metrics(right, y, groups=np.arange(50) // 10)["accuracy"]
    assert grouped.low == pytest.approx(wilson(5, 5)[0])
    assert "only 5 groups" in grouped.caveat
    assert "too little" in BINARY.metrics(right, y)["f1_macro"].caveat


def test_groups_may_be_any_names() -> None:
    y = np.arange(40) % 2
    answers = np.tile([0.4, 0.6], (40, 1))
    names = np.array(["b", None, 3, "a"], dtype=object)[np.arange(40) % 4]
    assert BINARY.metrics(answers, y, groups=names)["accuracy"].groups == 4


def test_neighbouring_windows_count_as_one() -> None:
    rng = np.random.default_rng(3)
    series = rng.normal(size=1200).cumsum()
    windows = np.lib.stride_tricks.sliding_window_view(series, 24)[:1000]
    mse = Forecast("y", 24, 0.0, 1.0).metrics(windows + rng.normal(size=(1000, 1)), windows)["mse"]
    assert mse.groups == 42
    assert stretches(1000, 24).max() == 41
    assert len(set(stretches(30, 96))) == 10


def test_paired_differences_are_narrower_than_the_figures() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 400)
    hard = rng.random(400) < 0.3
    a = np.eye(2)[np.where(hard, 1 - y, y)]
    b = np.eye(2)[np.where(hard | (rng.random(400) < 0.05), 1 - y, y)]
    difference, low, high = paired(BINARY, a, b, y)
    assert 0 < low < difference < high
    accuracy = BINARY.metrics(a, y)["accuracy"]
    assert high - low < (accuracy.high - accuracy.low) / 1.5


def test_ten_thousand_rows_take_less_than_a_second() -> None:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 10, 10_000)
    p = rng.dirichlet(np.ones(10), 10_000)
    task = Classify(tuple(range(10)), (1,) * 10)
    start = time.process_time()
    task.metrics(p, y)
    assert time.process_time() - start < 1


def test_many_rows_are_summed_into_units() -> None:
    y = np.random.default_rng(6).normal(size=200_000)
    start = time.process_time()
    mae = NUMBER.metrics(np.zeros(200_000), y)["mae"]
    assert time.process_time() - start < 1
    spread = np.abs(y).std() / np.sqrt(200_000)
    assert (mae.high - mae.low) / 2 == pytest.approx(1.96 * spread, rel=0.1)


@pytest.mark.parametrize(
    ("more", "fewer", "n"), [(0, 1, 24), (0, 4, 252), (4, 0, 252), (3, 3, 50), (1, 0, 2)]
)
def test_a_handful_of_rows_that_differ_one_way_is_no_difference(more: int, fewer: int, n: int) -> None:
    """A sign test of as many rows has p >= 0.125."""
    a, b = np.zeros(n), np.zeros(n)
    a[:more], b[n - fewer :] = 1, 1
    value, low, high = contrast(share(a), share(b), n=n)
    assert value == pytest.approx((more - fewer) / n)
    assert low < 0 < high


def test_paired_shares_cover_the_truth() -> None:
    """Bonett and Price's interval, 95 % nominal, over many draws of 60 rows."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(600):
        kinds = rng.choice(4, 60, p=[0.6, 0.1, 0.2, 0.1])
        _, low, high = contrast(share(kinds % 2 == 1), share(kinds >= 2), n=60)
        covered.append(low <= -0.1 <= high)
    assert np.mean(covered) > 0.93

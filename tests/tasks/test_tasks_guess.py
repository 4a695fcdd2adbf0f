"""What the targets ask for is guessed, and the reason said."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from layerwise.errors import DataError
from layerwise.tasks import guess_task

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("targets", "task", "reason"),
    [
        (["cat", "dog", "cat"], "classify", "2 different texts in 3 rows"),
        (pl.Series([True, False, None]), "classify", "2 truth values in 2 rows"),
        (np.arange(100) % 10, "classify", "only 10 different whole numbers in 100 rows"),
        (np.array([0.0, 1.0, np.nan] * 5), "classify", "only 2 different numbers in 10 rows"),
        (np.repeat(np.arange(40), 10), "classify", "whole numbers 0 to 39, each about equally frequent"),
        (RNG.integers(20, 90, 300), "regress", "different whole numbers"),
        (RNG.poisson(30, 2000), "regress", "different whole numbers"),
        (RNG.normal(size=50), "regress", "50 different numbers in 50 rows, not all whole"),
        (["1.5", "2", "7.25"], "regress", "not all whole"),
        ([str(k % 5) for k in range(50)], "classify", "only 5 different whole numbers"),
        (["a;b", "b", None, "c; a", "c;b"], "tags", "3 of 4 cells hold several of 3 pieces"),
        ([["a"], ["b", "a"]], "tags", "a list of tags"),
        (np.array([[0, 1], [1, 0]]), "tags", "2 target columns hold only 0 and 1"),
        ([f"A long sentence; number {k} of them." for k in range(9)], "classify", "different texts"),
    ],
)
def test_guesses(targets: object, task: str, reason: str) -> None:
    found, why = guess_task(targets)  # type: ignore[arg-type]
    assert found == task
    assert reason in why


def test_nothing_to_guess_from() -> None:
    with pytest.raises(DataError, match="all 2 values of the target default are missing"):
        guess_task([None, ""], names=["default"])
    with pytest.raises(DataError, match="of which income holds '50'"):
        guess_task(np.array([[0, 50], [1, 0]]), names=["age", "income"])

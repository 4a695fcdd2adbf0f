"""Which arrays are series, and which are not."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from layerwise.data.source import Column
from layerwise.kinds import KINDS
from layerwise.kinds.series import SERIES


def arrays(values: object, rate_hz: float | None = None) -> dict[str, Column]:
    return {"X": Column("X", "arrays", values, rate_hz)}


def walks(n: int = 100, steps: int = 40) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, steps)).cumsum(axis=1)


def test_a_time_axis_is_claimed_by_shape() -> None:
    assert SERIES.claims(arrays(np.zeros((5, 30, 2)))) == "arrays of 30 steps and 2 channels"
    assert SERIES.claims(arrays(np.zeros((5, 30, 1)))) == "arrays of 30 steps and 1 channel"
    assert SERIES.claims(arrays([np.zeros((7, 2)), np.zeros((29, 2))])) == "arrays of 7 to 29 steps"
    assert SERIES.claims(arrays([np.zeros(7), np.zeros(9)])) == "arrays of 7 to 9 steps"


def test_columns_in_order_are_steps_in_time() -> None:
    found = SERIES.claims(arrays(walks()))
    assert found is not None
    assert "neighbours among the 40 columns are alike" in found
    gappy = np.where(np.random.default_rng(1).random((100, 40)) < 0.1, np.nan, walks())
    assert SERIES.claims(arrays(gappy)) is not None


@pytest.mark.parametrize(
    "values",
    [
        load_breast_cancer().data,
        load_wine().data,
        load_digits().data,  # pictures laid out in rows
        walks()[:, np.random.default_rng(2).permutation(40)],
        walks(steps=12),  # too few columns to tell
        np.ones((50, 30)),
        np.full((50, 30), np.nan),
        np.zeros((50, 4, 8, 8)),
        np.array([["a"] * 20] * 3),
    ],
)
def test_other_arrays_are_not(values: np.ndarray) -> None:
    assert SERIES.claims(arrays(values)) is None


def test_one_column_only() -> None:
    assert SERIES.claims({**arrays(walks()), "Z": Column("Z", "arrays", walks())}) is None


@pytest.mark.parametrize(
    ("values", "rate_hz", "kind"),
    [
        (np.zeros((9, 28, 28), np.uint8), None, "image"),
        (np.zeros((9, 4_000), np.int16), 8_000.0, "sound"),
        (walks(), None, "series"),
        (load_wine().data, None, "table"),
    ],
)
def test_the_first_kind_that_claims(values: np.ndarray, rate_hz: float | None, kind: str) -> None:
    assert next(k.name for k in KINDS if k.claims(arrays(values, rate_hz)) is not None) == kind

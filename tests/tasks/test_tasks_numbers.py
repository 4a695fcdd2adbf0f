"""Numbers and forecasts: standardised inside, own units outside."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
import torch

from layerwise.errors import DataError
from layerwise.tasks import Forecast, Regress


def test_numbers_go_in_and_out_in_their_own_units() -> None:
    y = np.array([1_000_001.0, 1_000_003.0])
    task = Regress.fit(y, names=["price"])
    assert task.encode(y).tolist() == y.tolist()
    assert task.decode(torch.tensor([[-1.0], [1.0]])).tolist() == y.tolist()
    assert task.losses(torch.tensor([[-1.0], [0.0]]), torch.from_numpy(y)).tolist() == [0, 1]
    assert task.sentence == "price, from 1,000,001 to 1,000,003"
    assert task.answers(y).answer == y.tolist()
    assert np.isnan(task.answers(y).confidence).all()


@pytest.mark.parametrize(
    "targets", [["1", " 2.5", "-3e2"], [Decimal("1"), Decimal("2.5"), -300], pl.Series([1.0, 2.5, -300.0])]
)
def test_whatever_is_a_number_is_read_as_one(targets: object) -> None:
    assert Regress.fit(targets).encode(targets).tolist() == [1, 2.5, -300]  # type: ignore[arg-type]


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match=r"the target holds 'cheap', expected a number.*--task classify"):
        Regress.fit([1.0, "cheap"])
    with pytest.raises(DataError, match="all 3 rows have the same target, 7"):
        Regress.fit([7, 7, 7])
    with pytest.raises(DataError, match=r"no row has a value for the target \(price\)"):
        Regress.fit([], names=["price"])
    with pytest.raises(DataError, match="expected one value a row"):
        Regress.fit([[1, 2], [3, 4]])
    with pytest.raises(DataError, match="row 2 of the target is nan"):
        Regress.fit([1.0, None, 3.0])
    assert np.isnan(Regress.fit([1, 2]).encode(["cheap"], mark=True)).all()


def test_words_of_numbers() -> None:
    task = Regress.fit([1, 2])
    assert task.words("r2", 0.83) == "explains 83 % of the variance"
    assert task.words("r2", -1.0) == "no better than always answering the mean"
    assert task.words("mae", 0.472) == "off by 0.472 on average"
    assert task.words("mse", 4.0) == "typically off by 2 (root mean squared error)"


def test_forecasts_take_the_scale_of_the_series_where_it_is_known() -> None:
    y = np.arange(12.0).reshape(3, 4)
    task = Forecast.fit(y, names=["OT"], scale=(10.0, 2.0))
    assert (task.horizon, task.outputs, task.centre, task.spread) == (4, 4, 10.0, 2.0)
    assert task.decode(torch.tensor([[0.0, 1, 2, -1]])).tolist() == [[10, 12, 14, 8]]
    assert task.sentence == "the next 4 values of OT"
    assert Forecast.fit(y).spread == pytest.approx(y.std())
    assert task.words("mse_scaled", 0.25).endswith("standard deviations of the training part")


def test_forecasts_of_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="shorten the horizon"):
        Forecast.fit(np.zeros((0, 4)), names=["OT"])
    with pytest.raises(DataError, match="OT never changes"):
        Forecast.fit(np.ones((5, 4)), names=["OT"])

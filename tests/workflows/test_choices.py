"""Choices that are made on this machine or on training data, and stand in the recipe afterwards."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise
from layerwise import device


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def fit(**settings):
    return layerwise.fit("iris", settings={"training.epochs": 5, **settings})


def test_threads_stand_in_the_recipe_with_the_work_of_a_step():
    model = fit()
    assert model.recipe.training.threads == 1
    assert "multiply-adds" in model.recipe.why["training.threads"]
    assert fit(**{"training.threads": 2}).recipe.training.threads == 2


def test_a_rate_is_searched_when_asked_and_can_be_repeated():
    found = fit(**{"training.rate": "search"})
    assert found.recipe.training.rate != fit().recipe.training.rate
    assert "rates tried" in found.recipe.why["training.rate"]
    again = fit(**{"training.rate": found.recipe.training.rate})
    assert np.array_equal(again.predict("iris").decoded, found.predict("iris").decoded)


def test_what_was_measured_here_is_written_into_the_recipe(monkeypatch):
    speeds = {
        f"{op} {p} 1": s for op in ("matmul", "conv") for p, s in (("float32", 10.0), ("bfloat16", 30.0))
    }
    monkeypatch.setattr("layerwise.workflows.settle.measured", lambda: device.Measured(speeds, "2"))
    model = fit()
    assert model.recipe.training.precision == "bfloat16"
    assert "measured 3.0 times" in model.recipe.why["training.precision"]
    assert fit(**{"training.precision": "float32"}).recipe.training.precision == "float32"

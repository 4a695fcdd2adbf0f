"""A table in the order of time: windows in, the next values out, and a forecast from the last moment on."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import layerwise
from layerwise.errors import DataError, UsageError

STEPS = 700
HORIZON = 12


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hourly loads of a daily course, on a level that drifts; now and then a value of the wind is missing."""
    rng = np.random.default_rng(0)
    t = np.arange(STEPS)
    load = 50 + 0.02 * t + 5 * np.sin(2 * np.pi * t / 24) + 0.3 * rng.normal(size=STEPS)
    wind = [None if i % 50 == 7 else float(v) for i, v in enumerate(rng.normal(size=STEPS))]
    start = datetime.datetime(2024, 1, 1)
    date = [start + datetime.timedelta(hours=int(i)) for i in t]
    path = tmp_path_factory.mktemp("load") / "load.csv"
    pl.DataFrame({"date": date, "wind": wind, "load": load}).write_csv(path)
    return path


@pytest.fixture(scope="module")
def model(table: Path) -> layerwise.Model:
    return layerwise.fit(
        str(table),
        forecast="load",
        horizon=HORIZON,
        time="date",
        settings={"training.steps": 200, "training.rate": 3e-3},
    )


def test_a_forecast_is_split_by_time_and_beats_the_season(model: layerwise.Model) -> None:
    told = model.result()
    assert told["task"] == "forecast"
    assert told["split"]["kind"] == "time"
    assert told["metrics"]["mse"]["value"] < 0.2  # the noise alone makes 0.09
    rivals = {r["name"]: r["metrics"]["mse"]["value"] for r in told["rivals"]}
    assert rivals["seasonal naive"] > told["metrics"]["mse"]["value"]
    assert model.recipe.reading["steps"] == 42
    assert model.spec.names == ("load", "wind")


def test_asked_anew_it_foretells_what_follows_the_end(
    model: layerwise.Model, table: Path, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    loaded = layerwise.load(tmp_path / "model")
    recent = pl.read_csv(table).tail(60)
    recent.sample(fraction=1.0, shuffle=True, seed=0).write_csv(
        tmp_path / "recent.csv"
    )  # time orders, not place
    found = loaded.predict(str(tmp_path / "recent.csv"))
    last = STEPS - 1
    assert list(found.ids) == [f"after {datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=last)}"]
    t = np.arange(STEPS, STEPS + HORIZON)
    assert np.abs(found.decoded[0] - (50 + 0.02 * t + 5 * np.sin(2 * np.pi * t / 24))).max() < 1.5
    assert found.answer[0] == pytest.approx(found.decoded[0].tolist())
    assert np.array_equal(found.decoded, model.predict(str(table)).decoded)


def test_what_a_forecast_needs_of_new_data(model: layerwise.Model, table: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(table)
    frame.tail(30).write_csv(tmp_path / "short.csv")
    with pytest.raises(DataError, match="has 30 moments, but the 42 before a forecast are needed"):
        model.predict(str(tmp_path / "short.csv"))
    frame.gather_every(2).write_csv(tmp_path / "slow.csv")
    with pytest.raises(DataError, match="are 7,200 s apart where 3,600 s were expected"):
        model.predict(str(tmp_path / "slow.csv"))
    frame.rename({"load": "laod"}).write_csv(tmp_path / "named.csv")
    with pytest.raises(DataError, match=r"no column 'load'.*did you mean 'laod'"):
        model.predict(str(tmp_path / "named.csv"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "--forecast needs --horizon"),
        ({"horizon": 3, "forecast": ("load", "wind")}, "takes one column, got load, wind"),
        ({"horizon": 3, "kind": "table"}, "leave --kind table out"),
        ({"horizon": 3, "task": "regress"}, "leave --task regress out"),
    ],
)
def test_wrong_questions(table: Path, asked: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        layerwise.fit(str(table), **{"forecast": "load", "time": "date", **asked})


def test_a_window_of_another_length(table: Path) -> None:
    recipe_lines = {"reading.steps": 60, "training.steps": 5}
    found = layerwise.fit(str(table), forecast="load", horizon=HORIZON, settings=recipe_lines)
    assert found.spec.shape == (60, 2)
    assert found.inputs == ("load", "wind", "date")  # the only column of dates orders the rows

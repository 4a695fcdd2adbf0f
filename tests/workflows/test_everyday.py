"""What people do on their first day, and what they should be told."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import layerwise
from layerwise.errors import UsageError
from layerwise.model import RUN

ONCE = {"training.epochs": 1}


class Heard:
    """A narrator that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def say(self, label, *lines):
        self.said += [(label, line) for line in lines]

    def progress(self, done, words):
        self.said.append(("progress", words))

    def text(self, label):
        return " ".join(line for name, line in self.said if name == label)


def years(path, **more):
    rng = np.random.default_rng(0)
    n = 120
    columns = {"year": np.arange(1900, 1900 + n), "row": np.arange(n), "a": rng.normal(size=n)}
    columns["sales"] = 3.0 * columns["year"] + rng.normal(size=n)
    pl.DataFrame({**columns, **more}).write_csv(path)
    return path


def test_a_pair_of_arrays_is_data():
    x = np.random.default_rng(0).normal(size=(200, 5))
    model = layerwise.fit((x, np.arange(200) % 2), settings=ONCE)
    assert len(model.predict(x).answer) == 200


def test_years_are_numbers_and_row_numbers_are_not_and_both_are_told(tmp_path):
    heard = Heard()
    model = layerwise.fit(years(tmp_path / "t.csv"), target="sales", settings=ONCE, narrator=heard)
    assert model.recipe.reading["columns"]["year"] == "number"
    assert model.recipe.reading["columns"]["row"] == "left out"
    assert "row as left out: a number of its own for every row" in heard.text("Columns")


def test_what_nothing_is_learned_from_need_not_be_there_later(tmp_path):
    model = layerwise.fit(years(tmp_path / "t.csv"), target="sales", settings=ONCE)
    assert "row" not in model.inputs
    frame = pl.read_csv(tmp_path / "t.csv").drop("row", "sales")
    assert len(model.predict(frame).answer) == 120


def test_rows_without_a_target_are_counted(tmp_path):
    none = [None if i % 3 == 0 else i % 2 for i in range(120)]
    heard = Heard()
    layerwise.fit(years(tmp_path / "t.csv", flag=none), target="flag", settings=ONCE, narrator=heard)
    assert "40 rows without flag take no part" in heard.text("Split")


def test_infinite_cells_are_told(tmp_path):
    cells = ["inf" if i % 10 == 0 else str(i * 3.5) for i in range(120)]
    heard = Heard()
    layerwise.fit(years(tmp_path / "t.csv", odd=cells), target="sales", settings=ONCE, narrator=heard)
    assert "12 infinite cells of 'odd' count as missing" in heard.text("Reading")


def test_arrays_are_asked_of_a_model_of_arrays_whatever_they_were_called():
    model = layerwise.fit("digits", settings=ONCE)
    assert len(model.predict(np.zeros((2, 8, 8), np.uint8)).answer) == 2


def test_a_model_and_its_answers_are_a_line_each():
    model = layerwise.fit("iris", settings=ONCE)
    assert len(repr(model)) < 200
    assert "iris" in repr(model)
    said = repr(model.predict("iris"))
    assert said.startswith("Predictions(150 answers: ")
    assert len(said) < 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": "3s"}, "budget must be a positive number of seconds, such as 90, got '3s'"),
        ({"budget": -1}, "budget must be a positive number of seconds, such as 90, got '-1'"),
        ({"bugdet": 3}, "fit has no option 'bugdet'"),
        ({"group": "class", "target": "class"}, "cannot be group and target at once"),
    ],
)
def test_slips_in_python_get_a_message(options, words):
    with pytest.raises(UsageError, match=words):
        layerwise.fit("iris", **options)


def test_a_budget_without_labels_is_in_seconds_too():
    with pytest.raises(UsageError, match="budget must be a positive number of seconds, such as 90, got '2s'"):
        layerwise.learn("iris", budget="2s")


def test_a_run_goes_on_with_what_it_was_begun_with(tmp_path):
    out = tmp_path / "model"
    with pytest.raises(UsageError, match="nothing to resume"):
        layerwise.fit("iris", out=out, resume=True)
    stop_at_once(out)
    before = json.loads((out / RUN / "run.json").read_text())
    assert before["settings"] == {"training.epochs": 2}
    with pytest.raises(
        UsageError,
        match=r"begun with --set training.epochs=2, not with --set training.epochs=3: leave that out, or",
    ):
        layerwise.fit("iris", out=out, resume=True, settings={"training.epochs": 3})
    for other, words in [
        ({"target": "species"}, "begun without --target, not with --target 'species'"),
        ({"budget": 60.0}, "begun without --budget, not with --budget '60.0'"),
        ({"thorough": True}, "begun without --thorough, not with --thorough:"),
    ]:
        with pytest.raises(UsageError, match=words):
            layerwise.fit("iris", out=out, resume=True, **other)
    assert layerwise.fit("iris", out=out, resume=True, settings={"training.epochs": 2}).folder == out


def stop_at_once(out):
    """A run that ends when training would begin."""

    class Stops(Heard):
        def say(self, label, *lines):
            if label == "Network":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layerwise.fit("iris", out=out, settings={"training.epochs": 2}, narrator=Stops())


def test_training_that_ends_early_says_so_and_the_estimate_comes_first():
    heard = Heard()
    layerwise.fit("iris", settings={"training.epochs": 300, "training.patience": 3}, narrator=heard)
    assert "no better on validation rows for 3 epochs" in heard.text("Stopped")
    labels = [label for label, _ in heard.said]
    assert labels.index("Training") < labels.index("progress")
    assert "validation accuracy" in heard.text("progress")

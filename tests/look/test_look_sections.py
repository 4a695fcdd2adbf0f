"""The data, how training went, what it costs, how to use it, and what to doubt."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
from read_digits import NETWORK, Digits

from layerwise.data.source import LeftOut
from layerwise.findings import Bars, Code, Curves, Finding, Gallery, Rows, Section
from layerwise.kinds.image import IMAGE
from layerwise.look import (
    Comparison,
    Examples,
    OtherSplit,
    Parts,
    cost,
    data,
    doubts,
    peak_memory,
    training,
    use,
)
from layerwise.recipe import Recipe
from layerwise.tasks import Metric

NET = Metric("accuracy", 0.71, 0.66, 0.77, 126, 15)
GAP = OtherSplit(
    "nearest neighbours", Metric("accuracy", 0.65, 0.6, 0.7, 126), Metric("accuracy", 0.83, 0.8, 0.86, 126)
)


def named(section: Section, name: str) -> Finding:
    return next(f for f in section.findings if f.name == name)


def names(section: Section) -> list[str]:
    return [f.name for f in section.findings]


@pytest.fixture(scope="module")
def everything(digits: Digits) -> Examples:
    rows = np.arange(len(digits.store))
    return Examples(IMAGE, digits.store, rows, [f"digit {r}" for r in rows])


def test_the_data_are_counted_and_shown(digits: Digits, everything: Examples) -> None:
    left_out = (LeftOut("a/b\nc.png", "empty file"),)
    section = data(
        digits.task, targets=digits.targets, parts=digits.parts, examples=everything, left_out=left_out,
        notes=("Kind: image",), reading=({"size": [8, 8]}, {"size": "all are alike"}), other_split=GAP,
        groups=np.arange(len(digits.store)) // 30, group_word="writer",
    )  # fmt: skip
    assert section.heading.startswith("1,797 images; the answer is one of 10")
    bars, table = named(section, "data.counts").pictures
    assert isinstance(bars, Bars)
    assert isinstance(table, Rows)
    assert sum(value for _, value in bars.rows) == 1000
    assert [sum(int(row[k] or 0) for row in table.rows) for k in (1, 2, 3)] == [900, 100, 797]
    gallery = named(section, "data.samples").pictures[0]
    assert isinstance(gallery, Gallery)
    assert gallery.examples
    drawn = [tile.caption for tile in gallery.tiles]
    assert {drawn.count(str(i)) for i in range(10)} == {2, 3}
    assert {tile.title for tile in gallery.tiles} <= {f"digit {r}" for r in digits.parts.train}
    quarantine = named(section, "data.quarantine")
    assert quarantine.sentence == "1 of 1,798 was left out (0.06 %)."
    assert isinstance(quarantine.pictures[0], Rows)
    assert quarantine.pictures[0].rows[0] == ("a/b\\nc.png", "empty file")
    assert "0.650 on this split and of 0.830 on a random one" in named(section, "data.random_split").sentence
    assert "60 writers" in named(section, "data.groups").sentence
    assert isinstance(named(section, "data.reading").pictures[0], Rows)


def test_facts_are_listed_by_part(digits: Digits, everything: Examples) -> None:
    facts = {"rate_hz": np.repeat([8000, 16000], [1000, 797]), "name": np.array(["a"] * 1797)}
    store = type(digits.store)(digits.spec, {}, digits.store.rows, rejected={}, facts=facts)
    parts = Parts(np.arange(900), np.arange(900, 1000), np.arange(1000, 1797), "by rate")
    section = doubts(
        digits.task,
        targets=digits.targets,
        parts=parts,
        comparison=Comparison(NET, {}),
        things="images",
        facts=store.facts,
    )
    shift = named(section, "doubts.shift.rate_hz")
    assert "the middle one has 16,000, that of the training examples 8,000" in shift.sentence


@pytest.mark.parametrize("seed", [0, 1])
def test_the_draw_is_fair_and_repeatable(digits: Digits, everything: Examples, seed: int) -> None:
    one, other = (
        data(digits.task, targets=digits.targets, parts=digits.parts, examples=everything, seed=seed)
        for _ in range(2)
    )
    assert one == other


HISTORY = {
    "epochs": {
        "phase": ["train"] * 4,
        "step": [10, 20, 30, 40],
        "epoch": [1.0, 2.0, 3.0, 4.0],
        "loss": [2.1, 0.9, 0.5, 0.4],
        "seconds": [1.0, 2.0, 3.0, 4.0],
        "validation loss": [2.0, 0.8, 0.6, 0.7],
        "validation accuracy": [0.3, 0.7, 0.8, 0.79],
    },
    "curve": {
        "phase": ["train"] * 4,
        "step": [10, 20, 30, 40],
        "loss": [2.1, 0.9, 0.5, 0.4],
        "rate": [1, 1, 1, 0],
    },
}


def test_training_is_drawn_from_its_history() -> None:
    recipe = Recipe("image", "classify", {}, NETWORK, why={"training.rate": "highest stable rate"})
    section = training(
        HISTORY, recipe, seconds=4.2, steps=40, peak_bytes=5 * 10**8, recovered=["the loss became nan"]
    )
    assert section.heading == "Training took 4.2 s and 40 steps."
    loss = named(section, "training.loss")
    assert loss.sentence == (
        "The loss on training rows went from 2.1 to 0.4. On validation rows it was lowest, 0.6, at epoch 3 of 4;"
        " the weights of the end are kept."
    )
    chart = loss.pictures[0]
    assert isinstance(chart, Curves)
    assert set(chart.lines) == {"training", "validation"}
    assert named(section, "training.accuracy").pictures
    assert "once: the loss became nan" in named(section, "training.recovered").sentence
    table = named(section, "training.choices").pictures[0]
    assert isinstance(table, Rows)
    assert table.rows[0] == ("training.rate", "0.001", "highest stable rate")
    assert len(table.rows) == len(recipe.lines())


def test_a_run_of_one_epoch_is_drawn_by_step() -> None:
    short = {"epochs": {k: v[:1] for k, v in HISTORY["epochs"].items()}, "curve": HISTORY["curve"]}
    section = training(short, Recipe("image", "classify"), seconds=1, steps=40)
    chart = named(section, "training.loss").pictures[0]
    assert isinstance(chart, Curves)
    assert chart.x_label == "step"
    assert "training.loss" not in names(training({}, Recipe("image", "classify"), seconds=1, steps=0))


def test_phases_follow_one_another_on_one_axis() -> None:
    epochs = {"phase": ["a", "a", "b", "b"], "epoch": [1, 2, 1, 2], "loss": [4.0, 3.0, 2.0, 1.0]}
    chart = named(
        training({"epochs": epochs}, Recipe("image", "classify"), seconds=1, steps=4), "training.loss"
    ).pictures[0]
    assert isinstance(chart, Curves)
    assert list(chart.x) == [1, 2, 3, 4]


def test_cost_is_measured(digits: Digits) -> None:
    section = cost(digits.net, digits.store, digits.parts.held, model_bytes=70_000, multiply_adds=93_312)
    values = {f.name: (f.value, f.unit) for f in section.findings}
    assert values["cost.bytes"] == (0.07, "MB")
    assert values["cost.multiply_adds"] == (0.0933, "")
    one, many = values["cost.one"][0], values["cost.many"][0]
    assert one is not None
    assert many is not None
    assert 0 < many < one < 1000
    assert (peak_memory() or 10**8) > 10**7


@pytest.mark.parametrize("folder", ["clips-model", "my model", "it's $HOME"])
def test_three_lines_that_a_shell_understands(folder: str) -> None:
    code = use(folder, data="my clips/").findings[0].pictures[0]
    assert isinstance(code, Code)
    ask, python, again = (shlex.split(line) for line in code.text.splitlines())
    assert ask == ["layerwise", "predict", folder, "NEW", "--csv", "answers.csv"]
    assert python[:2] == ["python", "-c"]
    assert f"layerwise.load({folder!r}).predict('NEW')" in python[2]
    compile(python[2], "line", "exec")
    assert again == ["layerwise", "fit", "my clips/", "--recipe", f"{folder}/recipe.json"]


def test_doubts_follow_from_numbers(digits: Digits) -> None:
    ahead = Metric("accuracy", 0.02, -0.03, 0.07, 126, 15)
    unsure = Comparison(NET, {"boosting": {"accuracy": NET}}, "boosting", ahead)
    groups = np.zeros(len(digits.store), np.int64)
    groups[digits.parts.held] = 1 + np.arange(797) % 4
    targets = digits.targets.copy()
    train = np.concatenate(digits.parts[:2])
    rare = train[targets[train] == 3][:-9]
    targets[rare] = 4
    targets[digits.parts.held[targets[digits.parts.held] == 3]] = 4
    targets[digits.parts.held[:2]] = -1
    section = doubts(
        digits.task, targets=targets, parts=digits.parts, comparison=unsure, things="images", groups=groups,
        group_word="writer", left_out=40, other_split=GAP,
    )  # fmt: skip
    said = {f.name: f.sentence for f in section.findings}
    assert said["doubts.thin"].startswith("1 of 10 classes have fewer than 20")
    assert said["doubts.unseen"].startswith("2 held-out examples are of classes that training never saw")
    assert "only 4 writers" in said["doubts.groups"]
    assert "A random split would mislead" in said["doubts.random_split"]
    assert said["doubts.left_out"].startswith("2.2 %")
    assert "about 94 held-out writers instead of 15" in said["doubts.more_held"]
    assert "3 (9)" in said["doubts.more_rare"]
    assert section.heading == f"{len(section.findings)} things to keep in mind."


def test_nothing_is_doubted_without_a_reason(digits: Digits) -> None:
    groups = np.arange(len(digits.store))
    section = doubts(
        digits.task,
        targets=digits.targets,
        parts=digits.parts,
        comparison=Comparison(NET, {}),
        things="images",
        groups=groups,
    )
    assert names(section) == ["doubts.elsewhere", "doubts.one_run"]

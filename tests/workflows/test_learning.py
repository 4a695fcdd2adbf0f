"""Features from raw data without labels: learned, kept, gone on with, built upon."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine

import layerwise
from layerwise.cli import run
from layerwise.errors import DataError, Interrupted, UsageError
from layerwise.model import Features, Model
from layerwise.workflows import running

FEW = {"training.epochs": 12}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Wine without its labels, and with them."""
    folder = tmp_path_factory.mktemp("tables")
    wine = load_wine(as_frame=True)
    pl.from_pandas(wine.data).write_csv(folder / "bottles.csv")
    labelled = pl.from_pandas(wine.data).with_columns(grower=pl.Series([f"g{k}" for k in wine.target]))
    labelled.sample(60, seed=1).write_csv(folder / "labelled.csv")
    return folder


@pytest.fixture(scope="module")
def features(table):
    return layerwise.learn(table / "bottles.csv", out=table / "features", settings=FEW)


def test_a_table_without_labels(table, features):
    assert isinstance(features, Features)
    assert features.about["checks"]["dimensions"] > 2
    assert "No label was known" in features.about["verdict"]
    result = features.result()
    assert result["method"] == "masked"
    assert result["task"] is None
    assert result["split"]["counts"]["test"] == 36
    page = (table / "features" / "report.html").read_text()
    assert "--from" in page
    assert "linear probe" not in page.split("Doubts", 1)[0]
    again = layerwise.load(table / "features")
    np.testing.assert_array_equal(
        again.transform(table / "bottles.csv").values, features.transform(table / "bottles.csv").values
    )


def test_no_column_is_taken_for_a_target(features):
    assert "proline" in features.inputs  # the last column
    assert len(features.inputs) == 13


def test_labels_judge_and_are_not_learned_from(table):
    named = layerwise.learn(table / "labelled.csv", target="grower", settings=FEW)
    unnamed = layerwise.learn(table / "labelled.csv", inputs=list(named.inputs), settings=FEW)
    assert "grower" not in named.inputs
    assert set(named.about["checks"]["probes"]) >= {"the features learned", "the raw input"}
    for name, value in named.net.state_dict().items():
        np.testing.assert_array_equal(value, unnamed.net.state_dict()[name])


def test_a_budget_holds_for_the_new_head_too_and_the_run_can_be_repeated(table, features):
    """A tenth of it; the recipe has how many steps that were, and with them and the pace ends at the same weights."""
    ask = {"start": table / "features", "target": "grower"}
    timed = layerwise.fit(table / "labelled.csv", budget=1.5, **ask)
    training = timed.recipe.training
    assert timed.about["steps"] == [training.head, training.steps]
    assert 0 < training.head < training.steps
    lines = ("head", "steps", "pace")
    told = {f"training.{line}": getattr(training, line) for line in lines}
    again = layerwise.fit(table / "labelled.csv", settings=told, **ask)
    for (name, one), other in zip(
        timed.net.state_dict().items(), again.net.state_dict().values(), strict=True
    ):
        assert one.equal(other), name
    for settings, steps in (({}, 200), ({"training.head": 7}, 7)):
        few = {"training.epochs": 1, **settings}
        assert layerwise.fit(table / "labelled.csv", settings=few, **ask).about["steps"][0] == steps


@pytest.mark.parametrize("frozen", [True, False])
def test_a_model_on_top_of_features(table, features, frozen):
    model = layerwise.fit(
        table / "labelled.csv", start=table / "features", target="grower",
        settings={"training.frozen": frozen, "training.epochs": 5}, out=table / f"model-{frozen}",
    )  # fmt: skip
    assert isinstance(model, Model)
    assert model.reader is not features.reader
    assert model.reader.state()[0] == features.reader.state()[0]
    same = [
        np.array_equal(value, features.net.get_submodule("dense1").state_dict()[name])
        for name, value in model.net.get_submodule("dense1").state_dict().items()
    ]
    assert all(same) is frozen
    page = (table / f"model-{frozen}" / "report.html").read_text()
    assert f"--from {table / 'features'}" in page
    assert "were learned from some of the held-out rows too" in page
    answers = layerwise.load(table / f"model-{frozen}").predict(table / "labelled.csv").answer
    assert set(answers) <= {"g0", "g1", "g2"}


def test_what_the_features_gained_can_be_seen(table, features):
    """The same network from first weights is a rival, and learns all its levels."""
    model = layerwise.fit(
        table / "labelled.csv", start=table / "features", target="grower", thorough=True,
        settings={"training.frozen": True, "training.epochs": 3},
    )  # fmt: skip
    anew = next(r for r in model.about["rivals"] if r["name"] == "the same network from first weights")
    assert anew["metrics"]["accuracy"]["n"] == model.about["metrics"]["accuracy"]["n"]
    assert anew["metrics"] != model.about["metrics"]
    learned = dict(model.net.named_parameters())["dense1.linear.weight"].detach().numpy()
    np.testing.assert_array_equal(learned, features.net.state_dict()["dense1.linear.weight"])


def test_what_does_not_fit_together(table, features, tmp_path):
    other = tmp_path / "other.csv"
    pl.DataFrame({"a": range(40), "y": ["p", "q"] * 20}).write_csv(other)
    with pytest.raises(DataError, match="alcohol"):
        layerwise.fit(other, start=table / "features")
    with pytest.raises(UsageError, match="--like and --from"):
        layerwise.fit(table / "labelled.csv", start=table / "features", like="mlp2006")
    with pytest.raises(UsageError, match="cannot be set"):
        layerwise.fit(table / "labelled.csv", start=table / "features", settings={"reading.bins": 4})
    with pytest.raises(UsageError, match="have no method 'veiws'"):
        layerwise.learn(table / "bottles.csv", method="veiws")
    with pytest.raises(UsageError, match="learns without labels"):
        layerwise.fit(table / "labelled.csv", recipe_file=table / "features" / "recipe.json")
    with pytest.raises(UsageError, match="no level 'conv9'"):
        features.transform(table / "bottles.csv", level="conv9")


def test_stopped_and_gone_on_with(table, features, tmp_path, monkeypatch):
    """A run that is interrupted halfway ends with the same weights, decoder and all."""
    real = running.train

    def halfway(*args, **more):
        steps = iter(range(10**9))
        yield from real(*args, **{**more, "stop": lambda: next(steps) >= 4})

    monkeypatch.setattr(running, "train", halfway)
    with pytest.raises(Interrupted, match=r"layerwise learn .* --resume"):
        layerwise.learn(table / "bottles.csv", out=tmp_path / "f", settings=FEW)
    monkeypatch.setattr(running, "train", real)
    whole = layerwise.learn(table / "bottles.csv", out=tmp_path / "f", resume=True)
    for name, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, features.net.state_dict()[name])


def test_the_recipe_repeats_it(table, features):
    again = layerwise.learn(table / "bottles.csv", recipe_file=table / "features" / "recipe.json")
    for name, value in again.net.state_dict().items():
        np.testing.assert_array_equal(value, features.net.state_dict()[name])


def test_pictures_from_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, image in enumerate(load_digits().images[:60]):
        Image.fromarray(image.astype(np.uint8) * 15).save(photos / f"{i:02}.png")
    assert run(["learn", "photos", "--set", "training.epochs=2", "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == "photos-features"
    assert told["method"] == "views"
    assert run(["predict", "photos-features", "photos", "--csv", "f.csv", "--quiet"]) == 0
    codes = pl.read_csv("f.csv")
    assert codes.shape == (60, 1 + told["features"])
    assert codes["path"][0].endswith("00.png")
    assert run(["report", "photos-features"]) == 0
    assert (
        run(["learn", "photos", "--method", "masked", "--out", "m", "--set", "training.epochs=1", "--quiet"])
        == 0
    )
    assert layerwise.load("m").recipe.training.method == "masked"


def test_the_loss_on_validation_rows_is_kept(features):
    losses = features.history["epochs"]["validation loss"]
    assert losses[-1] < losses[0]


def test_a_stack_of_machines_gives_the_levels_of_a_network(digits_folder):
    """What the net says equals what the machines say of pixels from 0 to 1; samples and reconstructions are shown."""
    features = layerwise.learn(digits_folder, method="dbn", settings={"training.epochs": 4})
    names = [section["name"] for section in features.findings]
    assert "made" in names
    assert [name for name, _ in features.net.stages()] == ["scale", "level1", "level2"]
    codes = features.transform(digits_folder).values
    assert ((codes > 0) & (codes < 1)).all()
    assert codes.std(0).max() > 0.01
    with pytest.raises(UsageError, match="so many epochs"):
        layerwise.learn(digits_folder, method="dbn", settings={"training.steps": 4})


@pytest.fixture
def digits_folder(tmp_path):
    for i, image in enumerate(load_digits().images[:80]):
        Image.fromarray(image.astype(np.uint8) * 15).save(tmp_path / f"{i:02}.png")
    return tmp_path

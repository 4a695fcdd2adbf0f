"""One question, one answer: files, arrays and the estimator agree, whatever the batches."""

import csv
import io

import numpy as np
import polars as pl
import pytest
import soundfile
from PIL import Image

import layerwise
from layerwise.cli import run

N = 48
BATCHES = (1, 7, 256)
RATE = 8000


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(folder, rng):
    x = rng.normal(size=(N, 3)).round(3)
    x[3, 1] = np.nan
    place = np.where(rng.random(N) < 0.5, "town", "sea")
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "place": place}).fill_nan(None)
    frame.write_csv(folder / "new.csv")
    train = frame.with_columns(y=pl.Series(np.where(x[:, 0] > 0, "yes", "no")))
    train.write_csv(folder / "train.csv")
    return "train.csv", ["--target", "y"], "new.csv", frame


def pictures(folder, rng):
    pixels = rng.integers(0, 256, (N, 12, 12, 3), dtype=np.uint8)
    for i, one in enumerate(pixels):
        at = folder / "train" / ("dark" if i % 2 else "light")
        at.mkdir(parents=True, exist_ok=True)
        (folder / "new").mkdir(exist_ok=True)
        Image.fromarray(one // (1 + i % 2)).save(at / f"{i}.png")
        Image.fromarray(one).save(folder / "new" / f"{i:03d}.png")
    return "train", [], "new", pixels


def sounds(folder, rng):
    clips = [(rng.normal(size=400 + 40 * (i % 5)) * 3000).astype(np.int16) for i in range(N)]
    paths = []
    for i, clip in enumerate(clips):
        at = folder / "train" / ("soft" if i % 2 else "loud")
        at.mkdir(parents=True, exist_ok=True)
        (folder / "new").mkdir(exist_ok=True)
        soundfile.write(at / f"{i}.wav", clip // (1 + 8 * (i % 2)), RATE)
        soundfile.write(folder / "new" / f"{i:03d}.wav", clip, RATE)
        paths.append(str(folder / "new" / f"{i:03d}.wav"))
    return "train", [], "new", paths


def texts(folder, rng):
    words = np.array(["the", "sea", "is", "grey", "and", "cold", "red", "hen", "sits", "on", "warm", "straw"])
    lines = [" ".join(rng.choice(words, size=int(rng.integers(4, 12)))) for _ in range(N)]
    pl.DataFrame({"text": lines, "y": ["hen" if "hen" in t else "none" for t in lines]}).write_csv(
        folder / "t.csv"
    )
    pl.DataFrame({"text": lines}).write_csv(folder / "new.csv")
    return (
        "t.csv",
        ["--target", "y", "--kind", "text", "--input", "text"],
        "new.csv",
        {"text": np.array(lines)},
    )


@pytest.mark.parametrize("make", [table, pictures, sounds, texts])
def test_files_arrays_and_batches_agree(make, elsewhere, capsys):
    """`predict` on files, `model.predict` on the same as files and in memory, each by other batches."""
    train, arguments, files, memory = make(elsewhere, np.random.default_rng(0))
    code = run(["fit", train, *arguments, "--out", "model", "--set", "training.epochs=1", "--quiet"])
    assert code == 0, capsys.readouterr().err
    model = layerwise.load("model")
    held = named(model, memory)
    on_files, in_memory = model.predict(files), model.predict(held)
    np.testing.assert_array_equal(on_files.decoded, in_memory.decoded, strict=True)
    np.testing.assert_array_equal(on_files.confidence, in_memory.confidence, strict=True)
    assert on_files.answer == in_memory.answer
    assert np.isfinite(on_files.decoded).all()
    for batch in BATCHES:
        np.testing.assert_allclose(
            model.predict(held, batch=batch).decoded, on_files.decoded, atol=1e-5, rtol=0
        )
    assert run(["predict", "model", files, "--csv", "-", "--quiet"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [r["answer"] for r in rows] == on_files.answer
    assert [r["path"] for r in rows] == list(on_files.ids)
    np.testing.assert_array_equal([float(r["confidence"]) for r in rows], on_files.confidence.round(6))


def test_pictures_that_a_table_names_are_those_of_the_folder(elsewhere, capsys):
    """A model of a folder reads the one column of pictures, whatever it is called; a table without is refused."""
    train, _, new, _ = pictures(elsewhere, np.random.default_rng(0))
    assert run(["fit", train, "--out", "model", "--set", "training.epochs=1", "--quiet"]) == 0
    names = [f"{new}/{i:03d}.png" for i in range(N)]
    pl.DataFrame({"weight": range(N), "photo": names}).write_csv("listed.csv")
    model = layerwise.load("model")
    np.testing.assert_array_equal(model.predict("listed.csv").decoded, model.predict(new).decoded)
    pl.DataFrame({"weight": range(N), "height": range(N)}).write_csv("none.csv")
    assert run(["predict", "model", "none.csv"]) == 3
    message = " ".join(capsys.readouterr().err.split())
    assert "The model reads images from: file; found: weight, height" in message


def named(model, memory):
    """What is in memory under the name that the model's input has."""
    if isinstance(memory, np.ndarray):
        return {model.inputs[0]: memory}
    return memory


@pytest.mark.parametrize("make", [table, pictures])
def test_the_estimator_is_its_model(make, elsewhere):
    """`predict_proba` equals its model's `predict`, and the same after the model went through a folder."""
    _, _, _, x = make(elsewhere, np.random.default_rng(1))
    y = np.arange(N) % 2
    clf = layerwise.DeepClassifier(epochs=1).fit(x, y)
    proba = clf.predict_proba(x)
    held = x if make is table else {clf.model_.inputs[0]: x}
    np.testing.assert_array_equal(proba, clf.model_.predict(held).decoded, strict=True)
    clf.model_.save("saved")
    loaded = layerwise.load("saved").predict(held)
    np.testing.assert_array_equal(proba, loaded.decoded, strict=True)
    assert loaded.answer == clf.predict(x).tolist()
    np.testing.assert_allclose(
        np.concatenate([clf.predict_proba(x[i : i + 5]) for i in range(0, N, 5)]), proba, atol=1e-5
    )

"""Segments of a table and of pictures: found, told, assigned to new rows; none where there are none."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

import layerwise
from layerwise.cli import run
from layerwise.errors import UsageError
from layerwise.figures import number
from layerwise.model import Features, Model

N = 400


@pytest.fixture(scope="module")
def customers(tmp_path_factory):
    """Two kinds of customers, and which each row is."""
    folder = tmp_path_factory.mktemp("customers")
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 2, N)
    pl.DataFrame(
        {
            "spend": np.exp(rng.normal(4 + 2.5 * kind, 0.5)).round(2),
            "visits": rng.poisson(3 + 12 * kind),
            "channel": np.where(rng.random(N) < 0.1 + 0.8 * kind, "app", "shop"),
            "noise": rng.normal(size=N).round(3),
        }
    ).write_csv(folder / "customers.csv")
    pl.DataFrame({name: rng.normal(size=N).round(3) for name in "abc"}).write_csv(folder / "flat.csv")
    return folder, kind


@pytest.fixture(scope="module")
def segments(customers):
    folder, _ = customers
    return layerwise.learn(folder / "customers.csv", segments="auto", out=folder / "segments")


def test_segments_are_found_and_assigned(customers, segments):
    folder, kind = customers
    assert isinstance(segments, Model)
    assert segments.about["segments"]["number"] == 2
    assert sum(segments.about["segments"]["sizes"]) == N
    answers = layerwise.load(folder / "segments").predict(folder / "customers.csv").answer
    assert set(answers) == {"segment 1", "segment 2"}
    assert adjusted_rand_score(kind, answers) > 0.95
    assert segments.result()["segments"]["number"] == 2


def test_segments_are_described_in_the_words_of_the_columns(customers, segments):
    folder, _ = customers
    page = (folder / "segments" / "report.html").read_text()
    assert "visits" in page
    assert "k-means on raw values" in page
    headings = [part["heading"] for s in segments.findings if s["name"] == "segments" for part in s["parts"]]
    assert len(headings) == 2
    assert all("spend" in heading or "visits" in heading for heading in headings)
    assert not any("noise" in heading for heading in headings)


def test_none_where_there_are_none(customers):
    folder, _ = customers
    found = layerwise.learn(folder / "flat.csv", segments="auto", settings={"training.epochs": 1})
    assert isinstance(found, Features)
    assert found.about["segments"]["number"] is None
    assert any(s["name"] == "segments" and "no segments" in s["heading"] for s in found.findings)


def test_as_many_as_asked_from_the_command(customers, tmp_path, monkeypatch, capsys):
    folder, _ = customers
    monkeypatch.chdir(tmp_path)
    told = ["learn", str(folder / "flat.csv"), "--segments", "3", "--out", "three", "--quiet"]
    assert run(told) == 0
    assert run(["predict", "three", str(folder / "flat.csv"), "--csv", "s.csv", "--quiet"]) == 0
    assert set(pl.read_csv("s.csv")["answer"]) == {"segment 1", "segment 2", "segment 3"}
    assert "segments, as asked for, found" in (tmp_path / "three" / "report.html").read_text()


def test_segments_of_codes(tmp_path):
    """Pictures of two kinds part in the levels that were learned."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 160)
    stripes = np.indices((12, 12))
    bright = np.where(stripes[kind] % 4 < 2, 220, 20)
    pictures = np.clip(bright + rng.normal(0, 15, (160, 12, 12)), 0, 255).astype(np.uint8)
    model = layerwise.learn(pictures, kind="image", segments="2", settings={"training.epochs": 3})
    assert isinstance(model, Model)
    assert adjusted_rand_score(kind, model.predict(pictures).answer) > 0.9
    model.save(tmp_path / "m")
    again = layerwise.load(tmp_path / "m").predict(pictures)
    assert again.answer == model.predict(pictures).answer


@pytest.mark.parametrize("segments", ["many", "1", "0", "-2", "2.5"])
def test_a_number_that_is_none(customers, segments):
    folder, _ = customers
    with pytest.raises(UsageError, match="--segments takes auto, or a number from 2"):
        layerwise.learn(folder / "flat.csv", segments=segments)


def test_labels_are_told_by_segment_and_do_not_make_them(customers, segments, tmp_path):
    folder, kind = customers
    table = pl.read_csv(folder / "customers.csv")
    churned = np.where(np.random.default_rng(0).random(N) < 0.1 + 0.6 * kind, "yes", "no")
    table.with_columns(churned=pl.Series(churned)).write_csv(tmp_path / "told.csv")
    found = layerwise.learn(tmp_path / "told.csv", segments="auto", target="churned")
    assert found.about["segments"] == segments.about["segments"]
    [section] = [s for s in found.findings if s["name"] == "segments"]
    [told] = [f for f in section["findings"] if f["name"] == "segments.labels"]
    assert told["sentence"].startswith("churned is yes in ")
    high, low = (row[1] for row in told["pictures"][0]["rows"])
    assert high > 0.5 > 0.3 > low


def test_rows_that_are_all_copies_of_two_are_two_segments_without_warnings(tmp_path, capsys):
    (tmp_path / "copies.csv").write_text("a,b\n" + "1,2\n3,4\n" * 100)
    assert run(["learn", str(tmp_path / "copies.csv"), "--segments", "2", "--out", str(tmp_path / "o")]) == 0
    told = capsys.readouterr()
    assert "Warning" not in told.err + told.out
    assert layerwise.load(tmp_path / "o").about["segments"]["sizes"] == [100, 100]


def test_rows_unlike_all_that_were_learned_from_are_told(customers, segments, tmp_path, capsys):
    """Far beyond the training values, or empty; a number a little beyond and a channel never seen are not."""
    folder, _ = customers
    model = layerwise.load(folder / "segments")
    assert model.predict(folder / "customers.csv").unlike == ()
    most = pl.read_csv(folder / "customers.csv")["spend"].max()
    rows = [
        (most * 1.1, 4, "app", 0.0),
        (1e9, 4, "app", 0.0),
        (1e9, 1e6, "app", 0.0),
        (None, None, None, None),
        (50.0, 4, "new", -0.5),
    ]
    table = pl.DataFrame(rows, schema=["spend", "visits", "channel", "noise"], orient="row", strict=False)
    table.write_csv(tmp_path / "new.csv")
    far, both, empty = model.predict(tmp_path / "new.csv").unlike
    assert far.path == "row 2"
    assert far.reason.startswith("spend is 1,000,000,000, ")
    assert far.reason.endswith(f" to {number(most)} in training")
    assert both.path == "row 3"
    assert both.reason == f"{far.reason}, and 1 column more"
    assert empty == ("row 4", "all its cells are empty or unknown")
    asked = ["predict", str(folder / "segments"), str(tmp_path / "new.csv")]
    assert run([*asked, "--csv", str(tmp_path / "a.csv")]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "row 4: all its cells are empty or unknown" in told
    assert "5 answers (segment " in told
    assert run([*asked, "--json"]) == 0
    assert [one["path"] for one in json.loads(capsys.readouterr().out)["unlike"]] == [
        "row 2",
        "row 3",
        "row 4",
    ]

"""Wrong use: what was found, what was expected, what to do; the promised exit code; never a traceback."""

import os

import numpy as np
import polars as pl
import pytest

from layerwise.cli import run

N = 60
USAGE, DATA, MODEL, MACHINE = 2, 3, 4, 6


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of tables, folders and one model, each wrong in one way or good."""
    folder = tmp_path_factory.mktemp("wrong")
    before = os.getcwd()
    os.chdir(folder)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, N))
    y = np.where(a > 0, "yes", "no")
    tables = {
        "good": {"age": a, "income": b, "default": y},
        "one": {"age": a, "income": b, "default": ["yes"] * N},
        "ten": {"age": a[:10], "income": b[:10], "default": y[:10]},
        "blank": {"age": [None] * N, "income": [None] * N, "default": y},
        "unanswered": {"age": a, "income": b, "default": [None] * N},
        "words": {"age": ["young", "old"] * (N // 2), "income": ["low"] * N, "default": y},
        "other": {"height": a, "weight": b, "default": y},
        "lacking": {"age": a, "default": y},
        "grouped": {"age": a, "income": b, "city": ["Ulm"] * N, "default": y},
        "load": {"date": [f"2020-01-{d + 1:02d} {h:02d}:00" for d in range(5) for h in range(12)], "kw": a},
    }
    for name, columns in tables.items():
        pl.DataFrame(columns).write_csv(f"{name}.csv")
    nested = [{"x": 1.0, "y": 2} for _ in range(N)]
    pl.DataFrame({"deep": nested, "default": y}).write_parquet("nested.parquet")
    (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
    (folder / "void.csv").write_text("")
    (folder / "header.csv").write_text("age,income,default\n")
    (folder / "recipe.txt").write_text("{")
    (folder / "list.json").write_text("[]")
    (folder / "file").write_text("a file")
    for name in ("nothing", "hidden", "table.csv"):
        (folder / name).mkdir()
    (folder / "hidden" / ".secret.png").write_bytes(b"x")
    train = ["--target", "default", "--set", "training.epochs=1", "--quiet", "--no-examples"]
    assert run(["fit", "good.csv", *train, "--out", "model"]) == 0
    yield folder
    os.chdir(before)


GOOD = ["good.csv", "--target", "default"]
FORECAST = ["load.csv", "--forecast", "kw"]

FIT = [
    # the target
    (["good.csv", "--target", "defualt"], DATA, ["no column 'defualt' in good.csv", "did you mean 'default'?"]),
    (["one.csv", "--target", "default"], DATA, ["all 60 rows", "'yes'", "--target"]),
    (["unanswered.csv", "--target", "default"], DATA, ["missing", "--target"]),
    (["good.csv", "--target", "age,income"], DATA, ["0 and 1", "--target"]),
    ([*GOOD, "--input", "default"], USAGE, ["default cannot be input and target"]),
    # rows and cells
    (["ten.csv", "--target", "default"], DATA, ["10 rows", "at least 20", "add more"]),
    (["blank.csv", "--target", "default"], DATA, ["no column to learn from", "--input"]),
    (["words.csv", "--target", "age", "--task", "regress"], DATA, ["'young'", "expected a number", "--task"]),
    (["void.csv"], DATA, ["'void.csv' is empty", "header line"]),
    (["header.csv"], DATA, ["no rows"]),
    (["nested.parquet", "--target", "default"], DATA, ["no column to learn default from"]),
    (["broken.parquet", "--target", "default"], DATA, ["Parquet", "save it again"]),
    # folders
    (["nothing"], DATA, ["'nothing' holds no file", "class folders"]),
    (["hidden"], DATA, ["'hidden' holds no file", "class folders"]),
    (["table.csv"], DATA, ["'table.csv' holds no file", "class folders"]),
    (["god.csv"], DATA, ["did you mean 'good.csv'?"]),
    # columns that are not there
    ([*GOOD, "--input", "age,incme"], DATA, ["no column 'incme'", "did you mean 'income'?"]),
    ([*GOOD, "--group", "city"], DATA, ["no column 'city'", "age, income"]),
    ([*GOOD, "--split", "part"], DATA, ["no column 'part'"]),
    ([*GOOD, "--time", "date"], DATA, ["no column 'date'"]),
    (["grouped.csv", "--target", "default", "--group", "city"], DATA, ["the same 'city'", "--group none"]),
    ([*GOOD, "--test", "other.csv"], DATA, ["no column 'age' in other.csv", "height, weight"]),
    ([*GOOD, "--test", "nothing"], DATA, ["'nothing' holds no file"]),
    # kinds and tasks
    ([*GOOD, "--kind", "image"], DATA, ["one column", "age, income", "--input"]),
    ([*GOOD, "--kind", "sound"], DATA, ["one column", "age, income", "--input"]),
    ([*GOOD, "--kind", "series"], DATA, ["one column", "age, income", "--input"]),
    ([*GOOD, "--kind", "tabel"], USAGE, ["did you mean 'table'?"]),
    ([*GOOD, "--task", "regres"], USAGE, ["did you mean 'regress'?"]),
    ([*GOOD, "--task", "forecast"], USAGE, ["--forecast COLUMN"]),
    # forecasts
    (FORECAST, USAGE, ["--horizon STEPS"]),
    ([*FORECAST, "--horizon", "900"], DATA, ["too few", "--horizon"]),
    (["load.csv", "--forecast", "kv", "--horizon", "2"], DATA, ["no column 'kv'", "Its columns: date, kw"]),
    (["load.csv", "--horizon", "2"], USAGE, ["--forecast COLUMN"]),
    (["load.csv", "--forecast", "date,kw", "--horizon", "2"], USAGE, ["one column"]),
    # the recipe
    ([*GOOD, "--set", "training.rat=1"], USAGE, ["did you mean 'training.rate'?"]),
    ([*GOOD, "--set", "reading.bin=1"], USAGE, ["did you mean 'bins'?"]),
    ([*GOOD, "--set", "training.rate=-1"], USAGE, ["training.rate must be a positive number, got '-1'"]),
    ([*GOOD, "--set", "training.batch=1.5"], USAGE, ["training.batch must be a whole number from 1"]),
    ([*GOOD, "--set", "training.batch=many"], USAGE, ["training.batch", "'many'"]),
    ([*GOOD, "--set", "training.optimiser=adm"], USAGE, ["did you mean 'adamw'?"]),
    ([*GOOD, "--recipe", "recipe.txt"], USAGE, ["no JSON", "layerwise recipe DATA"]),
    ([*GOOD, "--recipe", "list.json"], USAGE, ["no recipe", "'network'"]),
    ([*GOOD, "--recipe", "nothing"], USAGE, ["no recipe 'nothing'", "layerwise recipe DATA"]),
    (["digits", "--recipe", "model/recipe.json"], DATA, ["kind 'table'", "images", "--recipe"]),
    ([*GOOD, "--like", "lenet5"], DATA, ["lenet5 is for images", "mlp2006"]),
    ([*GOOD, "--like", "lenet5", "--recipe", "model/recipe.json"], USAGE, ["give one of them"]),
    # the command line
    ([*GOOD, "--targt", "default"], USAGE, ["no option '--targt'; did you mean '--target'?", "--help"]),
    ([*GOOD, "--seed", "-1"], USAGE, ["--seed", "-1"]),
    ([*GOOD, "--workers", "two"], USAGE, ["--workers", "two"]),
    ([*GOOD, "other.csv"], USAGE, ["other.csv", "--help"]),
    ([*GOOD, "--resume"], USAGE, ["nothing to resume", "leave --resume out"]),
    ([*GOOD, "--out", "file"], USAGE, ["'file' is a file", "name a folder"]),
    ([*GOOD, "--out", "model"], USAGE, ["'model' exists", "--overwrite"]),
    ([*GOOD, "--out", ".", "--overwrite"], USAGE, ["holds files and no model", "--out"]),
    ([*GOOD, "--out", "file/model"], MACHINE, ["file/model"]),
]  # fmt: skip

ASK = [
    (["predict", "model", "other.csv"], DATA, ["no column 'age'", "age, income", "height, weight"]),
    (["predict", "model", "lacking.csv"], DATA, ["no column 'income'", "age, default"]),
    (["predict", "model", "words.csv"], DATA, ["'age' holds text such as 'young'", "expected numbers"]),
    (["predict", "model", "digits"], DATA, ["no column 'age'", "image"]),
    (["predict", "model", "nothing"], DATA, ["'nothing' holds no file"]),
    (["predict", "model", "header.csv"], DATA, ["no rows"]),
    (["predict", "model", "gone.csv"], DATA, ["no file or folder 'gone.csv'"]),
    (["predict", "modl", "good.csv"], MODEL, ["no model folder 'modl'"]),
    (["predict", "file", "good.csv"], MODEL, ["no model folder 'file'"]),
    (["predict", "nothing", "good.csv"], MODEL, ["'nothing' holds no model", "layerwise fit"]),
    (["predict", "model", "good.csv", "--csv", "nothing"], USAGE, ["--csv 'nothing' is a folder", "name a file"]),
    (["predict", "model", "good.csv", "--csv", "no/a.csv"], USAGE, ["no folder 'no'", "make it first"]),
    (["predict", "model", "good.csv", "--top", "0"], USAGE, ["--top"]),
    (["predict", "model"], USAGE, ["DATA"]),
    (["report", "nothing"], MODEL, ["'nothing' holds no model"]),
    (["report", "good.csv"], MODEL, ["no model folder 'good.csv'"]),
    (["recipe", "--like", "lenet"], USAGE, ["did you mean 'lenet5'?"]),
    (["doctor", "--measur"], USAGE, ["did you mean '--measure'?"]),
    (["repport", "model"], USAGE, ["did you mean 'report'?"]),
]  # fmt: skip


def words_of(value):
    return " ".join(value) if isinstance(value, list) else str(value)


def refused(capsys, arguments, code, words):
    got = run(arguments)
    out, err = capsys.readouterr()
    said = err.strip().splitlines()
    assert got == code, err
    assert said[-1].startswith("layerwise: ")
    assert len(said) == 1, err
    assert "Traceback" not in err
    assert out == ""
    assert all(word in err for word in words), err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    FIT,
    ids=lambda v: " ".join(map(str, v)) if v and isinstance(v, list) else "",
)
def test_fit_refuses(place, capsys, arguments, code, words):
    there = {p.name for p in place.iterdir()}
    refused(capsys, ["fit", *arguments, "--quiet"], code, words)
    assert {p.name for p in place.iterdir()} == there


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    ASK,
    ids=lambda v: " ".join(map(str, v)) if v and isinstance(v, list) else "",
)
def test_others_refuse(place, capsys, arguments, code, words):
    refused(capsys, arguments, code, words)


def test_a_mistake_can_be_put_right_at_once(place, capsys):
    """What was refused leaves nothing behind that stands in the way of the same command put right."""
    out = ["--out", "again", "--quiet", "--set", "training.epochs=1"]
    assert run(["fit", "good.csv", "--target", "defualt", *out]) == DATA
    assert run(["fit", *GOOD, *out, "--set", "training.rat=1"]) == USAGE
    assert run(["fit", *GOOD, *out]) == 0
    capsys.readouterr()


def test_a_refusal_leaves_the_earlier_model(place, capsys):
    before = {p.name: p.read_bytes() for p in (place / "model").iterdir() if p.is_file()}
    assert run(["fit", "one.csv", "--target", "default", "--out", "model", "--overwrite", "--quiet"]) == DATA
    capsys.readouterr()
    assert {p.name: p.read_bytes() for p in (place / "model").iterdir() if p.is_file()} == before

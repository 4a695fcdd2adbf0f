"""The command: promised names, exit codes, messages with a remedy, never a traceback."""

import json

import pytest

from layerwise.cli import run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(capsys, *arguments):
    code = run([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


PROMISED = [
    "--out",
    "--overwrite",
    "--kind",
    "--task",
    "--target",
    "--input",
    "--name",
    "--group",
    "--test",
    "--split",
    "--time",
    "--forecast",
    "--horizon",
    "--budget",
    "--seed",
    "--workers",
    "--resume",
    "--recipe",
    "--like",
    "--set",
    "--thorough",
    "--no-examples",
    "--quiet",
    "--json",
]


def test_promised_options_and_commands(capsys):
    _, out, _ = call(capsys, "fit", "--help")
    assert all(option in out for option in PROMISED)
    _, out, _ = call(capsys, "--help")
    assert all(command in out for command in ("fit", "predict", "report", "recipe", "demo", "doctor"))
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["fitt", "x"], 2, "did you mean 'fit'"),
        (["fit"], 2, "DATA"),
        (["fit", "digits", "--targt", "y"], 2, "--target"),
        (["fit", "digits", "--budget", "soon"], 2, "90s, 5m or 2h"),
        (["fit", "digits", "--budget", "-5m"], 2, "90s, 5m or 2h"),
        (["fit", "digits", "--set", "rate"], 2, "NAME=VALUE"),
        (["fit", "digits", "--horizon", "3"], 2, "--forecast"),
        (["fit", "digits", "--like", "lenet6"], 2, "did you mean 'lenet5'"),
        (["fit", "digits", "--set", "training.epoch=3"], 2, "did you mean 'training.epochs'"),
        (["fit", "digits", "--set", "training.epochs=many"], 2, "training.epochs"),
        (["fit", "digits", "--kind", "imag"], 2, "did you mean 'image'"),
        (["fit", "digits", "--task", "classfy"], 2, "did you mean 'classify'"),
        (["fit", "digits", "--recipe", "none.json"], 2, "no recipe"),
        (["fit", "digts"], 3, "did you mean 'digits'"),
        (["fit", "wine", "--target", "clas"], 3, "no column 'clas' in wine"),
        (["predict", "no-model", "digits"], 4, "no model folder"),
        (["report", "no-model"], 4, "no model folder"),
        (["recipe"], 2, "DATA"),
    ],
)
def test_wrong_use(capsys, arguments, code, words):
    got, _, err = call(capsys, *arguments)
    assert (got, words in err) == (code, True), err
    assert err.strip().splitlines()[-1].startswith("layerwise: ")


def test_fit_predict_report(capsys, elsewhere):
    code, out, err = call(capsys, "fit", "wine", "--set", "training.epochs=3", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert {"model", "task", "metrics", "split", "quarantined", "rivals", "levels", "seconds"} <= set(result)
    assert set(result["metrics"]["accuracy"]) >= {"value", "low", "high", "n"}
    assert result["model"] == "wine-model"
    assert "Reading" in err
    assert max(map(len, err.splitlines())) <= 80
    code, _, err = call(capsys, "fit", "wine", "--set", "training.epochs=3")
    assert code == 2
    assert "--overwrite" in err
    code, _, _ = call(capsys, "predict", "wine-model", "wine", "--csv", "a.csv")
    assert code == 0
    lines = (elsewhere / "a.csv").read_text().splitlines()
    assert lines[0].startswith("path,answer,confidence")
    assert len(lines) == 179
    code, out, _ = call(capsys, "predict", "wine-model", "wine", "--json")
    assert [p["answer"] for p in json.loads(out)["predictions"]] == [line.split(",")[1] for line in lines[1:]]
    (elsewhere / "wine-model" / "report.html").unlink()
    code, out, _ = call(capsys, "report", "wine-model")
    assert code == 0
    assert (elsewhere / out.strip()).exists()


def test_quiet_says_nothing(capsys):
    code, out, err = call(capsys, "fit", "wine", "--set", "training.epochs=1", "--quiet")
    assert (code, out, err) == (0, "", "")


def test_recipe_repeats_itself(capsys, elsewhere):
    code, out, _ = call(capsys, "recipe", "wine")
    assert code == 0
    (elsewhere / "recipe.json").write_text(out)
    assert call(capsys, "recipe", "wine", "--recipe", "recipe.json")[1] == out


@pytest.mark.parametrize("name", ["lenet5", "mlp2006", "alexnet-small", "resnet-small", "lstm"])
def test_named_recipes_are_printed_without_data(capsys, name):
    code, out, err = call(capsys, "recipe", "--like", name)
    assert code == 0, err
    assert json.loads(out)["network"]


def test_doctor(capsys):
    code, out, _ = call(capsys, "doctor")
    assert code == 0
    assert "torch" in out


def test_formulas_become_text(capsys, elsewhere):
    rows = [f"{a},{b}" for i in range(60) for a, b in [(i, "=1+1" if i % 2 else "@SUM(A1)")]]
    (elsewhere / "t.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    assert call(capsys, "fit", "t.csv", "--target", "y", "--set", "training.epochs=1", "--quiet")[0] == 0
    assert call(capsys, "predict", "t-model", "t.csv", "--csv", "a.csv")[0] == 0
    answers = {line.split(",")[1] for line in (elsewhere / "a.csv").read_text().splitlines()[1:]}
    assert answers <= {"'=1+1", "'@SUM(A1)"}

"""Each kind of data end to end on real sets: one command each, default recipe, five minutes of training.

python -m benchmarks.kinds            all of them
python -m benchmarks.kinds mnist orl  some
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import sets
from benchmarks.record import recorded

Result = Mapping[str, Any]
D = sets.DATA


@dataclass(frozen=True)
class Row:
    """A set, the command's arguments, and the bar: a sentence and whether a result is over it."""

    arguments: Callable[[Path], Sequence[str]]
    bar: str
    holds: Callable[[Result], bool]
    beside: Callable[[Path], Sequence[str]] | None = None  # a second run to be ahead of


def at_least(metric: str, value: float) -> tuple[str, Callable[[Result], bool]]:
    return f"{metric} >= {value}", lambda r: r["metrics"][metric]["value"] >= value


def ahead(metric: str, of: Sequence[str], less: float = 0.0) -> tuple[str, Callable[[Result], bool]]:
    """Ahead of every rival whose name has one of these words (of all, where there are none)."""

    def holds(result: Result) -> bool:
        rivals = [r for r in result["rivals"] if not of or any(word in r["name"] for word in of)]
        lower = metric in ("mae", "mse", "log_loss")
        own = result["metrics"][metric]["value"]
        return bool(rivals) and all(
            (own < r["metrics"][metric]["value"]) if lower else (own > r["metrics"][metric]["value"] - less)
            for r in rivals
        )

    named = " and ".join(of) if of else "all rivals"
    return f"{metric} ahead of {named}" + (f" less {less}" if less else ""), holds


def given(*arguments: str) -> Callable[[Path], Sequence[str]]:
    return lambda folder: arguments


ROWS: dict[str, Row] = {
    "mnist": Row(given(str(D / "mnist")), *at_least("accuracy", 0.989)),
    "orl": Row(
        given(
            str(D / "orl_faces.zip"), "--name", "{take}", "--target", "class", "--split", "take=6,7,8,9,10"
        ),
        *at_least("accuracy", 0.95),
    ),
    "cifar10": Row(given(str(D / "cifar10.tar.xz")), *at_least("accuracy", 0.70)),
    "digits-spoken": Row(
        given(
            str(D / "fsdd.zip"),
            "--name",
            "{digit}_{speaker}_{take}",
            "--target",
            "digit",
            "--split",
            "take=0,1,2,3,4",
        ),
        *at_least("accuracy", 0.96),
    ),
    "arabic": Row(given(str(D / "arabic_commands.zip")), *ahead("accuracy", ())),
    "imdb": Row(
        given(
            str(D / "imdb" / "train.tsv.xz"),
            "--target",
            "label",
            "--input",
            "text",
            "--test",
            str(D / "imdb" / "test.tsv.xz"),
        ),
        *at_least("accuracy", 0.88),
    ),
    "adult": Row(
        given(
            str(D / "tables" / "adult_train.csv.gz"),
            "--target",
            "income",
            "--test",
            str(D / "tables" / "adult_test.csv.gz"),
        ),
        *at_least("roc_auc", 0.915),
    ),
    "ecg": Row(given(str(D / "ecg.npz")), *ahead("f1_macro", ("neighbours",))),
    "etth1": Row(
        given(str(D / "series" / "ETTh1.csv.xz"), "--forecast", "OT", "--horizon", "96", "--time", "date"),
        *ahead("mse", ("season",)),
    ),
    "gunpoint": Row(lambda f: (str(ts(f, "GunPoint")),), *ahead("accuracy", ("neighbours",), less=0.02)),
    "japanese-vowels": Row(
        lambda f: (str(ts(f, "JapaneseVowels")),), *ahead("accuracy", ("neighbours",), less=0.02)
    ),
    "mixed": Row(
        lambda f: (str(sets.mixed_table(f)), "--target", "answer"),
        "accuracy ahead of the same without the picture and the text",
        lambda r: r["metrics"]["accuracy"]["value"] > r["beside"]["metrics"]["accuracy"]["value"],
        beside=lambda f: (str(f / "mixed.csv"), "--target", "answer", "--input", "amount,age"),
    ),
    "tags": Row(lambda f: (str(sets.digit_tags(f)), "--target", "tags"), *at_least("f1_macro", 0.95)),
    "whales": Row(
        lambda f: (str(sets.right_whales(f)), "--target", "whale", "--group", "recording"),
        "roc_auc with an interval by recording, beside the sampling rate alone and the random split",
        lambda r: (
            r["split"]["kind"] == "groups"
            and r["metrics"]["roc_auc"]["groups"] > 1
            and any("rate" in rival["name"] for rival in r["rivals"])
            and "random_split" in r
        ),
    ),
}


def ts(folder: Path, name: str) -> Path:
    """A UCR/UEA set unpacked into a folder of its own."""
    import zipfile

    with zipfile.ZipFile(D / "series" / "ucr_uea_ts.zip") as archive:
        members = [m for m in archive.namelist() if f"{name}_T" in m]
        archive.extractall(folder, members)
    return (folder / members[0]).parent


def fit(arguments: Sequence[str], out: Path, budget: str) -> Result:
    """Run the command as a user would; its JSON."""
    command = [
        sys.executable,
        "-m",
        "layerwise",
        "fit",
        *arguments,
        "--out",
        str(out),
        "--budget",
        budget,
        "--json",
    ]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(run.stdout))


def run(name: str, budget: str = "5m") -> bool:
    """One row; keeps its result and says whether the bar is met."""
    row = ROWS[name]
    with tempfile.TemporaryDirectory() as folder:
        arguments = row.arguments(Path(folder))
        said = " ".join(arguments).replace(str(D), "$LAYERWISE_DATA").replace(folder, ".")
        with recorded(
            f"kind-{name}", command=f"layerwise fit {said} --budget {budget}", bar=row.bar, seed=0
        ) as figures:
            result = dict(fit(arguments, Path(folder) / "model", budget))
            if row.beside:
                result["beside"] = fit(row.beside(Path(folder)), Path(folder) / "beside", budget)
            figures |= {k: v for k, v in result.items() if k not in ("quarantined", "model")}
            figures["quarantined"] = len(result["quarantined"])
            figures["holds"] = row.holds(result)
    best = {k: round(v["value"], 4) for k, v in result["metrics"].items() if v["value"] is not None}
    sys.stdout.write(f"{'ok  ' if figures['holds'] else 'MISS'} {name}: {row.bar}: {best}\n")
    return bool(figures["holds"])


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(ROWS)
    results = [run(name) for name in wanted]
    sys.exit(0 if all(results) else 5)

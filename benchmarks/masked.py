"""Codes learned without labels by masked reconstruction, under a linear probe with few labels.

    python -m benchmarks.masked [adult | sms | imdb | spoken | mnist | ecg | vowels ...] [--draws N] [--validate]

A kind's own network and recipe for masked reconstruction learn from all training examples without their
labels. Then 100 and 1,000 labels are drawn, and the same linear learner is given the codes, the codes of the
same network before it learned, and the features of the kind's own linear rival, which may look at all
training examples too. Differences are paired over draws; accuracy is the mean over classes of the share that
is right. The test set is scored once per draw.

Choices were made with --validate, which learns from a part of the training examples, scores others of them,
and keeps nothing. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from sklearn.metrics import recall_score

from benchmarks import sets
from benchmarks.kinds import ts
from benchmarks.record import recorded
from layerwise.data import Packed, Store
from layerwise.kinds.base import ONLY, Rival
from layerwise.kinds.lesson import as_matrix, draw
from layerwise.kinds.rivals import challenge
from layerwise.nn import Pipeline, build
from layerwise.randomness import Randomness
from layerwise.train import Batches, Masked, Phase, train
from layerwise.workflows.narrate import Silent
from layerwise.workflows.prepare import Asked, Prepared, prepare

D = sets.DATA
LABELS = (100, 1000)
MOST_LABELLED = 5_000  # training examples that labels are drawn from
MOST_SCORED = 5_000
KEPT = Path(tempfile.gettempdir()) / "layerwise-masked"  # checkpoints of rows that are not done yet


@dataclass(frozen=True)
class Row:
    data: Callable[[Path], Any]
    asked: Asked
    labels: tuple[int, ...] = LABELS


ROWS: Mapping[str, Row] = {
    "adult": Row(
        lambda _: str(D / "tables" / "adult_train.csv.gz"),
        Asked(target=("income",), test=str(D / "tables" / "adult_test.csv.gz")),
    ),
    "sms": Row(lambda _: str(D / "sms_spam.tsv.xz"), Asked(target=("label",), inputs=("text",))),
    "imdb": Row(
        lambda _: str(D / "imdb" / "train.tsv.xz"),
        Asked(target=("label",), inputs=("text",), test=str(D / "imdb" / "test.tsv.xz")),
    ),
    "spoken": Row(
        lambda _: str(D / "fsdd.zip"),
        Asked(target=("digit",), name_template="{digit}_{speaker}_{take}", split="take=0,1,2,3,4"),
    ),
    "mnist": Row(lambda _: str(D / "mnist"), Asked()),
    "ecg": Row(lambda _: str(D / "ecg.npz"), Asked()),
    "vowels": Row(lambda folder: str(ts(folder, "JapaneseVowels")), Asked(), labels=(50, 100)),
}


def learned(prepared: Prepared, rows: np.ndarray, name: str) -> tuple[Pipeline, Pipeline]:
    """The kind's network for masked reconstruction, before and after it learned from those rows."""
    blueprint = prepared.kind.methods["masked"](prepared.spec, len(rows))
    first, net = (build(blueprint.network, prepared.spec, None, rng=Randomness(0)) for _ in range(2))

    def data(size: int, rng: Randomness) -> Batches:
        return Packed(prepared.store, rows, size=size, rng=rng)

    phase = Phase.of(blueprint.training, Masked(prepared.spec))
    KEPT.mkdir(exist_ok=True)
    for _ in train(net, (phase,), data, seed=0, checkpoint=KEPT / f"{name}.{len(rows)}.safetensors"):
        pass
    return first, net


@torch.no_grad()
def codes(net: Pipeline, store: Store, rows: np.ndarray) -> np.ndarray:
    """(len(rows), K)."""
    net.eval()
    batches = Packed(store, rows, size=250)
    made = [net(batches.at(step).inputs) for step in range(batches.steps_per_epoch)]
    return torch.cat([code.flatten(1) for code in made if isinstance(code, torch.Tensor)]).numpy()


def simple(prepared: Prepared, seen: np.ndarray, rows: np.ndarray) -> Any:
    """The features of the kind's linear rival, which has looked at the examples `seen`."""
    rivals = prepared.kind.rivals(prepared.spec, prepared.task)
    features = next(rival.features for rival in rivals if rival.learner == "linear")
    assert features is not None
    store, facts = prepared.store, prepared.store.facts
    see = features(store.take(seen), {k: v[seen] for k, v in facts.items()}, prepared.spec)
    return as_matrix(see(store.take(rows), {k: v[rows] for k, v in facts.items()}))


def scored(prepared: Prepared, x: Any, y: np.ndarray, given: np.ndarray, asked: np.ndarray) -> float:
    """Accuracy at the rows `asked` of (x, y) of a linear learner that is given the rows `given`."""
    probe = Rival("probe", "linear", lambda *_: lambda values, _: x[values[ONLY]])
    answers = challenge(
        probe, prepared.task, {ONLY: given}, {}, y[given], {ONLY: asked}, {}, spec=prepared.spec, seed=0
    )
    return float(recall_score(y[asked], answers.argmax(1), average="macro", zero_division=0))


def run(name: str, draws: int, validate: bool) -> dict[str, Any]:
    """Accuracy by number of labels and features, and the gains of what was learned, with 95 % intervals."""
    row = ROWS[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        place.mkdir()
        prepared = prepare(row.data(Path(folder)), row.asked, run=place, reading={}, narrator=Silent())
        pool, test = prepared.train, prepared.validation
        if not validate:
            pool, test = np.sort(np.concatenate([pool, test])), prepared.test
        before, after = learned(prepared, pool, name)
        labelled, test = pool[draw(len(pool), MOST_LABELLED, 0)], test[draw(len(test), MOST_SCORED, 0)]
        rows = np.concatenate([labelled, test])
        y = np.asarray(prepared.targets)[rows]
        features = {
            "learned": codes(after, prepared.store, rows),
            "untrained": codes(before, prepared.store, rows),
            "simple": simple(prepared, labelled, rows),
        }
        asked = np.arange(len(labelled), len(rows))
        found: dict[str, Any] = {"n": len(test)}
        for labels in row.labels:
            given = [
                Randomness(seed).at("labels", labels).numpy("draw").permutation(len(labelled))[:labels]
                for seed in range(draws)
            ]
            scores = {
                what: np.array([scored(prepared, x, y, some, asked) for some in given])
                for what, x in features.items()
            }
            found |= {f"{what}_{labels}": each.mean() for what, each in scores.items()}
            for what in ("untrained", "simple"):
                found[f"gain_over_{what}_{labels}"] = interval(scores["learned"] - scores[what])
    return found


def interval(gains: np.ndarray) -> dict[str, float]:
    """The mean gain and its 95 % interval over draws."""
    half = float(student.ppf(0.975, len(gains) - 1)) * gains.std(ddof=1) / len(gains) ** 0.5
    return {"value": gains.mean(), "low": gains.mean() - half, "high": gains.mean() + half}


def measured(name: str, draws: int) -> bool:
    """One row; keeps its result and says whether the bar is met."""
    bar = "accuracy of a linear probe ahead of the untrained network's, interval above 0, at each number of labels"
    with recorded(f"masked_{name}", bar=bar, seed=f"draws 0 to {draws - 1}") as figures:
        figures |= run(name, draws, validate=False)
        gains = [v for k, v in figures.items() if k.startswith("gain_over_untrained")]
        figures["holds"] = all(gain["low"] > 0 for gain in gains)
    forget(name)
    sys.stdout.write(f"{name}: {figures}\n")
    return bool(figures["holds"])


def validated(name: str, draws: int) -> None:
    """The same figures on validation examples."""
    sys.stdout.write(f"{name}: {run(name, draws, validate=True)}\n")
    forget(name)


def forget(name: str) -> None:
    """Remove the checkpoints of that name, so that the next run begins anew."""
    for path in KEPT.glob(f"{name}.*"):
        path.unlink()


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    asked.add_argument("--draws", type=int, default=20)
    asked.add_argument("--validate", action="store_true")
    options = asked.parse_args()
    met = []
    for name in options.rows:
        if options.validate:
            validated(name, options.draws)
        else:
            met.append(measured(name, options.draws))
    return 0 if all(met) else 5


if __name__ == "__main__":
    sys.exit(main())

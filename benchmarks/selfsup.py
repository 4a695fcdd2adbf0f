"""Few labels on what was learned without any: CIFAR-10 with 1,000 labels, and ESC-10.

    python -m benchmarks.selfsup [cifar10 | esc10 ...] [--seeds N] [--draws N] [--validate]

One linear classifier, its penalty chosen by cross-validation on the labelled examples, reads the answer off
features of four kinds: of a network that nobody trained; of patches, by whitening and k-means (Coates, Ng and
Lee 2011); of pixels or mel bands, whitened; and of the same network after it has learned without labels, by
two views. Beside them stands the network trained on the labels alone. CIFAR-10: all 50,000 training pictures
without labels, 1,000 of them, 100 a class, with; draws of labels are scored on the official test. ESC-10: four
of the official folds without labels and with, the fifth is scored, in turn. The interval is that of the mean
difference, paired over draws or folds, each averaged over seeds.

Choices were made with --validate, which keeps nothing: on CIFAR-10 it learns from 45,000 training pictures and
scores the other 5,000; on ESC-10 it learns from three of the first four folds and scores the fourth, so the
fifth fold alone was never looked at. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from torch import nn

from benchmarks.record import recorded
from benchmarks.sets import cifar10, esc10
from layerwise import device
from layerwise.data import Packed, Store
from layerwise.kinds import IMAGE, SOUND, Kind
from layerwise.kinds.base import ONLY, Blueprint, Describe
from layerwise.kinds.image.rivals import patches as patches_of_pictures
from layerwise.kinds.patches import whitening
from layerwise.kinds.sound.rivals import patches as patches_of_sounds
from layerwise.look.features import features, standardised
from layerwise.look.probe import fit_plane
from layerwise.nn import Convolution, GlobalPool, Pipeline, build
from layerwise.randomness import Randomness
from layerwise.recipe import Training
from layerwise.spec import Spec
from layerwise.tasks import Classify
from layerwise.train import Data, Epoch, Phase, Supervised, train
from layerwise.train.views import TwoViews, projector
from layerwise.values import Padded, Value

KEPT = Path(tempfile.gettempdir()) / "layerwise-selfsup"  # checkpoints of rows that are not done yet
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # on features whose squares sum to about 1
FOLDS = 5  # of labelled examples, to choose the penalty
BARS = ("random", "patches")  # what two views are to be ahead of


@dataclass(frozen=True)
class Draw:
    """Labelled rows, and the rows that are answered for."""

    labelled: np.ndarray
    held: np.ndarray


@dataclass(frozen=True)
class Part:
    """Rows that are learned from without labels, and what is then asked."""

    name: str
    seen: np.ndarray
    draws: tuple[Draw, ...]


@dataclass(frozen=True)
class Problem:
    """A set of examples with labels, how it is parted, and how networks learn on it."""

    name: str
    kind: Kind
    patches: Describe
    store: Store
    labels: np.ndarray
    parts: tuple[Part, ...]
    unlabelled: Blueprint
    labelled: Training

    def net(self, seed: int, outputs: int | None = None) -> Pipeline:
        """The network before it has learned, with a head where it is to give so many outputs."""
        return build(self.unlabelled.network, self.store.spec, outputs, rng=Randomness(seed))

    def batches(self, rows: np.ndarray, where: torch.device) -> Data:
        return lambda size, rng: Packed(
            self.store, rows, targets=self.labels, size=size, rng=rng, device=where
        )


# Features


def untrained(problem: Problem, part: Part, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    return seen_by(problem.net(seed), problem)


def by_views(problem: Problem, part: Part, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    net, training, spec = problem.net(seed), problem.unlabelled.training, problem.store.spec
    alter = problem.kind.alter(spec, training.alter)
    assert alter is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        objective = TwoViews(projector(net.spec(spec)), alter)
    follow(net, Phase.of(training, objective), problem, part.seen, f"views.{part.name}.{seed}", seed)
    return seen_by(net, problem)


def by_patches(problem: Problem, part: Part, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    see = problem.patches(problem.store.take(part.seen), {}, problem.store.spec)
    return lambda rows: np.concatenate([see(problem.store.take(some), {}) for some in blocks(rows)])


def by_whitening(problem: Problem, part: Part, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    linear = next(r for r in problem.kind.rivals(problem.store.spec, task(problem)) if r.learner == "linear")
    assert linear.features is not None
    see = linear.features(problem.store.take(part.seen), {}, problem.store.spec)
    some = Randomness(seed).numpy("rows that are whitened").permutation(part.seen)[:10_000]
    whiten = whitening(see(problem.store.take(some), {}))
    return lambda rows: whiten(see(problem.store.take(rows), {}))


FEATURES: Mapping[str, Callable[[Problem, Part, int], Callable[[np.ndarray], np.ndarray]]] = {
    "random": untrained,
    "whitened": by_whitening,
    "patches": by_patches,
    "views": by_views,
}


def seen_by(net: Pipeline, problem: Problem) -> Callable[[np.ndarray], np.ndarray]:
    """What the convolutions of the net make of rows, side by side (n, F)."""
    specs, spec = {}, problem.store.spec
    for name, stage in net.stages():
        specs[name] = spec = Pipeline(stage=stage).spec(spec)
    read = {name for name, stage in net.stages() if isinstance(stage, Convolution)}

    @torch.inference_mode()
    def see(rows: np.ndarray) -> np.ndarray:
        net.eval()
        parts = []
        for some in blocks(rows):
            levels = net.levels(Packed(problem.store, some, size=len(some)).at(0).inputs)
            found = [pooled(v, specs[name]) for name, v in levels if name in read]
            parts.append(np.concatenate(found, axis=1))
        return np.concatenate(parts)

    return see


def pooled(level: Value, spec: Spec) -> np.ndarray:
    """(n, F): maps of pictures averaged over quadrants; of sounds the mean and the largest over time and pitch."""
    if isinstance(level, Padded):
        return np.asarray(GlobalPool.from_spec(spec, how="both")(level))
    return features(level, spec, most=4 * (spec.length("channel") or spec.features))


def blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return iter(np.array_split(rows, max(1, -(-len(rows) // 200))))


def follow(net: nn.Module, phase: Phase, problem: Problem, rows: np.ndarray, name: str, seed: int) -> None:
    """Train on rows; go on from the checkpoint of that name where there is one."""
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"{problem.name}.{name}.{len(rows)}.safetensors"
    for part in (net, phase.objective):
        where = device.place(part, precision=phase.precision)
    for event in train(net, (phase,), problem.batches(rows, where), seed=seed, checkpoint=path):
        if isinstance(event, Epoch):
            sys.stdout.write(f"{name}: epoch {event.epoch:g}, loss {event.loss:.4g}, {event.seconds:.0f} s\n")
            sys.stdout.flush()
    device.bring_back(net)


# Answers


def read_off(x: np.ndarray, y: np.ndarray, held: np.ndarray, *, seed: int) -> np.ndarray:
    """(M,) the classes that a linear classifier, learned from `x` (N, F) and `y` (N,), gives `held` (M, F)."""
    x, held = standardised(x, held)
    # what is orthogonal to all rows gets no weight, so the rows' own coordinates give the same classifier
    left, sizes, right = np.linalg.svd(x / x.shape[1] ** 0.5, full_matrices=False)
    there = sizes > 1e-5 * sizes[0]
    x, held = (left * sizes)[:, there], held / held.shape[1] ** 0.5 @ right[there].T
    goals, right_ones = np.eye(int(y.max()) + 1)[y], np.zeros(len(PENALTIES))
    fold = Randomness(seed).numpy("folds").permutation(len(y)) % FOLDS
    for f in range(FOLDS):
        rest, plane = fold != f, None
        for i, penalty in enumerate(PENALTIES):
            plane = fit_plane(x[rest], goals[rest], "classes", penalty, start=plane)
            right_ones[i] += (plane(x[~rest]).argmax(axis=1) == y[~rest]).sum()
    best = PENALTIES[int(right_ones.argmax())]
    return np.asarray(fit_plane(x, goals, "classes", best)(held).argmax(axis=1))


def supervised(problem: Problem, part: Part, draw: Draw, number: int, seed: int) -> np.ndarray:
    """(M,) the answers of the network that was trained on the labelled rows alone."""
    net = problem.net(seed, len(np.unique(problem.labels)))
    objective = Supervised(task(problem), problem.kind.alter(problem.store.spec, problem.labelled.alter))
    name = f"labels.{part.name}.{seed}.{number}"
    follow(net, Phase.of(problem.labelled, objective), problem, draw.labelled, name, seed)
    net.eval()
    with torch.inference_mode():
        batches = [Packed(problem.store, some, size=len(some)).at(0) for some in blocks(draw.held)]
        return torch.cat([net(batch.inputs) for batch in batches]).argmax(1).numpy()


def task(problem: Problem) -> Classify:
    return Classify.fit([str(label) for label in problem.labels])


def accuracies(problem: Problem, seed: int) -> dict[str, np.ndarray]:
    """The accuracy of each method, a draw each."""
    found: dict[str, list[float]] = {name: [] for name in (*FEATURES, "supervised")}

    def note(name: str, draw: Draw, answers: np.ndarray) -> None:
        found[name].append(float((answers == problem.labels[draw.held]).mean()))
        sys.stdout.write(f"{problem.name}, seed {seed}: {name} {found[name][-1]:.4f}\n")
        sys.stdout.flush()

    for part in problem.parts:
        rows = np.unique(np.concatenate([r for d in part.draws for r in (d.labelled, d.held)]))
        for name, method in FEATURES.items():
            made = method(problem, part, seed)(rows)
            for draw in part.draws:
                x, held = (made[np.searchsorted(rows, r)] for r in (draw.labelled, draw.held))
                note(name, draw, read_off(x, problem.labels[draw.labelled], held, seed=seed))
        for number, draw in enumerate(part.draws):
            note("supervised", draw, supervised(problem, part, draw, number, seed))
    return {name: np.array(each) for name, each in found.items()}


# The two problems


def pictures(draws: int, *, validate: bool) -> Problem:
    x, y = (np.concatenate(both) for both in zip(cifar10("train"), cifar10("test"), strict=True))
    order = Randomness(0).numpy("pictures that validate").permutation(50_000)
    seen, held = (
        (np.sort(order[5_000:]), order[:5_000])
        if validate
        else (np.arange(50_000), np.arange(50_000, 60_000))
    )
    centre, spread = (tuple(map(float, f(x[seen], axis=(0, 2, 3)))) for f in (np.mean, np.std))
    spec = Spec(("channel", "height", "width"), (3, 32, 32), "uint8", centre=centre, spread=spread)

    def drawn(number: int) -> Draw:
        draw = Randomness(number).numpy("labelled pictures")
        some = [draw.choice(seen[y[seen] == c], 100, replace=False) for c in range(10)]
        return Draw(np.sort(np.concatenate(some)), held)

    part = Part("all", seen, tuple(drawn(number) for number in range(draws)))
    store = Store(spec, {ONLY: x}, np.arange(len(x)), rejected={}, facts={})
    patches = partial(patches_of_pictures, centroids=1_600)
    labelled = {"epochs": 40, "batch": 128, "alter": {"shift": 4, "flip": True}}
    return posed("cifar10", IMAGE, patches, store, y, (part,), epochs=22, labelled=labelled)


def clips(_draws: int, *, validate: bool) -> Problem:
    samples, labels, folds = esc10()
    ends = np.cumsum([0, *map(len, samples)])
    spec = Spec(("time",), (None,), "int16", rate_hz=22_050.0, longest=int(np.diff(ends).max()))
    store = Store(
        spec, {ONLY: (np.concatenate(samples), ends)}, np.arange(len(ends) - 1), rejected={}, facts={}
    )
    used = range(1, 5) if validate else range(1, 6)

    def part(fold: int) -> Part:
        seen = np.flatnonzero(np.isin(folds, used) & (folds != fold))
        return Part(f"fold{fold}", seen, (Draw(seen, np.flatnonzero(folds == fold)),))

    labelled = {"epochs": 40, "batch": 32, "alter": {"shift_seconds": 0.5, "gain_db": 6.0}}
    parts = tuple(map(part, used))
    return posed("esc10", SOUND, patches_of_sounds, store, labels, parts, epochs=40, labelled=labelled)


def posed(
    name: str, kind: Kind, patches: Describe, store: Store, labels: np.ndarray, parts: tuple[Part, ...], *,
    epochs: float, labelled: Mapping[str, Any],
) -> Problem:  # fmt: skip
    """The problem with the kind's own recipe of two views, so many passes long."""
    precision = "bfloat16" if kind is IMAGE and device.machine().bfloat16 else "float32"
    recipe = kind.methods["views"](store.spec, len(parts[0].seen))
    recipe = recipe._replace(training=replace(recipe.training, epochs=epochs, precision=precision))
    training = Training(rate=2e-3, decay=0.05, average=0.998, precision=precision, **labelled)
    return Problem(name, kind, patches, store, labels, parts, recipe, training)


PROBLEMS = {"cifar10": pictures, "esc10": clips}


# The table


def ahead(views: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """The mean difference (seeds, draws) with its 95 % interval over draws, each averaged over seeds."""
    each = (views - other).mean(axis=0)
    half = float(student.ppf(0.975, len(each) - 1)) * each.std(ddof=1) / len(each) ** 0.5
    return {"value": each.mean(), "low": each.mean() - half, "high": each.mean() + half}


def measured(problem: Problem, seeds: int) -> dict[str, Any]:
    """The accuracies of all methods, and how far two views are ahead."""
    found = [accuracies(problem, seed) for seed in range(seeds)]
    all_ = {name: np.stack([one[name] for one in found]) for name in found[0]}
    ahead_of = {f"ahead of {name}": ahead(all_["views"], all_[name]) for name in all_ if name != "views"}
    return {
        "accuracy": {name: float(each.mean()) for name, each in all_.items()},
        **ahead_of,
        "each": {name: each.tolist() for name, each in all_.items()},
        "holds": all(ahead_of[f"ahead of {name}"]["low"] > 0 for name in BARS),
    }


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("rows", nargs="*", default=[*PROBLEMS], choices=[*PROBLEMS])
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--draws", type=int, default=10, help="of 1,000 labelled pictures")
    asked.add_argument("--validate", action="store_true")
    options = asked.parse_args()
    met = True
    for name in options.rows:
        problem = PROBLEMS[name](options.draws, validate=options.validate)
        if options.validate:
            sys.stdout.write(f"{name}: {measured(problem, options.seeds)}\n")
            continue
        bar = f"two views ahead of {' and '.join(BARS)}: paired interval of the accuracy above 0"
        n = len(np.unique(np.concatenate([d.held for p in problem.parts for d in p.draws])))
        with recorded(f"selfsup_{name}", bar=bar, seed=f"0 to {options.seeds - 1}", n=n) as figures:
            figures |= measured(problem, options.seeds)
        sys.stdout.write(f"{name}: {figures}\n")
        met = met and bool(figures["holds"])
        for path in KEPT.glob(f"{name}.*"):
            path.unlink()
    return 0 if met else 5


if __name__ == "__main__":
    sys.exit(main())

"""What each level learned: how much of the answer can be read off it, and what excites its units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from layerwise.figures import count, number
from layerwise.findings import Finding, Gallery, Section, Tile
from layerwise.data import Store
from layerwise.kinds.base import Kind, Values
from layerwise.look.examples import Examples, Where, positions
from layerwise.look.features import features, standardised
from layerwise.look.labels import labels_of
from layerwise.look.probe import fit_probe
from layerwise.look.units import Peaks, chosen, joined, most_excited, peaks, seen
from layerwise.look.walk import Place, walk
from layerwise.look.words import NAMES, capital
from layerwise.nn import Pipeline, Stage
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.tasks.base import Metric, Task
from layerwise.tasks.intervals import measure
from layerwise.tasks.metrics import paired
from layerwise.values import Padded, Value, collate, move

__all__ = ["levels"]

MOST_ROWS = 4000  # training rows that a probe is fitted on, and held-out rows that it is judged on
MOST_EXAMPLES = 6  # for a unit
INPUT = "input"


class Seen(NamedTuple):
    """What one level showed for some rows."""

    features: np.ndarray
    peaks: Peaks | None


class Probe(NamedTuple):
    """What a probe on a level answers for the held-out rows, and how good that is."""

    decoded: np.ndarray
    score: Metric


def levels(
    net: Pipeline,
    spec: Spec,
    *,
    kind: Kind,
    task: Task,
    store: Store,
    probe_rows: np.ndarray,
    probe_targets: np.ndarray,
    held_rows: np.ndarray,
    held_targets: np.ndarray,
    groups: np.ndarray | None = None,
    ids: Sequence[str] = (),
    batch: int = 256,
    seed: int = 0,
) -> Section:
    """A part for each level from raw input to answer.

    Probes are fitted on `probe_rows` of the store with encoded `probe_targets`, and judged on `held_rows`
    with `held_targets`, `groups` and `ids` in the same order. Of many rows a fair draw is looked at.
    """
    rng = Randomness(seed).at("levels")
    fit, judge = _draw(len(probe_rows), rng, "fit"), _draw(len(held_rows), rng, "judge")
    examples = Examples(kind, store, held_rows, ids)
    places = [p for p in walk(net, spec) if not _is_input(p, spec)]
    train = _look(net, places, store.take, probe_rows[fit], spec, batch, seed, with_peaks=False)
    held = _look(net, places, store.take, held_rows[judge], spec, batch, seed, with_peaks=True)
    truth, given = held_targets[judge], probe_targets[fit]
    units = task.units(len(truth), None if groups is None else groups[judge])
    probes = {
        name: _probe(task, train.pop(name).features, given, held[name].features, truth, units, seed)
        for name in list(train)
    }
    labels = labels_of(task, held_targets)
    parts = [_input(spec, probes[INPUT], examples, judge, len(fit), labels)]
    for place in places:
        if place.address not in probes:
            continue
        probe, found = probes[place.address], held[place.address].peaks
        findings = [
            _probe_finding(place.address, probe, len(fit)),
            _gain(place.address, task, probe, probes[INPUT], truth, units, seed),
            *_filters(place, examples),
        ]
        if found is not None:
            findings.append(_excited(place, found, examples, judge, labels))
        parts.append(
            Section(
                f"levels.{place.address}", f"{capital(_words(place))}.", tuple(findings), facts=_facts(place)
            )
        )
    return Section("levels", _heading(probes), parts=tuple(parts))


def _is_input(place: Place, spec: Spec) -> bool:
    """Whether a level is but the input on another scale."""
    return (
        place.gives.axes == spec.axes
        and place.gives.shape == spec.shape
        and not spec.columns
        and not any(True for _ in place.stage.parameters())
        and all(r is not None and r.size == 1 for r in place.reach.values())
    )


def _draw(n: int, rng: Randomness, purpose: str) -> np.ndarray:
    return np.sort(rng.numpy(purpose).permutation(n)[:MOST_ROWS])


def _look(
    net: Pipeline,
    places: Sequence[Place],
    take: Callable[[np.ndarray], Values],
    rows: np.ndarray,
    spec: Spec,
    batch: int,
    seed: int,
    *,
    with_peaks: bool,
) -> dict[str, Seen]:
    """Features, and peaks if asked for, of every level for these rows of the store."""
    known = {p.address: p for p in places}
    parts: dict[str, list[np.ndarray]] = {}
    tops: dict[str, list[Peaks]] = {}
    for start in range(0, len(rows), batch):
        value = collate(take(rows[start : start + batch]), spec)
        for address, level in _levels(net, value):
            if address != INPUT and address not in known:
                continue
            look = spec if address == INPUT else known[address].gives
            parts.setdefault(address, []).append(features(level, look, seed=seed))
            if with_peaks and address != INPUT and isinstance(level, Tensor | Padded):
                tops.setdefault(address, []).append(peaks(level, look, seed=seed))
    return {a: Seen(np.concatenate(x), joined(tops[a]) if a in tops else None) for a, x in parts.items()}


def _levels(net: Pipeline, value: Value) -> Iterator[tuple[str, Value]]:
    """The input and every level of it, in evaluation."""
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    training = net.training
    net.eval()
    with torch.inference_mode():
        value = move(value, device)
        found = [(INPUT, value), *net.levels(value)]
    net.train(training)
    yield from found


def _probe(
    task: Task,
    x: np.ndarray,
    y: np.ndarray,
    held: np.ndarray,
    truth: np.ndarray,
    units: np.ndarray | None,
    seed: int,
) -> Probe:
    """A linear probe fitted on (x, y) and judged on (held, truth)."""
    x, held = standardised(x, held)
    if task.name == "classify":
        decoded = fit_probe(x, np.eye(task.outputs)[y], "classes", seed=seed)(held)
    elif task.name == "tags":
        decoded = fit_probe(x, y.astype(np.float64), "tags", seed=seed)(held)
    else:
        goals = y.reshape(len(y), -1).astype(np.float64)
        centre, spread = goals.mean(axis=0), np.maximum(goals.std(axis=0), 1e-12)
        answers = fit_probe(x, (goals - centre) / spread, "numbers", seed=seed)(held)
        decoded = (answers * spread + centre).reshape(len(held), *y.shape[1:])
    name = _metric(task)
    statistic = task.statistics(decoded, truth)[name]
    return Probe(decoded, measure({name: statistic}, n=len(truth), groups=units, seed=seed)[name])


def _metric(task: Task) -> str:
    """The figure that probes are judged by: more of it is better."""
    return task.primary if task.higher else "r2"


def _probe_finding(address: str, probe: Probe, fitted: int) -> Finding:
    score = probe.score
    return Finding(
        f"levels.{address}.probe",
        f"{NAMES.get(score.name, score.name)} of a linear probe on this level.",
        score.value,
        score.low,
        score.high,
        n=score.n,
        method=f"fitted on {count(fitted)} training rows, judged on held-out rows",
        caveat=score.caveat,
    )


def _gain(
    address: str, task: Task, probe: Probe, raw: Probe, truth: np.ndarray, units: np.ndarray | None, seed: int
) -> Finding:
    value, low, high = paired(task, probe.decoded, raw.decoded, truth, units, metric=_metric(task), seed=seed)
    if low > 0:
        said = "more than from the raw input."
    elif high < 0:
        said = "less than from the raw input."
    else:
        said = "against the raw input: no difference that these examples can show."
    method = "paired difference on the same held-out rows"
    return Finding(f"levels.{address}.gain", said, value, low, high, n=len(truth), method=method)


def _input(
    spec: Spec, probe: Probe, examples: Examples, judge: np.ndarray, fitted: int, labels: Sequence[str]
) -> Section:
    """The level before all others: the examples as the network is given them."""
    tiles = [Tile(examples.show(int(i)), labels[i]) for i in judge[:MOST_EXAMPLES]]
    things = examples.kind.plural
    shown = Finding(
        f"levels.{INPUT}.units",
        "",
        pictures=(Gallery(tiles, f"Held-out {things} as the network is given them.", examples=True),),
    )
    facts = {"stage": "raw input", "shape": str(spec), "sees": "", "weights": "0", "cost": "0"}
    return Section(
        f"levels.{INPUT}", f"The raw {things}.", (_probe_finding(INPUT, probe, fitted), shown), facts=facts
    )


def _facts(place: Place) -> dict[str, str]:
    cost = place.stage.cost(place.takes) if isinstance(place.stage, Stage) else None
    return {
        "stage": type(place.stage).__name__,
        "shape": str(place.gives) if place.gives.shape else "",
        "sees": _sees(place),
        "weights": count(sum(p.numel() for p in place.stage.parameters())),
        "cost": "" if cost is None else count(cost),
    }


def _sees(place: Place) -> str:
    """How much of the input one position sees: `5 x 5`, `all`, or nothing where that means nothing."""
    reaches = [r for axis, r in place.reach.items() if axis in ("time", "height", "width")]
    if not reaches:
        return ""
    return (
        "all"
        if any(r is None for r in reaches)
        else " x ".join(count(r.size) for r in reaches if r is not None)
    )


def _words(place: Place) -> str:
    return place.stage.words() if isinstance(place.stage, Stage) else type(place.stage).__name__


def _filters(place: Place, examples: Examples) -> list[Finding]:
    """What units look for, drawn from the weights, where the stage sees the input itself."""
    gallery = examples.kind.filters(place.stage, place.takes) if place.first else None
    return [] if gallery is None else [Finding(f"levels.{place.address}.filters", "", pictures=(gallery,))]


def _excited(
    place: Place, found: Peaks, examples: Examples, judge: np.ndarray, labels: Sequence[str]
) -> Finding:
    """The units that differ most between examples, each with the examples that excite it most."""
    picked = chosen(found.values)
    galleries = []
    for unit in picked:
        tiles = []
        for i in most_excited(found.values[:, unit], MOST_EXAMPLES):
            at = int(judge[i])
            where = seen(place, found, int(i), unit, examples.lengths(at), positions(examples.store.spec))
            caption = " ".join(text for text in (labels[at], _when(where, examples.store.spec)) if text)
            tiles.append(Tile(examples.show(at, where), caption))
        galleries.append(Gallery(tiles, f"Unit {found.units[unit]}", examples=True))
    if not picked:
        said = "Its units give the same for all held-out examples."
    else:
        said = f"Its {len(picked)} units that differ most, each with the held-out {examples.kind.plural} that excite it most."
    return Finding(f"levels.{place.address}.units", said, pictures=tuple(galleries))


def _when(where: Where | None, spec: Spec) -> str:
    """`0.31 to 0.55 s`, for the parts of examples that lie in time."""
    if where is None or positions(spec) != ("time",):
        return ""
    start, end = where[0]
    if spec.rate_hz is None:
        return f"steps {start + 1} to {end}"
    return f"{start / spec.rate_hz:.2f} to {end / spec.rate_hz:.2f} s"


def _heading(probes: Mapping[str, Probe]) -> str:
    """Where most of the answer becomes readable."""
    first, *rest = probes.values()
    name = NAMES.get(first.score.name, first.score.name)
    if not rest or not isfinite(first.score.value):
        return "What each level does, from raw input to answer."
    last = rest[-1].score
    ends = f"{number(first.score.value, first.score.low, first.score.high)} at the raw input to {number(last.value, last.low, last.high)} at the last level"
    return f"The {name} of a linear probe goes from {ends}."

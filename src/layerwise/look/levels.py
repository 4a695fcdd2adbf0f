"""What each level learned: how much of the answer can be read off it, and what excites its units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from layerwise.data import Store
from layerwise.errors import shown
from layerwise.figures import count, number
from layerwise.findings import Finding, Gallery, Section, Tile
from layerwise.kinds.base import Kind
from layerwise.look.examples import Examples, Where, positions
from layerwise.look.labels import label_names, labels_of
from layerwise.look.passes import INPUT, passed
from layerwise.look.readable import Judge, Probe
from layerwise.look.units import Peaks, chosen, most_excited, seen
from layerwise.look.walk import Place, walk
from layerwise.look.words import NAMES, capital
from layerwise.nn import Level, Pipeline, describe
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["Known", "levels"]

MOST_ROWS = 4000  # training rows that a probe is fitted on, and held-out rows that it is judged on
MOST_EXAMPLES = 6  # for a unit


def levels(
    net: Pipeline,
    spec: Spec,
    *,
    kind: Kind,
    store: Store,
    held_rows: np.ndarray,
    ids: Sequence[str],
    known: Known | None = None,
    batch: int = 256,
    seed: int = 0,
) -> Section:
    """A part for each level from raw input to answer: what its units look for, and, where answers are `known`,
    how much of them can be read off it.

    Shown and judged are `held_rows` of the store, with `ids` in the same order. Of many rows a fair draw is
    looked at.
    """
    rng = Randomness(seed).at("levels")
    drawn = _draw(len(held_rows), rng, "judge")
    places = [p for p in walk(net, spec) if not _is_input(p, spec)]
    held = passed(net, places, store, held_rows[drawn], batch=batch, seed=seed)
    labels = [""] * len(drawn) if known is None else labels_of(known.task, known.held_targets[drawn])
    few = Drawn(Examples(kind, store, held_rows[drawn], [ids[i] for i in drawn]), labels)
    judge: Judge | None = None
    probes: dict[str, Probe] = {}
    if known is not None:
        fit = _draw(len(known.rows), rng, "fit")
        train = passed(net, places, store, known.rows[fit], batch=batch, seed=seed)
        judge = known.judge(fit, drawn, seed)
        probes = {address: judge.probe(x.features, held[address].features) for address, x in train.items()}
    described = {level.name: level for level in describe(net, spec)}
    parts = [_input([] if judge is None else [judge.finding(INPUT, probes[INPUT])], few)]
    for place in places:
        level, findings = described[place.address], []
        if judge is not None:
            findings.append(judge.finding(place.address, probes[place.address]))
            findings.append(judge.gain(place.address, probes[place.address], probes[INPUT]))
        names = () if known is None else _unit_names(known.task, net, place)
        findings += [*_filters(place, kind), *_excited(place, held[place.address].peaks, few, names)]
        heading = f"{capital(level.stage)}."
        parts.append(Section(f"levels.{place.address}", heading, tuple(findings), facts=_facts(level)))
    return Section("levels", _heading(probes), parts=tuple(parts))


class Known(NamedTuple):
    """The answers to some rows: encoded `targets` of `rows` of the store, `held_targets` and `groups` of those held."""

    task: Task
    rows: np.ndarray
    targets: np.ndarray
    held_targets: np.ndarray
    groups: np.ndarray | None = None

    def judge(self, fit: np.ndarray, drawn: np.ndarray, seed: int) -> Judge:
        """A judge of probes that are fitted on `rows[fit]` and tried on `held_targets[drawn]`."""
        truth = self.held_targets[drawn]
        units = self.task.units(len(truth), None if self.groups is None else self.groups[drawn])
        return Judge(self.task, self.targets[fit], truth, units, seed)


class Drawn(NamedTuple):
    """The held-out examples that are looked at, and what each is."""

    examples: Examples
    labels: Sequence[str]


def _draw(n: int, rng: Randomness, purpose: str) -> np.ndarray:
    return np.sort(rng.numpy(purpose).permutation(n)[:MOST_ROWS])


def _is_input(place: Place, spec: Spec) -> bool:
    """Whether a level is but the input on another scale."""
    return (
        place.gives.axes == spec.axes
        and place.gives.shape == spec.shape
        and not spec.columns
        and not any(True for _ in place.stage.parameters())
        and all(r is not None and r.size == 1 for r in place.reach.values())
    )


def _input(probes: list[Finding], drawn: Drawn) -> Section:
    """The level before all others: the examples as the network is given them."""
    examples, things = drawn.examples, drawn.examples.kind.plural
    spec = examples.store.spec
    tiles = [
        Tile(examples.show(i), drawn.labels[i], shown(examples.ids[i], 60)[1:-1])
        for i in range(min(MOST_EXAMPLES, len(examples)))
    ]
    gallery = Gallery(tiles, f"Held-out {things} as the network is given them.", examples=True)
    sees = " x ".join("1" for _ in positions(spec))
    facts = {"shape": str(spec), "sees": sees, "depth": "0", "weights": "0", "cost": "0"}
    look = Finding(f"levels.{INPUT}.units", "", pictures=(gallery,))
    return Section(f"levels.{INPUT}", f"The raw {things}.", (*probes, look), facts=facts)


def _facts(level: Level) -> dict[str, str]:
    def times(sizes: Sequence[int | None]) -> str:
        return " x ".join("any" if n is None else count(n) for n in sizes)

    return {
        "shape": times(level.shape),
        "sees": times(tuple(level.receptive_field.values())),
        "depth": count(level.depth),
        "weights": count(level.parameters),
        "cost": count(level.cost),
    }


def _filters(place: Place, kind: Kind) -> list[Finding]:
    """What units look for, drawn from the weights, where the stage sees the input itself."""
    gallery = kind.filters(place.stage, place.takes) if place.first else None
    return [] if gallery is None else [Finding(f"levels.{place.address}.filters", "", pictures=(gallery,))]


def _unit_names(task: Task, net: Pipeline, place: Place) -> Sequence[str]:
    """The classes or tags, for the units of the last level."""
    last = place.address == net.stages()[-1][0] and place.gives.shape == (task.outputs,)
    return label_names(task) if last and task.name in ("classify", "tags") else ()


def _excited(place: Place, found: Peaks | None, drawn: Drawn, names: Sequence[str]) -> list[Finding]:
    """The units that differ most between examples, each with the examples that excite it most."""
    if found is None:
        return []
    examples, things = drawn.examples, drawn.examples.kind.plural
    galleries = []
    for column in chosen(found.values):
        unit = int(found.units[column])
        tiles = []
        for i in most_excited(found.values[:, column], MOST_EXAMPLES):
            where = seen(
                place, found, int(i), column, examples.lengths(int(i)), positions(examples.store.spec)
            )
            caption = " ".join(t for t in (drawn.labels[i], _when(where, examples.store.spec)) if t)
            tiles.append(Tile(examples.show(int(i), where), caption))
        words = f"The answer {names[unit]}" if names else f"Unit {unit}"
        galleries.append(Gallery(tiles, words, examples=True))
    said = (
        f"Its {len(galleries)} units that differ most, each with the held-out {things} that excite it most."
    )
    if not galleries:
        said = f"Its units give the same for all held-out {things}."
    return [Finding(f"levels.{place.address}.units", said, pictures=tuple(galleries))]


def _when(where: Where | None, spec: Spec) -> str:
    """`0.31 to 0.55 s`, for the parts of examples that lie in time."""
    if where is None or positions(spec) != ("time",):
        return ""
    start, end = where[0]
    if spec.rate_hz is None:
        return f"steps {start + 1} to {end}"
    return f"{start / spec.rate_hz:.2f} to {end / spec.rate_hz:.2f} s"


def _heading(probes: Mapping[str, Probe]) -> str:
    if len(probes) < 2 or not isfinite(probes[INPUT].score.value):
        return "What each level does, from raw input to the last."
    first, *rest = probes.values()
    name = NAMES.get(first.score.name, first.score.name)
    start, end = (number(m.value, m.low, m.high) for m in (first.score, rest[-1].score))
    return f"The {name} of a linear probe goes from {start} at the raw input to {end} at the last level."

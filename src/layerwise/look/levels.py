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

__all__ = ["levels"]

MOST_ROWS = 4000  # training rows that a probe is fitted on, and held-out rows that it is judged on
MOST_EXAMPLES = 6  # for a unit


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
    ids: Sequence[str],
    groups: np.ndarray | None = None,
    batch: int = 256,
    seed: int = 0,
) -> Section:
    """A part for each level from raw input to answer.

    Probes are fitted on `probe_rows` of the store with encoded `probe_targets`, and judged on `held_rows`
    with `held_targets`, `groups` and `ids` in the same order. Of many rows a fair draw is looked at.
    """
    rng = Randomness(seed).at("levels")
    fit, drawn = _draw(len(probe_rows), rng, "fit"), _draw(len(held_rows), rng, "judge")
    places = [p for p in walk(net, spec) if not _is_input(p, spec)]
    train = passed(net, places, store, probe_rows[fit], batch=batch, seed=seed)
    held = passed(net, places, store, held_rows[drawn], batch=batch, seed=seed)
    truth = held_targets[drawn]
    units = task.units(len(truth), None if groups is None else groups[drawn])
    judge = Judge(task, probe_targets[fit], truth, units, seed)
    probes = {address: judge.probe(x.features, held[address].features) for address, x in train.items()}
    few = Drawn(
        Examples(kind, store, held_rows[drawn], [ids[i] for i in drawn]),
        labels_of(task, truth),
    )
    described = {level.name: level for level in describe(net, spec)}
    parts = [_input(judge.finding(INPUT, probes[INPUT]), few)]
    for place in places:
        probe, level = probes[place.address], described[place.address]
        findings = [
            judge.finding(place.address, probe),
            judge.gain(place.address, probe, probes[INPUT]),
            *_filters(place, kind),
            *_excited(place, held[place.address].peaks, few, _unit_names(task, net, place)),
        ]
        heading = f"{capital(level.stage)}."
        parts.append(Section(f"levels.{place.address}", heading, tuple(findings), facts=_facts(level)))
    return Section("levels", _heading(probes), parts=tuple(parts))


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


def _input(probe: Finding, drawn: Drawn) -> Section:
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
    return Section(f"levels.{INPUT}", f"The raw {things}.", (probe, look), facts=facts)


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
    first, *rest = probes.values()
    name = NAMES.get(first.score.name, first.score.name)
    if not rest or not isfinite(first.score.value):
        return "What each level does, from raw input to answer."
    start, end = (number(m.value, m.low, m.high) for m in (first.score, rest[-1].score))
    return f"The {name} of a linear probe goes from {start} at the raw input to {end} at the last level."

"""Segments of the examples, and the model that says which segment a new one is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from layerwise import look
from layerwise.errors import Interrupted, UsageError, shown
from layerwise.findings import Section
from layerwise.look import Examples
from layerwise.model import Features, Model
from layerwise.nn import Pipeline
from layerwise.recipe import Recipe, Training
from layerwise.segments import Cut, cut_codes, cut_table
from layerwise.tasks import Classify, Regress
from layerwise.tasks.common import missing
from layerwise.workflows.gather import Gathered, coded
from layerwise.workflows.lay import raw_targets
from layerwise.workflows.narrate import Narrator

__all__ = [
    "SEGMENTS",
    "Found",
    "model_of_codes",
    "model_of_table",
    "number_of",
    "of_codes",
    "of_table",
    "told",
]

AUTO, SEGMENTS = "auto", "segments"


def number_of(segments: str | int) -> int | None:
    """How many segments were asked for; None: as many as there are. Raises UsageError for anything else."""
    if segments == AUTO:
        return None
    if str(segments).isdecimal() and int(segments) >= 2:
        return int(segments)
    raise UsageError(f"--segments takes auto, or a number from 2, got {shown(segments)}")


class Found(NamedTuple):
    """Segments, and what the page says of them."""

    cut: Cut
    section: Section


def of_table(gathered: Gathered, number: int | None, *, seed: int, narrator: Narrator) -> Found:
    """Segments of all rows of a table."""
    narrator.say("Segments", f"of {len(gathered.store):,} rows, by how likely they make rows left out")
    every = np.arange(len(gathered.store))
    values, spec = gathered.store.take(every), gathered.spec
    with _unbroken():
        cut = cut_table(values, spec, number=number, seed=seed, tell=narrator.progress)
    rows = look.Table(values, spec, gathered.ids(every))
    return Found(cut, look.segment_section(cut, rows, answers=_answers(gathered), seed=seed))


def of_codes(
    features: Features, gathered: Gathered, number: int | None, *, seed: int, narrator: Narrator
) -> Found:
    """Segments of the codes of all examples."""
    things, every = gathered.kind.plural, np.arange(len(gathered.store))
    narrator.say("Segments", f"of the features of {len(every):,} {things}")
    codes = coded(features.net, gathered, every)
    with _unbroken():
        cut = cut_codes(codes, number=number, seed=seed, tell=narrator.progress)
    examples = Examples(gathered.kind, gathered.store, every, gathered.ids(every))
    return Found(cut, look.segment_section(cut, examples, answers=_answers(gathered), seed=seed))


def model_of_table(cut: Cut, net: Pipeline, gathered: Gathered, seconds: float, *, seed: int) -> Model:
    """The model of a table's segments: its columns, each bent and weighed, and the segments they add up to."""
    recipe = Recipe(
        gathered.kind.name,
        Classify.name,
        gathered.reader.choices()[0],
        cut.recipe,
        Training(method=SEGMENTS, epochs=1.0, seed=seed),
        {"network": "what each column says of each segment, and their sum"},
    )
    return Model(
        name=gathered.source.name,
        kind=gathered.kind,
        reader=gathered.reader,
        net=net,
        task=_task(cut),
        recipe=recipe,
        inputs=gathered.reader.needs(gathered.roles.inputs),
        about={"seconds": {"training": seconds}, "steps": [0], "method": SEGMENTS},
    )


def model_of_codes(cut: Cut, head: Pipeline, features: Features) -> Model:
    """The learned levels with a head that says the segment."""
    stages = dict(features.net.stages()) | dict(head.stages())
    return Model(
        name=features.name,
        kind=features.kind,
        reader=features.reader,
        net=Pipeline(**stages),
        task=_task(cut),
        recipe=replace(features.recipe, task=Classify.name, network=(*features.recipe.network, *cut.recipe)),
        inputs=features.inputs,
        about={k: v for k, v in features.about.items() if k != "features"} | {"answer": _task(cut).sentence},
        findings=features.findings,
        history=features.history,
    )


def told(cut: Cut) -> dict[str, Any]:
    """Segments as programs are told of them."""
    found, labels = cut.segments, cut.labels
    sizes = [] if labels is None else np.bincount(labels, minlength=found.number or 0).tolist()
    stability = {str(e.number): e.stability for e in found.evidence[1:]}
    return {"number": found.number, "why": found.why, "sizes": sizes, "stability": stability}


@contextmanager
def _unbroken() -> Iterator[None]:
    """Raises Interrupted after Ctrl-C: no part of a search for segments is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("stopped while segments were looked for, which begins anew") from None


def _answers(gathered: Gathered) -> dict[str, np.ndarray]:
    """The labels of stored rows that nothing learned from: numbers, or classes as text; None where unknown."""
    if gathered.labels is None:
        return {}
    found, numbers = {}, gathered.labels.task.name == Regress.name
    for name in gathered.roles.targets:
        cells = raw_targets(gathered.source, replace(gathered.roles, targets=(name,)))[gathered.store.rows]
        told = [None if missing(value) else value if numbers else str(value) for value in cells.tolist()]
        found[name] = np.array(told, np.float64 if numbers else object)
    return found


def _task(cut: Cut) -> Classify:
    """Which segment: one of `segment 1`, ... the largest first."""
    labels, k = cut.labels, cut.probabilities.shape[1]
    assert labels is not None
    names = tuple(f"segment {i + 1}" for i in range(k))
    return Classify(names, tuple(np.bincount(labels, minlength=k).tolist()))

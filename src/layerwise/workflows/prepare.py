"""Raw data to packed numbers: open, assign roles, choose kind and task, split, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.data import Source, open_source
from layerwise.errors import DataError, UsageError, listed, shown
from layerwise.kinds.base import Reader
from layerwise.model import Product
from layerwise.recipe import Recipe
from layerwise.tasks import Task
from layerwise.workflows.lay import Asked, Laid, lay
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.stored import Stored, every, make_reader, pack

__all__ = ["Asked", "Prepared", "assemble", "prepare"]


@dataclass(frozen=True)
class Prepared(Stored):
    """Data ready to train on; `targets` (M, ...) are in the store's order."""

    task: Task
    task_why: str
    asks: tuple[str, ...]  # columns that new data must have
    targets: np.ndarray
    weights: np.ndarray | None


def prepare(
    data: Any,
    asked: Asked,
    *,
    run: Path,
    reading: Mapping[str, Any],
    narrator: Narrator,
    given: Recipe | None = None,
    start: Product | None = None,
) -> Prepared:
    """Open, guess, split and read. `reading` holds the reader's settings that a person or recipe fixed.

    Data that are to go on from `start` are read as it reads. Raises DataError where the recipe that is given,
    or `start`, is for another kind of data or other columns.
    """
    source = open_source(data, name_template=asked.name_template, test=asked.test, spool=run)
    if start is not None:
        asked = _as_before(source, asked, reading, start)
    laid = lay(source, asked, reading)
    if given is not None and given.kind != laid.kind.name:
        raise DataError(
            f"the recipe is for data of kind {shown(given.kind)}, {source.called} holds {laid.kind.plural}:"
            " leave --recipe out, or give one for these"
        )
    _say_data(narrator, laid)
    narrator.say("Split", laid.split.why)
    prepared = assemble(laid, run=run, workers=asked.workers, reader=None if start is None else start.reader)
    if read := prepared.reader.choices()[1].get("columns"):
        narrator.say("Columns", f"{read} (--set reading.columns)")
    prepared.say_left_out(narrator)
    return prepared


def assemble(
    laid: Laid,
    *,
    run: Path,
    workers: int | None = None,
    weights: np.ndarray | None = None,
    reader: Reader | None = None,
) -> Prepared:
    """Fit the reader on the training rows, read every row that takes part, encode the targets.

    `weights` are of all rows of the source; a `reader` that is given is fitted already.
    """
    source, names, split, task = laid.source, laid.roles.inputs, laid.split, laid.task
    if reader is None:
        reader = make_reader(laid.kind, laid.reading)
        reader.fit({name: source.columns[name] for name in names}, split.train)
    store = pack(source, names, reader, every(split), run=run, workers=workers)
    prepared = Prepared(
        source=source,
        roles=laid.roles,
        kind=laid.kind,
        kind_why=laid.kind_why,
        split=split,
        reader=reader,
        store=store,
        task=task,
        task_why=laid.task_why,
        asks=laid.asks,
        targets=task.encode(laid.raw[store.rows], mark=bool(len(split.test))),
        weights=None if weights is None else weights[store.rows],
    )
    if not len(prepared.train):
        why = next(iter(store.rejected.values()), "no reason known")
        raise DataError(f"no training example in {shown(source.name)} can be read: {why}")
    return prepared


def _as_before(source: Source, asked: Asked, reading: Mapping[str, Any], start: Product) -> Asked:
    """What is asked, of the columns and the kind that `start` reads."""
    told = [f"reading.{name}" for name in reading]
    if told:
        raise UsageError(f"--from reads as before, so {listed(told)} cannot be set: leave it out")
    if asked.inputs and asked.inputs != start.inputs:
        raise UsageError(f"--from reads the columns {listed(start.inputs)}: leave --input out")
    if asked.kind not in (None, start.kind.name):
        raise UsageError(
            f"--from is for data of kind {shown(start.kind.name)}, --kind says {shown(asked.kind)}"
        )
    missing = [name for name in start.inputs if name not in source.columns]
    if missing:
        raise DataError(
            f"--from reads the columns {listed(start.inputs)}, and {source.called} has no"
            f" {listed(missing)}; it has {listed(source.columns)}: give data of the same kind and columns"
        )
    if start.kind.claims({name: source.columns[name] for name in start.inputs}) is None:
        raise DataError(
            f"--from is for {start.kind.plural}, and {source.called} holds none: give data of the same kind"
        )
    start.reader.check({name: source.columns[name] for name in start.inputs})
    return replace(asked, inputs=start.inputs, kind=start.kind.name)


def _say_data(narrator: Narrator, laid: Laid) -> None:
    source, roles = laid.source, laid.roles
    first = f"{source.name}: {len(source):,} {laid.kind.plural} -> {laid.task.sentence} (--task)"
    narrator.say("Reading", first, *source.notes, *roles.notes)

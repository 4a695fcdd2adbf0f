"""Raw data to packed numbers: open, assign roles, choose kind and task, split, read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.data import Roles, Source, Split, Store, open_source, read_rows
from layerwise.data.source import LeftOut
from layerwise.errors import DataError, UsageError, listed, shown, suggest
from layerwise.kinds.base import Kind, Reader
from layerwise.model import Product
from layerwise.nn.options import checked
from layerwise.randomness import Randomness
from layerwise.recipe import Recipe
from layerwise.spec import Spec
from layerwise.tasks import Task
from layerwise.workflows.lay import Asked, Laid, lay
from layerwise.workflows.narrate import Narrator

__all__ = [
    "Asked",
    "Prepared",
    "Stored",
    "all_for_training",
    "assemble",
    "every",
    "make_reader",
    "pack",
    "prepare",
    "reasons",
]

LEAST_FOR_VALIDATION = 200  # training rows; with fewer, all of them train


class Stored:
    """Examples of a source, read into a store."""

    source: Source
    reader: Reader
    store: Store

    @property
    def spec(self) -> Spec:
        """What one read example looks like."""
        return self.reader.spec

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Everything that is not among the examples, and why."""
        unread = [LeftOut(self.source.ids[row], why) for row, why in sorted(self.store.rejected.items())]
        return (*self.source.left_out, *unread)

    def ids(self, rows: np.ndarray) -> list[str]:
        """The ids of stored examples."""
        return [self.source.ids[int(self.store.rows[r])] for r in rows]


@dataclass(frozen=True)
class Prepared(Stored):
    """Data ready to train on. All arrays of rows index the store; `targets` (M, ...) are in its order."""

    source: Source
    roles: Roles
    kind: Kind
    kind_why: str
    task: Task
    task_why: str
    split: Split
    asks: tuple[str, ...]  # columns that new data must have
    reader: Reader
    store: Store
    targets: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


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
    if prepared.left_out:
        narrator.say(
            "Left out", f"{len(prepared.left_out):,}: {reasons(prepared.left_out)} (listed in the report)"
        )
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
    places = [store.places(part) for part in (split.train, split.validation, split.test)]
    _check_parts(places, source, store)
    return Prepared(
        source,
        laid.roles,
        laid.kind,
        laid.kind_why,
        task,
        laid.task_why,
        split,
        laid.asks,
        reader,
        store,
        task.encode(laid.raw[store.rows], mark=bool(len(split.test))),
        None if weights is None else weights[store.rows],
        None if split.groups is None else split.groups[store.rows],
        *places,
    )


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


def pack(
    source: Source,
    names: tuple[str, ...],
    reader: Reader,
    rows: np.ndarray,
    *,
    run: Path,
    workers: int | None,
) -> Store:
    """Read those rows once, into a store. Raises DataError where none can be read."""
    store = Store.pack(run / "store", reader.spec, read_rows(source, reader, names, rows, workers=workers))
    if not len(store):
        row, why = next(iter(sorted(store.rejected.items())))
        raise DataError(
            f"none of the {len(rows):,} examples in {shown(source.name)} can be read; the first, "
            f"{shown(source.ids[row])}: {why}"
        )
    return store


def make_reader(kind: Kind, settings: Mapping[str, Any]) -> Reader:
    """The kind's reader with settings by name. Raises UsageError for one it does not have."""
    known = list(inspect.signature(kind.reader).parameters)
    for name in settings:
        if name not in known:
            raise UsageError(
                f"no line {shown('reading.' + name)} in the recipe{suggest(name, known) or '.'} "
                f"Lines of reading for {kind.plural}: {listed(known)}"
            )
    checked(kind.reader, settings)
    return kind.reader(**settings)


def every(split: Split) -> np.ndarray:
    return np.sort(np.concatenate([split.train, split.validation, split.test]))


def all_for_training(n: int, seed: int) -> Split:
    """Nothing held out; from 200 rows on a tenth is kept for calibration, and to look at while learning."""
    rows, none = np.arange(n), np.empty(0, np.int64)
    if n < LEAST_FOR_VALIDATION:
        return Split(rows, none, none, "given", "all rows train")
    kept = np.sort(Randomness(seed).at("split").numpy("validation").permutation(n)[: n // 10])
    return Split(
        np.setdiff1d(rows, kept), kept, none, "given", "all rows train, a tenth is looked at meanwhile"
    )


def _check_parts(places: list[np.ndarray], source: Source, store: Store) -> None:
    if len(places[0]):
        return
    why = next(iter(store.rejected.values()), "no reason known")
    raise DataError(f"no training example in {shown(source.name)} can be read: {why}")


def reasons(left_out: tuple[LeftOut, ...]) -> str:
    """`4 empty, 5 not sound`: the commonest reasons first."""
    counts: dict[str, int] = {}
    for one in left_out:
        counts[one.reason] = counts.get(one.reason, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    told = [f"{n:,} {reason}" for reason, n in ranked[:3]]
    return ", ".join(told) + (", ..." if len(ranked) > 3 else "")


def _say_data(narrator: Narrator, laid: Laid) -> None:
    source, roles = laid.source, laid.roles
    first = f"{source.name}: {len(source):,} {laid.kind.plural} -> {laid.task.sentence} (--task)"
    narrator.say("Reading", first, *source.notes, *roles.notes)

"""Raw data to packed numbers: open, assign roles, choose kind and task, split, read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.data import (
    Roles,
    Source,
    Split,
    Store,
    duplicates,
    find_roles,
    open_source,
    read_rows,
    split_rows,
)
from layerwise.data.source import Column, LeftOut
from layerwise.errors import DataError, UsageError, listed, shown, suggest
from layerwise.kinds import KINDS
from layerwise.kinds.base import Kind, Reader
from layerwise.spec import Spec
from layerwise.tasks import Task, guess_task, task_named
from layerwise.workflows.narrate import Narrator

__all__ = ["Asked", "Prepared", "assemble", "prepare"]


@dataclass(frozen=True)
class Asked:
    """What the caller said about the data; None or empty: guess it."""

    kind: str | None = None
    task: str | None = None
    target: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    name_template: str | None = None
    group: str | None = None
    test: Any = None
    split: str | None = None
    time: str | None = None
    forecast: tuple[str, ...] = ()
    horizon: int | None = None
    seed: int = 0
    workers: int | None = None


@dataclass(frozen=True)
class Prepared:
    """Data ready to train on. All arrays of rows index the store; `targets` (M, ...) are in its order."""

    source: Source
    roles: Roles
    kind: Kind
    kind_why: str
    task: Task
    task_why: str
    split: Split
    reader: Reader
    store: Store
    targets: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

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


def prepare(
    data: Any, asked: Asked, *, run: Path, reading: Mapping[str, Any], narrator: Narrator
) -> Prepared:
    """Open, guess, split and read. `reading` holds the reader's settings that a person or recipe fixed."""
    source = open_source(data, name_template=asked.name_template, spool=run)
    roles = find_roles(
        source,
        target=asked.target,
        inputs=asked.inputs,
        group=asked.group,
        split=asked.split,
        time=asked.time,
    )
    kind, kind_why = _kind(source, roles, asked.kind)
    raw = raw_targets(source, roles)
    task_name, task_why = (asked.task, "--task") if asked.task else guess_task(raw)
    task_class = task_named(task_name)
    known = task_class.known(raw)
    split = split_rows(
        source,
        roles,
        raw,
        seed=asked.seed,
        classes=task_name == "classify",
        known=known,
        copies=duplicates({name: source.columns[name] for name in roles.inputs}),
    )
    fitting = np.sort(np.concatenate([split.train, split.validation]))
    task = task_class.fit(raw[fitting], noun=kind.plural, names=roles.targets)
    _say_data(narrator, source, roles, kind, task)
    narrator.say("Split", split.why)
    prepared = assemble(
        source,
        roles,
        kind=kind,
        kind_why=kind_why,
        task=task,
        task_why=task_why,
        split=split,
        raw=raw,
        run=run,
        reading=reading,
        workers=asked.workers,
    )
    if prepared.left_out:
        narrator.say(
            "Left out", f"{len(prepared.left_out):,}: {_reasons(prepared.left_out)} (listed in the report)"
        )
    return prepared


def assemble(
    source: Source,
    roles: Roles,
    *,
    kind: Kind,
    kind_why: str,
    task: Task,
    task_why: str,
    split: Split,
    raw: np.ndarray,
    run: Path,
    reading: Mapping[str, Any],
    workers: int | None = None,
    weights: np.ndarray | None = None,
) -> Prepared:
    """Fit the reader on the training rows, read every row that takes part, encode the targets.

    `raw` targets and `weights` are of all rows of the source.
    """
    reader = make_reader(kind, reading).fit(
        {name: source.columns[name] for name in roles.inputs}, split.train
    )
    store = pack(source, roles.inputs, reader, _all(split), run=run, workers=workers)
    targets = task.encode(raw[store.rows], mark=bool(len(split.test)))
    groups = None if split.groups is None else split.groups[store.rows]
    places = [store.places(part) for part in (split.train, split.validation, split.test)]
    _check_parts(places, source, store)
    kept = None if weights is None else weights[store.rows]
    return Prepared(
        source, roles, kind, kind_why, task, task_why, split, reader, store, targets, kept, groups, *places
    )


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


def raw_targets(source: Source, roles: Roles) -> np.ndarray:
    """The targets as they stand: (N,), or (N, K) where tags have columns of their own."""
    columns = [_array(source.columns[name]) for name in roles.targets]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def make_reader(kind: Kind, settings: Mapping[str, Any]) -> Reader:
    """The kind's reader with settings by name. Raises UsageError for one it does not have."""
    known = list(inspect.signature(kind.reader).parameters)
    for name in settings:
        if name not in known:
            raise UsageError(
                f"no line {shown('reading.' + name)} in the recipe{suggest(name, known)} "
                f"Lines of reading for {kind.plural}: {listed(known)}"
            )
    return kind.reader(**settings)


def _kind(source: Source, roles: Roles, wanted: str | None) -> tuple[Kind, str]:
    """The kind that claims the input columns, and why."""
    columns = {name: source.columns[name] for name in roles.inputs}
    if wanted is not None:
        kinds = {kind.name: kind for kind in KINDS}
        if wanted not in kinds:
            raise UsageError(f"no kind {shown(wanted)}{suggest(wanted, kinds)} Kinds: {listed(kinds)}")
        return kinds[wanted], "--kind"
    for kind in KINDS:
        why = kind.claims(columns)
        if why is not None:
            return kind, why
    raise DataError(
        f"{shown(source.name)} holds nothing that layerwise reads: found columns {listed(columns)}; "
        "expected pictures, sounds, texts, series or a table. --kind says which, if you know"
    )


def _array(column: Column) -> np.ndarray:
    values = column.values
    if isinstance(values, np.ndarray):
        return values
    cells = values if isinstance(values, list) else values.to_list()
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _all(split: Split) -> np.ndarray:
    return np.sort(np.concatenate([split.train, split.validation, split.test]))


def _check_parts(places: list[np.ndarray], source: Source, store: Store) -> None:
    if len(places[0]):
        return
    why = next(iter(store.rejected.values()), "no reason known")
    raise DataError(f"no training example in {shown(source.name)} can be read: {why}")


def _reasons(left_out: tuple[LeftOut, ...]) -> str:
    """`4 empty, 5 not sound`: the commonest reasons first."""
    counts: dict[str, int] = {}
    for one in left_out:
        counts[one.reason] = counts.get(one.reason, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    told = [f"{n:,} {reason}" for reason, n in ranked[:3]]
    return ", ".join(told) + (", ..." if len(ranked) > 3 else "")


def _say_data(narrator: Narrator, source: Source, roles: Roles, kind: Kind, task: Task) -> None:
    first = f"{source.name}: {len(source):,} {kind.plural} -> {task.sentence} (--task)"
    narrator.say("Reading", first, *source.notes, *roles.notes)

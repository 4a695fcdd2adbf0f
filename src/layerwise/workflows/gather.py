"""Raw data to read examples, for what learns without labels; labels that are known are kept beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from layerwise.data import Roles, Source, Split, Store, duplicates, find_roles, open_source, split_rows
from layerwise.errors import DataError, listed, shown, suggest
from layerwise.look import Known
from layerwise.look.features import features as level_features
from layerwise.nn import Pipeline
from layerwise.recipe import Recipe
from layerwise.tasks import Task, guess_task, task_named
from layerwise.values import collate
from layerwise.workflows.lay import Asked, kind_of, raw_targets
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.stored import Stored, all_for_training, every, make_reader, pack

__all__ = ["Gathered", "Labels", "coded", "gather"]

BATCH = 256
LEAST_JUDGED = 20  # rows with a label, to fit probes on and to judge them by


class Labels(NamedTuple):
    """What is known of the examples and not learned from: the task, and encoded targets of all stored rows.

    `marked` (N,) says which rows have one.
    """

    task: Task
    targets: np.ndarray
    marked: np.ndarray


@dataclass(frozen=True)
class Gathered(Stored):
    """Examples ready to learn from without labels."""

    labels: Labels | None

    @property
    def shown(self) -> np.ndarray:
        """The held-out rows that are looked at: those with a label, where enough have one to judge by."""
        if self.labels is None:
            return self.test
        marked = self.test[self.labels.marked[self.test]]
        return marked if len(marked) >= LEAST_JUDGED else self.test

    def known(self) -> Known | None:
        """The labels as probes take them, for the rows `shown`; None where too few are known."""
        if self.labels is None:
            return None
        task, targets, marked = self.labels
        train, held = self.train[marked[self.train]], self.shown
        if not marked[held].all() or len(train) < LEAST_JUDGED:
            return None
        groups = None if self.groups is None else self.groups[held]
        return Known(task, train, targets[train], targets[held], groups)


def gather(
    data: Any,
    asked: Asked,
    *,
    run: Path,
    reading: Mapping[str, Any],
    narrator: Narrator,
    given: Recipe | None = None,
    whole: bool = False,
    cut: bool = False,
) -> Gathered:
    """Open, choose the kind, split and read. A target that is named, or class folders, are only kept as labels.

    `reading` holds the reader's settings that a person or recipe fixed. With `whole` nothing is held out:
    whoever asks judges on data of their own; nor where a kind of data is to be `cut` into segments by its
    columns, which are then read as it says. Raises DataError where the recipe given is for another kind.
    """
    source = open_source(data, name_template=asked.name_template, spool=run)
    roles = _roles(source, asked)
    kind, why = kind_of(source, roles, asked.kind)
    if given is not None and given.kind != kind.name:
        raise DataError(
            f"the recipe is for data of kind {shown(given.kind)}, {source.called} holds {kind.plural}:"
            " leave --recipe out, or give one for these"
        )
    columns = {name: source.columns[name] for name in roles.inputs}
    cuts, none = kind.cuts if cut else None, np.empty(0, np.int64)
    if cuts is not None:
        split = Split(np.arange(len(source)), none, none, "given", "none: segments are of all rows")
    elif whole:
        split = all_for_training(len(source), asked.seed)
    else:
        near = kind.copies and kind.copies(next(iter(columns.values())))
        split = split_rows(source, roles, None, seed=asked.seed, copies=duplicates(columns, near))
    narrator.say("Reading", f"{source.name}: {len(source):,} {kind.plural}, to learn from without labels")
    narrator.say("Split", split.why)
    reader = make_reader(kind, {**(cuts or {}), **reading})
    reader.fit(columns, split.train)
    store = pack(source, roles.inputs, reader, every(split), run=run, workers=asked.workers)
    gathered = Gathered(
        source=source,
        roles=roles,
        kind=kind,
        kind_why=why,
        split=split,
        reader=reader,
        store=store,
        labels=_labels(source, roles, split, store),
    )
    gathered.say_left_out(narrator)
    return gathered


def coded(net: Pipeline, gathered: Gathered, rows: np.ndarray) -> np.ndarray:
    """(n, K) the last level for stored rows, as numbers a probe can be fitted to."""
    spec, found = net.spec(gathered.spec), []
    net.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            taken = gathered.store.take(rows[start : start + BATCH])
            found.append(level_features(net(collate(taken, gathered.store.spec)), spec))
    return np.concatenate(found)


def _roles(source: Source, asked: Asked) -> Roles:
    """Which columns are inputs, labels and groups. No label is guessed: without one, all columns are inputs."""
    if asked.target or source.target is not None:
        return find_roles(
            source, target=asked.target or source.target, inputs=asked.inputs, group=asked.group
        )
    group = None if asked.group == "none" else asked.group or source.group
    for name in (*asked.inputs, *([group] if group else [])):
        if name not in source.columns:
            raise DataError(
                f"no column {shown(name)} in {source.called}{suggest(name, source.columns) or '.'}"
                f" Its columns: {listed(source.columns)}"
            )
    inputs = asked.inputs or source.inputs or tuple(name for name in source.columns if name != group)
    return Roles(inputs, (), group)


def _labels(source: Source, roles: Roles, split: Split, store: Store) -> Labels | None:
    """The labels of stored rows, where there are at least two classes or values of them."""
    if not roles.targets:
        return None
    raw = raw_targets(source, roles)
    name, _ = guess_task(raw, names=roles.targets)
    task_class = task_named(name)
    marked = task_class.known(raw)
    fitting = split.train[marked[split.train]]
    try:
        task = task_class.fit(raw[fitting], noun="rows", names=roles.targets)
    except DataError:  # one class, or as many as rows: nothing that a probe could tell apart
        return None
    return Labels(task, task.encode(raw[store.rows], mark=True), marked[store.rows])

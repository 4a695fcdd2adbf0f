"""What is asked of raw data: which columns are what, of which kind, for which task, split how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerwise.data import Column, Roles, Source, Split, cut_windows, duplicates, find_roles, split_rows
from layerwise.errors import DataError, UsageError, listed, shown, suggest
from layerwise.kinds import KINDS, SERIES
from layerwise.kinds.base import Kind
from layerwise.tasks import Forecast, Task, guess_task, task_named

__all__ = ["Asked", "Laid", "kind_of", "lay", "raw_targets"]


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

    def words(self, data: str) -> tuple[str, ...]:
        """`data` and what was said of it, as the command takes it."""
        lists = {"target": self.target, "input": self.inputs, "forecast": self.forecast}
        told: dict[str, Any] = {name: ",".join(value) for name, value in lists.items()}
        told |= {"name": self.name_template, "kind": self.kind, "task": self.task, "group": self.group}
        told |= {
            "test": self.test if isinstance(self.test, str) else None,
            "split": self.split,
            "time": self.time,
        }
        told |= {"horizon": self.horizon, "seed": self.seed or None}
        return (data, *(word for name, value in told.items() if value for word in (f"--{name}", str(value))))


@dataclass(frozen=True)
class Laid:
    """Raw rows with all that must be known before one of them is read. `raw` targets are of all rows.

    `reading` are the reader's settings that are fixed by now; `asks` the columns, as the data have them, that
    the model will want to see in new data.
    """

    source: Source
    roles: Roles
    kind: Kind
    kind_why: str
    task: Task
    task_why: str
    split: Split
    raw: np.ndarray
    reading: Mapping[str, Any]
    asks: tuple[str, ...]


def lay(source: Source, asked: Asked, reading: Mapping[str, Any]) -> Laid:
    """Assign roles, choose kind and task, split. For a forecast the rows become windows in time."""
    return _windows(source, asked, reading) if asked.forecast else _rows(source, asked, reading)


def _rows(source: Source, asked: Asked, reading: Mapping[str, Any]) -> Laid:
    roles = find_roles(
        source,
        target=asked.target,
        inputs=asked.inputs,
        group=asked.group,
        split=asked.split,
        time=asked.time,
    )
    kind, kind_why = kind_of(source, roles, asked.kind)
    raw = raw_targets(source, roles)
    task_name, task_why = (asked.task, "--task") if asked.task else guess_task(raw, names=roles.targets)
    task_class = task_named(task_name)
    if task_class is Forecast:
        raise UsageError("--task forecast needs --forecast COLUMN: which column is to be foretold?")
    split = split_rows(
        source,
        roles,
        raw,
        seed=asked.seed,
        classes=task_name == "classify",
        known=task_class.known(raw),
        copies=_copies(source, roles, kind),
    )
    fitting = np.sort(np.concatenate([split.train, split.validation]))
    task = task_class.fit(raw[fitting], noun=kind.plural, names=roles.targets)
    return Laid(source, roles, kind, kind_why, task, task_why, split, raw, reading, roles.inputs)


def _copies(source: Source, roles: Roles, kind: Kind) -> np.ndarray | None:
    """(N,): rows that share a number hold the same example; None where no two do."""
    columns = {name: source.columns[name] for name in roles.inputs}
    near = kind.copies and kind.copies(next(iter(columns.values())))
    return duplicates(columns, near)


def _windows(source: Source, asked: Asked, reading: Mapping[str, Any]) -> Laid:
    """A table in the order of time as windows with the values that follow, `reading.steps` long."""
    if len(asked.forecast) > 1:
        raise UsageError(
            f"--forecast takes one column, got {listed(asked.forecast)}: fit a model for each; all columns"
            " are read for every one of them"
        )
    if asked.horizon is None:
        raise UsageError("--forecast needs --horizon STEPS: how many steps ahead?")
    if asked.kind not in (None, SERIES.name) or asked.task not in (None, Forecast.name):
        said = f"--kind {asked.kind}" if asked.kind not in (None, SERIES.name) else f"--task {asked.task}"
        raise UsageError(f"--forecast makes series and a forecast of a table; leave {said} out")
    steps = reading.get("steps")
    cut = cut_windows(
        source,
        target=asked.forecast[0],
        horizon=asked.horizon,
        time=asked.time,
        length=steps if isinstance(steps, int) else None,
        inputs=asked.inputs,
    )
    roles = Roles(cut.source.inputs, asked.forecast, time=cut.time)
    raw = raw_targets(cut.source, roles)
    task = Forecast.fit(raw[cut.split.train], noun="windows", names=asked.forecast, scale=cut.scale)
    why = "--forecast"
    series = cut.source.columns[cut.source.inputs[0]]
    fixed = {**reading, "steps": series.values.shape[1]}
    asks = (*series.channels, *([cut.time] if cut.time else []))
    return Laid(cut.source, roles, SERIES, why, task, why, cut.split, raw, fixed, asks)


def raw_targets(source: Source, roles: Roles) -> np.ndarray:
    """The targets as they stand: (N,), or (N, K) where tags have columns of their own."""
    columns = [_array(source.columns[name]) for name in roles.targets]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def kind_of(source: Source, roles: Roles, wanted: str | None) -> tuple[Kind, str]:
    """The kind that claims the input columns, and why."""
    columns = {name: source.columns[name] for name in roles.inputs}
    if wanted is not None:
        kinds = {kind.name: kind for kind in KINDS}
        if wanted not in kinds:
            raise UsageError(f"no kind {shown(wanted)}{suggest(wanted, kinds) or '.'} Kinds: {listed(kinds)}")
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

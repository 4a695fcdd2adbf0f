"""How far a run is, as plain data that a checkpoint keeps; and what happened on the way, as events."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from layerwise.train.budget import PARTS, Timing, along

__all__ = ["Done", "Epoch", "Event", "History", "Progress", "Recovered", "Saved", "Step"]

History: TypeAlias = dict[str, dict[str, list[Any]]]
"""Columns of plain lists. "curve": phase, step, loss, rate, about a hundred points a phase, each loss the
mean since the last. "epochs": phase, step, epoch, loss, seconds, and what `evaluate` gave, under its names
after "validation "."""


class Step(NamedTuple):
    """A step was taken."""

    phase: str
    step: int  # counted from 1
    steps: int  # of the phase
    epoch: float  # how often every example has been seen
    loss: Tensor  # before the step; still a tensor, so that nobody waits for it unasked
    scalars: Mapping[str, Tensor]
    rate: float  # share of the highest rate


class Epoch(NamedTuple):
    """Every example was seen once more, or the phase ended."""

    phase: str
    step: int
    epoch: float
    loss: float  # mean over the epoch
    scores: Mapping[str, float]  # what `evaluate` gave; empty without it
    best: bool  # whether the scores are the best so far
    seconds: float  # of the whole run so far


class Saved(NamedTuple):
    """The run can go on from here in another process."""

    phase: str
    step: int
    path: Path


class Recovered(NamedTuple):
    """Something went wrong; the run went back to `step` and goes on otherwise."""

    phase: str
    step: int
    reason: str


class Done(NamedTuple):
    """The end. The net holds its final weights: the averaged, the best, or the last."""

    steps: tuple[int, ...]  # length of each phase reached: with its pace, what repeats a run that was timed
    paces: tuple[tuple[int, ...] | None, ...]  # steps of each twentieth of the schedule, of timed phases
    taken: tuple[int, ...]  # steps of each phase that were taken: fewer where patience ended it
    seconds: float
    history: History
    interrupted: bool


Event: TypeAlias = Step | Epoch | Saved | Recovered | Done

_BLOW_UP = 10.0  # times the first loss, as a running mean over about five steps


@dataclass
class Progress:
    """Everything about a run that is no tensor."""

    phase: int = 0
    step: int = 0  # taken in this phase
    steps: int = 0  # of this phase; expected, while it is timed and not all of its parts are planned
    pace: list[int] | None = None  # steps of each part planned so far, of a timed phase
    timing: Timing | None = None  # of a phase whose end is a time
    stopped: bool = False  # by patience
    share: float = 1.0  # of the rate, after recoveries
    recoveries: int = 0
    pieces: int = 1
    first: float | None = None  # loss at the first step
    level: float = 0.0  # running mean of the loss
    best: float | None = None
    stale: int = 0
    seconds: float = 0.0
    epoch_sum: float = 0.0
    epoch_count: int = 0
    curve_sum: float = 0.0
    curve_count: int = 0
    lengths: list[int] = field(default_factory=list)  # of the phases behind
    paces: list[list[int] | None] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    history: History = field(default_factory=lambda: {"curve": {}, "epochs": {}})

    def along(self, step: float) -> float:
        """How much of the phase's schedule is over after `step` steps, from 0 to 1."""
        return step / self.steps if self.pace is None else along(self.pace, step)

    def plan(self, now: float, steps_per_epoch: int) -> None:
        """Plan the next part of a timed phase where the last one is over; `now` is on the run's clock."""
        if self.timing is None or self.pace is None:
            return
        while len(self.pace) < PARTS and self.step == sum(self.pace):
            part = self.timing.next_part(
                len(self.pace), now=now, step=self.step, steps_per_epoch=steps_per_epoch
            )
            self.pace.append(part)
        planned = sum(self.pace)
        rest = max(planned + 1, self.timing.expected(now, self.step))
        self.steps = planned if len(self.pace) == PARTS else rest

    def next_phase(self) -> Progress:
        """Where the following phase begins."""
        return Progress(
            phase=self.phase + 1,
            seconds=self.seconds,
            lengths=[*self.lengths, self.steps if self.pace is None else sum(self.pace)],
            paces=[*self.paces, self.pace],
            taken=[*self.taken, self.step],
            history=self.history,
        )

    def note(self, loss: float) -> str | None:
        """Take in the loss of one step; what is wrong with it, in words, or None.

        A loss may blow up and stay finite: its running mean is held against the first loss.
        """
        if not isfinite(loss):
            return f"the loss became {loss}"
        if self.first is None:
            self.first = self.level = loss
        self.level += 0.2 * (loss - self.level)
        self.epoch_sum += loss
        self.epoch_count += 1
        self.curve_sum += loss
        self.curve_count += 1
        if self.level > self.limit():
            return f"the loss rose from {self.first:.3g} to {loss:.3g}"
        return None

    def limit(self) -> float:
        """The running mean of the loss from which on training counts as blown up."""
        return _BLOW_UP * max(abs(self.first or 0.0), 1e-3)

    def record(self, table: str, **row: Any) -> None:
        """Add a row to a table of the history; a column it lacks gets None."""
        columns = self.history[table]
        rows = max((len(c) for c in columns.values()), default=0)
        for name in row.keys() - columns.keys():
            columns[name] = [None] * rows
        for name, column in columns.items():
            column.append(row.get(name))

    def to_json(self) -> dict[str, Any]:
        """Plain data that shares nothing with this."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Progress:
        """What `to_json` gave, sharing nothing with it."""
        own = deepcopy(dict(plain))
        timing = own.pop("timing")
        return cls(**own, timing=None if timing is None else Timing(**timing))

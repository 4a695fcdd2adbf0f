"""How far a run is, as plain data that a checkpoint keeps; and what happened on the way, as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

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

    steps: tuple[int, ...]  # length of each phase reached: what repeats a run that was timed
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
    steps: int | None = None  # of this phase; None until a length in seconds has been measured
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
    taken: list[int] = field(default_factory=list)
    history: History = field(default_factory=lambda: {"curve": {}, "epochs": {}})

    def next_phase(self) -> Progress:
        """Where the following phase begins."""
        return Progress(
            phase=self.phase + 1,
            seconds=self.seconds,
            lengths=[*self.lengths, self.steps or 0],
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

"""A budget of seconds as numbers of steps: planned a twentieth at a time, from how fast the run is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from layerwise.train.pieces import Batches
from layerwise.train.running import Evaluate, OutOfMemory, Running

__all__ = ["PARTS", "Timing", "along", "rehearse", "steps_within"]

PARTS = 20  # of a timed phase: each is planned when the one before it is over
REHEARSAL = 0.02  # of the time: what measuring beforehand may take
FEWEST = 4  # steps to measure; the first, which warms everything up, is not counted


def along(pace: Sequence[int], step: float) -> float:
    """How far a phase is, from 0 to 1, after `step` steps, its parts being `pace` steps long.

    Parts are equal shares of the schedule, however many steps each took: what ran slower for a while
    still comes to its end in time.
    """
    begun = 0
    for part, steps in enumerate(pace):
        if step < begun + steps:
            return (part + (step - begun) / steps) / PARTS
        begun += steps
    return len(pace) / PARTS


@dataclass
class Timing:
    """How fast a timed phase is, in seconds; `began`, `deadline` and `since` are on the run's clock."""

    began: float
    deadline: float
    step: float
    evaluation: float
    since: float  # when the present part began
    at: int = 0  # the step at which it began
    evaluating: float = 0.0  # how much of it went into evaluations

    def evaluated(self, seconds: float) -> None:
        """Take in an evaluation."""
        self.evaluation = seconds
        self.evaluating += seconds

    def next_part(self, part: int, *, now: float, step: int, steps_per_epoch: int) -> int:
        """How many steps part number `part` gets, from how long those of the last one took."""
        if step > self.at:
            self.step = max(1e-9, (now - self.since - self.evaluating) / (step - self.at))
        self.since, self.at, self.evaluating = now, step, 0.0
        last = part + 1 == PARTS
        until = self.began + (part + 1) / PARTS * (self.deadline - self.began)
        fitting = steps_within(
            until - now - last * self.evaluation,
            step=self.step,
            evaluation=self.evaluation,
            to_epoch=steps_per_epoch - step % steps_per_epoch,
            steps_per_epoch=steps_per_epoch,
        )
        return max(fitting, int(last))  # the last step ends the run, so there must be one

    def expected(self, now: float, step: int) -> int:
        """About how many steps the phase will have, while that is not yet known."""
        return step + max(1, round((self.deadline - now) / self.step))


def rehearse(
    run: Running, batches: Batches, evaluate: Evaluate | None, seconds: float
) -> tuple[float, float]:
    """How long a step and an evaluation take, for a phase of `seconds`.

    Takes some steps and one evaluation, and undoes them. Undone, because a run that repeats this one must
    not depend on how many they were.
    """
    start = run.state()
    until = time.monotonic() + REHEARSAL * seconds
    marks: list[float] = []
    while len(marks) < FEWEST or time.monotonic() < until:
        try:
            scalars = run.step(batches.at(len(marks)), len(marks), run.phase.schedule(0.0))
            float(scalars["loss"])  # a GPU has finished when this is here
        except OutOfMemory:
            run.halve()
            marks.clear()
            run.load(start)
            continue
        marks.append(time.monotonic())
    began = time.monotonic()
    if evaluate is not None:
        run.evaluated(evaluate)
    evaluation = time.monotonic() - began
    run.load(start)
    return max(1e-9, (marks[-1] - marks[0]) / (len(marks) - 1)), evaluation


def steps_within(
    seconds: float, *, step: float, evaluation: float, to_epoch: int, steps_per_epoch: int
) -> int:
    """How many steps of `step` seconds fit, each epoch's end costing an evaluation; the next is `to_epoch` away."""
    steps = 0
    while (cost := to_epoch * step + evaluation) <= seconds:
        steps += to_epoch
        seconds -= cost
        to_epoch = steps_per_epoch
    return steps + min(to_epoch - 1, int(max(0.0, seconds) / step))

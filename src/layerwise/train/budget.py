"""How many steps fit into a budget of seconds."""

from __future__ import annotations

import time

from layerwise.train.pieces import Batches
from layerwise.train.running import Evaluate, OutOfMemory, Running

__all__ = ["rehearse", "steps_within"]

REHEARSAL = 0.05  # of the time: what measuring may take
FEWEST = 4  # steps to measure; the first, which warms everything up, is not counted


def rehearse(run: Running, batches: Batches, evaluate: Evaluate | None, deadline: float) -> int:
    """The number of steps that end at `deadline` on the monotonic clock, evaluations included.

    Takes some steps and one evaluation, and undoes them. Undone, because a run of a fixed number of steps
    must be able to repeat this one, and what rate a step has depends on that number.
    """
    start = run.state()
    until = time.monotonic() + REHEARSAL * (deadline - time.monotonic())
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
    step = (marks[-1] - marks[0]) / (len(marks) - 1)
    began = time.monotonic()
    if evaluate is not None:
        run.evaluated(evaluate)
    evaluation = time.monotonic() - began
    run.load(start)
    left = deadline - time.monotonic()
    return steps_within(left, step=step, evaluation=evaluation, steps_per_epoch=batches.steps_per_epoch)


def steps_within(seconds: float, *, step: float, evaluation: float, steps_per_epoch: int) -> int:
    """How many steps of `step` seconds fit, each epoch begun ending with an evaluation; at least 1."""
    epoch = steps_per_epoch * step + evaluation
    whole = max(0.0, seconds) // epoch
    rest = seconds - whole * epoch - evaluation
    return max(1, int(whole * steps_per_epoch + max(0.0, rest) / step))

"""Phases in order: what learns, with which objective, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

from layerwise.errors import UsageError, shown, suggest
from layerwise.recipe import Training
from layerwise.train.objectives import Objective
from layerwise.train.optimisers import Maker, optimiser
from layerwise.train.schedules import SCHEDULES, Schedule, one_cycle

__all__ = ["Phase", "Plan"]

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Phase:
    """One stretch of training. Exactly one of `epochs`, `steps` and `seconds` says how long it is."""

    name: str
    objective: Objective
    optimiser: Maker  # any function from a list of parameters to a torch optimiser; stepped with a closure
    size: int = 128  # examples a step
    epochs: float | None = None
    steps: int | None = None
    seconds: float | None = None
    pace: tuple[int, ...] | None = None  # steps of each twentieth of the schedule, to repeat a timed run
    learns: tuple[str, ...] | None = None  # addresses of modules within the net; None: all of it
    schedule: Schedule = one_cycle  # of the learning rate
    momentum: Schedule | None = None  # by progress; None: the optimiser's own throughout
    decay: Schedule | None = None  # share of the optimiser's weight decay, by progress; None: all of it
    average: float | None = None  # decay of the running average of weights, a step
    clip: float | None = None  # largest norm of the gradient
    patience: int | None = None  # epochs without a lower validation loss, once a third is over
    precision: str = "float32"  # or bfloat16: products in bfloat16, weights and sums in float32

    def __post_init__(self) -> None:
        lengths = {name: getattr(self, name) for name in ("epochs", "steps", "seconds")}
        given = {name: value for name, value in lengths.items() if value is not None}
        if len(given) != 1:
            raise UsageError(
                f"phase {shown(self.name)} needs exactly one of epochs, steps and seconds, got"
                f" {', '.join(given) or 'none'}"
            )
        for name in ("size", "epochs", "steps", "seconds", "clip", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} of phase {shown(self.name)} must be positive, got {value}")
        if self.pace is not None and sum(self.pace) != self.steps:
            raise UsageError(
                f"the pace of phase {shown(self.name)} adds up to {sum(self.pace)} steps, not {self.steps}:"
                " leave it out to run at an even pace"
            )
        if self.average is not None and not 0 <= self.average < 1:
            raise UsageError(
                f"average of phase {shown(self.name)} must be at least 0 and below 1, got {self.average};"
                " 0.999 averages over about a thousand steps"
            )
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"no precision {shown(self.precision)}{suggest(self.precision, PRECISIONS) or '.'}"
                f" Precisions: {', '.join(PRECISIONS)}"
            )

    @classmethod
    def of(cls, training: Training, objective: Objective, *, name: str = "train") -> Phase:
        """The phase that a recipe describes. Raises UsageError where a line of it is out of range."""
        if training.schedule not in SCHEDULES:
            raise UsageError(
                f"no schedule {shown(training.schedule)}{suggest(training.schedule, SCHEDULES) or '.'}"
                f" Schedules: {', '.join(SCHEDULES)}"
            )
        make = optimiser(
            training.optimiser, rate=training.rate, momentum=training.momentum, decay=training.decay
        )
        return cls(
            name,
            objective,
            make,
            size=training.batch,
            epochs=training.epochs,
            steps=training.steps,
            seconds=training.seconds,
            pace=None if training.pace is None else tuple(training.pace),
            schedule=SCHEDULES[training.schedule],
            average=training.average,
            clip=training.clip,
            patience=training.patience,
            precision=training.precision,
        )

    def length(self, steps_per_epoch: int) -> int:
        """How many steps; 0 while that has to be found out, because it was asked for in seconds."""
        if self.epochs is not None:
            return max(1, ceil(self.epochs * steps_per_epoch - 1e-9))
        return self.steps or 0


Plan: TypeAlias = tuple[Phase, ...]

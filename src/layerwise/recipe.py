"""Every choice of a run as plain data, with the reason beside it.

A blueprint writes a recipe from Spec, task and n; a person changes any line with `--set name=value`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf
from numbers import Integral, Real
from typing import Any

from layerwise.errors import UsageError, listed, shown, suggest

__all__ = ["Recipe", "StageChoice", "Training"]

FORMAT = 1
TINY = 5e-324  # the least positive number


@dataclass(frozen=True)
class Training:
    """How a network is trained. Exactly one of `epochs`, `steps`, `seconds` says how long."""

    optimiser: str = "adamw"  # sgd, nesterov, adamw, muon
    rate: float = 1e-3  # highest learning rate
    momentum: float = 0.9
    decay: float = 0.01  # weight decay, decoupled for adamw and muon
    schedule: str = "one-cycle"  # one-cycle, trapezoid, constant
    batch: int = 128
    epochs: float | None = None
    steps: int | None = None
    seconds: float | None = None
    pace: Sequence[int] | None = None  # steps of each twentieth of the schedule, to repeat a timed run
    patience: int | None = None  # epochs without improvement on validation rows before stopping
    average: float | None = None  # decay of the running average of weights, a step
    clip: float | None = None  # largest norm of the gradient
    smoothing: float = 0.0  # label smoothing
    balance: bool = False  # classes weigh the same whatever their number of rows
    validation: float = 0.1  # share of the training rows kept for stopping and calibration
    precision: str = "float32"  # float32, bfloat16
    threads: int | None = None  # of the processor; other numbers round differently
    alter: Mapping[str, Any] = field(default_factory=dict)  # alterations of the kind, by name
    method: str = "labels"  # what is learned from: labels; or without them, views, masked
    frozen: bool = False  # levels that were learned before stay as they are
    head: int | None = None  # steps in which a new head learns alone on such levels, before they are tuned
    seed: int = 0

    def __post_init__(self) -> None:
        pace = self.pace
        if pace is not None and not (
            isinstance(pace, list | tuple) and all(isinstance(n, int) and n >= 0 for n in pace)
        ):
            raise UsageError(
                f"training.pace must be a list of whole numbers from 0, got {shown(pace)}: leave it out"
                " to have it chosen"
            )
        for name, (least, below, whole) in RANGES.items():
            value = getattr(self, name)
            if value is None and name in OPEN:
                continue
            fits = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
            if not (fits and least <= value < below):
                raise UsageError(
                    f"training.{name} must be {_range(least, below, whole)}, got {shown(value)}: leave it out"
                    " to have it chosen"
                )


OPEN = ("epochs", "steps", "seconds", "patience", "average", "clip", "threads", "head")
"""Lines of training that may be None."""

RANGES: Mapping[str, tuple[float, float, bool]] = {
    "rate": (TINY, inf, False),
    "momentum": (0, 1, False),
    "decay": (0, inf, False),
    "batch": (1, inf, True),
    "epochs": (TINY, inf, False),
    "steps": (1, inf, True),
    "seconds": (TINY, inf, False),
    "patience": (1, inf, True),
    "average": (0, 1, False),
    "clip": (TINY, inf, False),
    "smoothing": (0, 1, False),
    "validation": (0, 1, False),
    "threads": (1, 1025, True),
    "head": (1, inf, True),
    "seed": (0, inf, True),
}
"""What a line of training may be: from, below, and whether it is a whole number."""


def _range(least: float, below: float, whole: bool) -> str:
    """`a whole number from 1`, `a positive number`, `a number from 0 and below 1`."""
    if least == TINY:
        return "a positive number"
    noun = "a whole number" if whole else "a number"
    return f"{noun} from {least:g}" + ("" if below == inf else f" and below {below:g}")


@dataclass(frozen=True)
class StageChoice:
    """One stage of a network: its name, which stage of the closed list it is, and its options."""

    name: str
    stage: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """All choices of a run. `why` gives the reason for a line, by its dotted name."""

    kind: str
    task: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    network: tuple[StageChoice, ...] = ()
    training: Training = field(default_factory=Training)
    why: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> dict[str, Any]:
        """Every choice by its dotted name: `training.rate`, `reading.size`, `network.conv1.width`."""
        flat: dict[str, Any] = {f"reading.{k}": v for k, v in self.reading.items()}
        for s in self.network:
            flat |= {f"network.{s.name}.{k}": v for k, v in s.options.items()}
        for k, v in asdict(self.training).items():
            if k == "alter":
                flat |= {f"training.alter.{a}": b for a, b in v.items()}
            else:
                flat[f"training.{k}"] = v
        return flat

    def but(self, name: str, value: Any, why: str = "set by you") -> Recipe:
        """This recipe with one line changed.

        Raises UsageError for a name that is no line of it, with the nearest one suggested, and for a
        value of another type than the one it replaces.
        """
        lines = self.lines()
        if name not in lines:
            raise UsageError(
                f"no line {shown(name)} in the recipe{suggest(name, lines) or '.'} Its lines: {listed(lines)};"
                " layerwise recipe DATA prints them all"
            )
        value = _fitting(name, value, lines[name])
        head, _, rest = name.partition(".")
        whys = {**self.why, name: why}
        if head == "reading":
            return replace(self, reading={**self.reading, rest: value}, why=whys)
        if head == "network":
            stage, _, option = rest.rpartition(".")
            network = tuple(
                replace(s, options={**s.options, option: value}) if s.name == stage else s
                for s in self.network
            )
            return replace(self, network=network, why=whys)
        if rest.startswith("alter."):
            alter = {**self.training.alter, rest.removeprefix("alter."): value}
            return replace(self, training=replace(self.training, alter=alter), why=whys)
        if rest in ("epochs", "steps", "seconds"):
            lengths = {"epochs": None, "steps": None, "seconds": None, "pace": None, rest: value}
            return replace(self, training=replace(self.training, **lengths), why=whys)
        return replace(self, training=replace(self.training, **{rest: value}), why=whys)

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain data, as `recipe.json` holds it."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "task": self.task,
            "reading": dict(self.reading),
            "network": [{"name": s.name, "stage": s.stage, **s.options} for s in self.network],
            "training": asdict(self.training),
            "why": dict(self.why),
        }

    @classmethod
    def from_json(cls, plain: Any) -> Recipe:
        """The recipe that `to_json` wrote. Raises UsageError that says what is wrong with it."""
        if not isinstance(plain, dict) or "network" not in plain or "training" not in plain:
            raise UsageError("this is no recipe: it needs at least 'kind', 'task', 'network' and 'training'")
        if plain.get("format", FORMAT) != FORMAT:
            raise UsageError(f"a recipe of format {shown(plain['format'])}; this layerwise reads {FORMAT}")
        for part in ("reading", "training", "why"):
            if not isinstance(plain.get(part, {}), dict):
                raise UsageError(f"{part} of a recipe holds lines by name, got {shown(plain[part])}")
        known = {f.name for f in fields(Training)}
        for name in plain["training"]:
            if name not in known:
                raise UsageError(
                    f"no line {shown('training.' + str(name))} in a recipe{suggest(str(name), known)}"
                )
        try:
            stages = tuple(
                StageChoice(s["name"], s["stage"], {k: v for k, v in s.items() if k not in ("name", "stage")})
                for s in plain["network"]
            )
            training = Training(**plain["training"])
            return cls(
                str(plain["kind"]),
                str(plain["task"]),
                dict(plain.get("reading", {})),
                stages,
                training,
                dict(plain.get("why", {})),
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise UsageError(
                f"this recipe cannot be read ({error}); layerwise recipe DATA prints one that can"
            ) from error

    def __str__(self) -> str:
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False)


def _fitting(name: str, value: Any, old: Any) -> Any:
    """`value` as the type of the line it replaces; text is read as JSON where the line holds no text."""
    if not isinstance(value, int | float) and isinstance(value, Real):
        value = int(value) if isinstance(value, Integral) else float(value)  # of numpy, which JSON has not
    if isinstance(value, str) and not isinstance(old, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            if old is not None:
                raise UsageError(
                    f"{name} holds {shown(json.dumps(old))}, got {shown(value)}: give a value of the same type"
                ) from None
    number = isinstance(old, int | float) and not isinstance(old, bool)
    fits = (
        old is None
        or value is None
        or (number and isinstance(value, int | float) and not isinstance(value, bool))
        or isinstance(value, list if isinstance(old, list | tuple) else type(old))
    )
    if not fits:
        raise UsageError(
            f"{name} holds {shown(json.dumps(old))}, got {shown(json.dumps(value, default=str))}: give a value of"
            " the same type"
        )
    return value

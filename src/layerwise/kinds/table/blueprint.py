"""What to build for a table of so many rows and such columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.kinds.base import Blueprint, Kind
from layerwise.kinds.table.reader import CATEGORIES, NUMBERS
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["LIKES", "blueprint", "member_of"]

WIDEST = 6_000  # units of all number columns
FEW = 2_000  # rows; below, the network is small and dropout strong


def blueprint(spec: Spec, task: Task, n: int, *, members: Sequence[Kind]) -> Blueprint:
    """Each column in its own encoding, then dense levels.

    Numbers go through a piecewise-linear encoding of their quantiles (Gorishniy, Rubachev and Babenko 2022),
    categories through embeddings, columns of other kinds through those kinds' branches.
    """
    width = 64 if n < 500 else 128 if n < FEW else 256
    smooth = not task.labels  # numbers come smoothly and need less noise and more steps
    dropout = 0.2 if smooth else 0.3 if n < FEW else 0.4
    dense = {"width": width, "dropout": dropout}
    network = (
        columns(spec, members, numbers=_each(spec, most=8 if n < FEW else 24)),
        StageChoice("dense1", "Dense", dense),
        StageChoice("dense2", "Dense", dense),
    )
    whys = {
        "network": "numbers in pieces between quantiles, categories as vectors, then two dense levels",
        "network.dense1.width": f"for {n:,} training rows",
    }
    return Blueprint(network, _training(n, smooth, whys), whys)


def mlp2006(spec: Spec, task: Task, n: int, *, members: Sequence[Kind]) -> Blueprint:
    """500, 500 and 2,000 logistic units: the network of Hinton, Osindero and Teh 2006, trained at once."""
    logistic = {"activation": "sigmoid", "init": "glorot"}
    widths = {"h1": 500, "h2": 500, "h3": 2000}
    levels = (StageChoice(name, "Dense", {"width": w, **logistic}) for name, w in widths.items())
    training = Training("adamw", 1e-3, decay=0.0, batch=100, epochs=_epochs(n, 100, steps=4_000))
    return Blueprint(
        (columns(spec, members, numbers=None), *levels),
        training,
        {"network": "500-500-2000 (Hinton et al. 2006)"},
    )


LIKES = {"mlp2006": mlp2006}


def columns(spec: Spec, members: Sequence[Kind], *, numbers: int | None) -> StageChoice:
    """The first stage: a branch for each field; `numbers`: units for each number column, None for none."""
    branches: dict[str, list[dict[str, Any]]] = {}
    for field, own in spec.columns.items():
        if field == NUMBERS:
            stages: Sequence[StageChoice] = (StageChoice("pieces", "PiecewiseLinear", {"width": numbers}),)
        elif field == CATEGORIES:
            stages = (StageChoice("vectors", "Categories"),)
        else:
            branch = member_of(field, members).branch
            if branch is None:
                raise ValueError(f"the kind of column {field!r} has no branch")
            stages = branch(own)
        branches[field] = [{"name": s.name, "stage": s.stage, **s.options} for s in stages]
    return StageChoice("columns", "Columns", {"branches": branches})


def member_of(field: str, members: Sequence[Kind]) -> Kind:
    """The kind that reads this field: the reader puts its name before the column's."""
    return next(m for m in members if field.startswith(f"{m.name}_"))


def _each(spec: Spec, *, most: int) -> int:
    """Units for each number column: fewer where there are many columns."""
    numbers = spec.columns.get(NUMBERS)
    return max(1, min(most, WIDEST // numbers.features)) if numbers else 1


def _training(n: int, smooth: bool, whys: dict[str, str]) -> Training:
    batch = 32 if n < 1_000 else 128 if n < 20_000 else 256
    epochs = _epochs(n, batch, steps=3_500 if smooth else 1_300)
    whys["training.epochs"] = f"as many passes over {n:,} rows as make enough steps of {batch}"
    return Training(
        rate=4e-3 if smooth else 1e-3 if n < FEW else 2e-3,
        decay=0.1,
        batch=batch,
        epochs=epochs,
        average=0.998 if n >= FEW else 0.99,
        patience=8,
    )


def _epochs(n: int, batch: int, *, steps: int) -> float:
    return float(max(4, min(100, round(steps * batch / max(1, n)))))

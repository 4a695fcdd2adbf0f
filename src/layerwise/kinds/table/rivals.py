"""Simple methods that a network for tables has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from layerwise.kinds.base import ONLY, Kind, Rival, Values
from layerwise.kinds.features import LOUDEST, Facts, Features
from layerwise.kinds.table.blueprint import member_of
from layerwise.kinds.table.reader import CATEGORIES, NUMBERS
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["rivals"]


def rivals(spec: Spec, task: Task, *, members: Sequence[Kind]) -> tuple[Rival, ...]:
    """Majority, linear, nearest neighbours, boosting; columns of other kinds as their own rivals see them."""
    encoded = partial(_beside, table=one_hot, task=task, members=members)
    bare = partial(_beside, table=raw, task=task, members=members)
    return (
        Rival("the most frequent answer" if task.labels else "the mean answer", "majority"),
        Rival("linear on the columns", "linear", encoded),
        Rival("nearest neighbours on the columns", "neighbours", encoded),
        Rival("boosting on the columns", "boosting", bare, most=100_000),
    )


def one_hot(values: Values, spec: Spec) -> list[Any]:
    """Numbers in standard deviations, NaN where missing; one column of 0 and 1 for each category."""
    blocks: list[Any] = []
    if NUMBERS in spec.columns:
        own = spec.columns[NUMBERS]
        x = (np.asarray(values[NUMBERS]) - np.array(own.centre, np.float32)) / np.array(
            own.spread, np.float32
        )
        blocks.append(np.clip(x, -LOUDEST, LOUDEST))
    if CATEGORIES in spec.columns:
        tokens = np.asarray(values[CATEGORIES])
        sizes = spec.columns[CATEGORIES].sizes
        blocks += [(tokens[:, k, None] == np.arange(size)).astype(np.float32) for k, size in enumerate(sizes)]
    return blocks


def raw(values: Values, spec: Spec) -> list[Any]:
    """Numbers as they are; categories as their place by frequency, NaN where rare or new."""
    blocks: list[Any] = []
    if NUMBERS in spec.columns:
        blocks.append(np.asarray(values[NUMBERS]))
    if CATEGORIES in spec.columns:
        tokens = np.asarray(values[CATEGORIES], np.float32)
        blocks.append(np.where(tokens == 0, np.float32(np.nan), tokens))
    return blocks


def _beside(
    values: Values,
    facts: Facts,
    spec: Spec,
    *,
    table: Callable[[Values, Spec], list[Any]],
    task: Task,
    members: Sequence[Kind],
) -> Features:
    """Blocks of columns side by side: dense, or sparse where a text column makes them wide."""
    others: dict[str, Features] = {}
    for field, own in spec.columns.items():
        if field not in (NUMBERS, CATEGORIES):
            linear = next(r for r in member_of(field, members).rivals(own, task) if r.learner == "linear")
            if linear.features is not None:
                others[field] = linear.features({ONLY: values[field]}, facts, own)

    def see(values: Values, facts: Facts) -> Any:
        blocks = table(values, spec)
        blocks += [seen({ONLY: values[field]}, facts) for field, seen in others.items()]
        if any(sparse.issparse(b) for b in blocks):
            return sparse.hstack(
                [b if sparse.issparse(b) else sparse.csr_array(np.nan_to_num(b)) for b in blocks], "csr"
            )
        return np.hstack(blocks)

    return see

"""Train on columns in memory, all of them for training: what an estimator's `fit` asks for."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.data import Column, Roles, Source, Split
from layerwise.model import Model
from layerwise.randomness import Randomness
from layerwise.tasks import task_named
from layerwise.workflows.lay import Laid
from layerwise.workflows.learn import learn
from layerwise.workflows.narrate import Silent
from layerwise.workflows.prepare import assemble
from layerwise.workflows.settle import reading_settings, settle

__all__ = ["train_columns"]

LEAST_FOR_VALIDATION = 200  # training rows; with fewer, all of them train


def train_columns(
    columns: Mapping[str, Column],
    targets: np.ndarray,
    *,
    kind: str,
    task: str,
    weights: np.ndarray | None = None,
    like: str | None = None,
    settings: Mapping[str, Any] | None = None,
    budget: float | None = None,
    seed: int = 0,
) -> Model:
    """A model trained on these columns of N rows; targets (N,) or (N, K), weights (N,) of the loss.

    Nothing is held out: whoever calls this judges the model on data of their own. From 200 rows on a tenth
    is kept for calibration.
    """
    n = len(targets)
    source = Source("data", {**columns}, [f"row {i + 1}" for i in range(n)])
    roles = Roles(tuple(columns), ())
    fitted = task_named(task).fit(targets)
    settings = settings or {}
    with tempfile.TemporaryDirectory(prefix="layerwise-") as run:
        split = _all_for_training(n, seed)
        why, reading = "as asked", reading_settings(None, settings)
        laid = Laid(source, roles, kind_named(kind), why, fitted, why, split, targets, reading, roles.inputs)
        prepared = assemble(laid, run=Path(run), weights=weights)
        recipe = settle(prepared, given=None, like=like, settings=settings, budget=budget, seed=seed)
        return learn(prepared, recipe, checkpoint=None, narrator=Silent())


def _all_for_training(n: int, seed: int) -> Split:
    rows, none = np.arange(n), np.empty(0, np.int64)
    if n < LEAST_FOR_VALIDATION:
        return Split(rows, none, none, "given", "all rows train")
    kept = np.sort(Randomness(seed).at("split").numpy("validation").permutation(n)[: n // 10])
    return Split(np.setdiff1d(rows, kept), kept, none, "given", "all rows train, a tenth calibrates")

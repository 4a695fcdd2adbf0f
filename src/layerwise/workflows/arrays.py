"""Train on columns in memory, all of them for training: what an estimator's `fit` asks for."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.data import Column, Packed, Roles, Source
from layerwise.kinds import kind_named
from layerwise.model import Model
from layerwise.randomness import Randomness
from layerwise.tasks import Task
from layerwise.train import Phase, Supervised, train
from layerwise.workflows.lay import Laid
from layerwise.workflows.narrate import Silent
from layerwise.workflows.prepare import assemble
from layerwise.workflows.settle import SEARCH, reading_settings, settle
from layerwise.workflows.stored import all_for_training, pack
from layerwise.workflows.supervised import supervised

__all__ = ["train_columns", "train_more"]


def train_columns(
    columns: Mapping[str, Column],
    targets: np.ndarray,
    *,
    kind: str,
    task: Task,
    weights: np.ndarray | None = None,
    like: str | None = None,
    settings: Mapping[str, Any] | None = None,
    budget: float | None = None,
    seed: int = 0,
) -> Model:
    """A model trained on these columns of N rows; targets (N,) or (N, K), weights (N,) of the loss.

    `task` is fitted already, so that it may know classes that are not among these rows.

    Nothing is held out: whoever calls this judges the model on data of their own. From 200 rows on a tenth
    is kept for calibration.
    """
    n = len(targets)
    source = Source("data", {**columns}, [f"row {i + 1}" for i in range(n)])
    roles = Roles(tuple(columns), ())
    settings = settings or {}
    with tempfile.TemporaryDirectory(prefix="layerwise-") as run:
        split = all_for_training(n, seed)
        why, reading = "as asked", reading_settings(None, settings)
        laid = Laid(source, roles, kind_named(kind), why, task, why, split, targets, reading, roles.inputs)
        prepared = assemble(laid, run=Path(run), weights=weights)
        recipe = settle(prepared, given=None, like=like, settings=settings, budget=budget, seed=seed)
        searching = SEARCH in settings.items()
        return supervised(prepared, recipe, checkpoint=None, narrator=Silent(), search=searching)


def train_more(
    model: Model, columns: Mapping[str, Column], targets: np.ndarray, *, weights: np.ndarray | None = None
) -> None:
    """One more pass of the model's training over new rows, at a constant rate; the reader stays as it is."""
    source, rows = (
        Source("data", {**columns}, [f"row {i + 1}" for i in range(len(targets))]),
        np.arange(len(targets)),
    )
    training = replace(
        model.recipe.training,
        epochs=1,
        steps=None,
        seconds=None,
        schedule="constant",
        patience=None,
        average=None,
    )
    with tempfile.TemporaryDirectory(prefix="layerwise-") as run:
        store = pack(source, model.inputs, model.reader, rows, run=Path(run), workers=0)
        encoded = model.task.encode(targets[store.rows])
        of_loss = model.task.weights(encoded, None if weights is None else weights[store.rows])

        def data(size: int, rng: Randomness) -> Packed:
            return Packed(store, np.arange(len(store)), targets=encoded, weights=of_loss, size=size, rng=rng)

        phase = Phase.of(training, Supervised(model.task, model.kind.alter(model.spec, training.alter)))
        passes = int(model.about.get("passes", 1))
        for _ in train(model.net, (phase,), data, seed=training.seed + passes):
            pass
        model.about["passes"] = passes + 1

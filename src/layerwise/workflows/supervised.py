"""Prepared data and a recipe in; a trained, calibrated model out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.data import Packed
from layerwise.model import Model, Product, outputs_of
from layerwise.nn import Pipeline, describe
from layerwise.randomness import Randomness
from layerwise.recipe import Recipe
from layerwise.train import Data, Phase, Plan, Supervised, constant, find_rate
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.prepare import Prepared
from layerwise.workflows.running import followed, lasting, on_device, on_threads, rated
from layerwise.workflows.settle import HEAD_STEPS, untrained

__all__ = ["answer_rows", "supervised"]

MOST_VALIDATION = 5_000  # rows looked at after each epoch
EVALUATION_BATCH = 256
HEAD = 0.1  # of a budget, in which a new head learns alone, before it moves the levels below it
SCORES = {"classify": "accuracy", "tags": "tags right"}
"""What the scores of a task are, where they say more than the loss."""


def supervised(
    prepared: Prepared,
    recipe: Recipe,
    *,
    checkpoint: Path | None,
    narrator: Narrator,
    search: bool = False,
    start: Product | None = None,
) -> Model:
    """Train the recipe's network; its threads, and its steps where they were timed, are written into it.

    With `search` the rate too is chosen here, by a short trial on training batches. Stages that `start` has
    begin with its weights: they stay as they are where the recipe says `frozen`, and are tuned with the new
    ones otherwise, once these have learned alone for a while.

    Raises Interrupted after Ctrl-C: what was reached lies in `checkpoint`.
    """
    net, task = untrained(recipe, prepared.spec, prepared.task.outputs), prepared.task
    task.configure(recipe.training)
    known = () if start is None else _begun(net, start)
    levels = [level for level in describe(net, prepared.spec) if "." not in level.name]
    recipe = on_threads(recipe, sum(level.cost for level in levels))
    weights = sum(p.numel() for p in net.parameters())
    names = " -> ".join(level.name for level in levels)
    narrator.say("Network", f"{names}, {weights:,} weights (--set network...)")
    started = time.monotonic()
    plan = _plan(prepared, recipe, net, known)
    with on_device(net, plan, recipe) as where:
        examples = _examples(prepared, where)
        if search:
            found = find_rate(net, plan[-1], examples, seed=recipe.training.seed)
            recipe = rated(recipe, found, narrator)
            plan = _plan(prepared, recipe, net, known)
        done = followed(
            net,
            plan,
            examples,
            seed=recipe.training.seed,
            checkpoint=checkpoint,
            evaluate=_validation(prepared) if len(prepared.validation) else None,
            narrator=narrator,
            score=SCORES.get(task.name),
        )
    recipe = lasting(recipe, done, narrator)
    rows = prepared.validation
    if len(rows):
        outputs = answer_rows(net, prepared, rows)
        task.calibrate(outputs, torch.as_tensor(prepared.targets[rows]))
    about = {"seconds": {"training": time.monotonic() - started}, "steps": list(done.taken)}
    return Model(
        name=prepared.source.name,
        kind=prepared.kind,
        reader=prepared.reader,
        net=net,
        task=task,
        recipe=recipe,
        inputs=prepared.reader.needs(prepared.asks),
        about=about,
        history=dict(done.history),
    )


def answer_rows(net: nn.Module, prepared: Prepared, rows: np.ndarray) -> Tensor:
    """Raw outputs (n, ...) for stored rows, in their order."""
    batches = Packed(prepared.store, rows, size=EVALUATION_BATCH)
    return torch.cat([outputs_of(net, batches.at(i).inputs) for i in range(batches.steps_per_epoch)])


def _begun(net: Pipeline, start: Product) -> tuple[str, ...]:
    """Give the stages that `start` has its weights; returns their names."""
    known = dict(start.net.stages())
    names = tuple(name for name, _ in net.stages() if name in known and name != net.stages()[-1][0])
    for name in names:
        net.get_submodule(name).load_state_dict(known[name].state_dict())
    return names


def _plan(prepared: Prepared, recipe: Recipe, net: Pipeline, known: tuple[str, ...]) -> Plan:
    """What the recipe describes: one phase; two where stages that are `known` are to be tuned."""
    alter = prepared.kind.alter(prepared.spec, recipe.training.alter)
    phase = Phase.of(recipe.training, Supervised(prepared.task, alter))
    if not known:
        return (phase,)
    new = tuple(name for name, _ in net.stages() if name not in known)
    if recipe.training.frozen:
        return (replace(phase, learns=new),)
    steps: int | None = recipe.training.head or HEAD_STEPS
    seconds: float | None = None
    if recipe.training.head is None and phase.seconds is not None:
        steps, seconds = None, HEAD * phase.seconds
        phase = replace(phase, seconds=phase.seconds - seconds)
    # at one rate and without an average, so that so many steps are the same ones whether they were timed or not
    head = replace(
        phase, name="head", learns=new, schedule=constant, steps=steps, seconds=seconds, epochs=None, pace=None,
        patience=None, average=None,
    )  # fmt: skip
    return (head, phase)


def _examples(prepared: Prepared, where: torch.device) -> Data:
    """The training rows in batches, for a network on the device `where`."""
    weights = prepared.task.weights(prepared.targets, prepared.weights)

    def data(size: int, rng: Randomness) -> Packed:
        return Packed(
            prepared.store,
            prepared.train,
            targets=prepared.targets,
            weights=weights,
            size=size,
            rng=rng,
            device=where,
        )

    return data


def _validation(prepared: Prepared) -> Callable[[nn.Module], Mapping[str, float]]:
    rows = prepared.validation
    if len(rows) > MOST_VALIDATION:
        draw = Randomness(0).numpy("validation rows shown")
        rows = np.sort(draw.choice(rows, MOST_VALIDATION, replace=False))
    targets = torch.as_tensor(prepared.targets[rows])

    def evaluate(net: nn.Module) -> Mapping[str, float]:
        outputs = answer_rows(net, prepared, rows)
        scores = prepared.task.scores(prepared.task.decode(outputs), prepared.targets[rows])
        return {"loss": float(prepared.task.loss(outputs, targets, None)), "score": float(np.nanmean(scores))}

    return evaluate

"""Prepared data and a recipe in; a trained, calibrated model out."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from layerwise import device
from layerwise.data import Packed
from layerwise.errors import Interrupted
from layerwise.figures import in_seconds
from layerwise.model import Model, outputs_of
from layerwise.nn import Pipeline, describe
from layerwise.randomness import Randomness
from layerwise.recipe import Recipe
from layerwise.train import (
    Data,
    Done,
    Epoch,
    Event,
    Phase,
    RateSearch,
    Recovered,
    Step,
    Supervised,
    find_rate,
    train,
)
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.prepare import Prepared
from layerwise.workflows.settle import untrained

__all__ = ["answer_rows", "learn"]

MOST_VALIDATION = 5_000  # rows looked at after each epoch
EVALUATION_BATCH = 256
FEW_STEPS = 100
SHOWN = {"classify": "accuracy", "tags": "tags right"}
"""What the scores of a task are, where they say more than the loss."""


def learn(
    prepared: Prepared,
    recipe: Recipe,
    *,
    checkpoint: Path | None,
    narrator: Narrator,
    search: bool = False,
) -> Model:
    """Train the recipe's network; its threads, and its steps where they were timed, are written into it.

    With `search` the rate too is chosen here, by a short trial on training batches.

    Raises Interrupted after Ctrl-C: what was reached lies in `checkpoint`.
    """
    net, task = untrained(recipe, prepared.spec, prepared.task), prepared.task
    task.configure(recipe.training)
    levels = [level for level in describe(net, prepared.spec) if "." not in level.name]
    recipe = _on_threads(recipe, sum(level.cost for level in levels))
    weights = sum(p.numel() for p in net.parameters())
    names = " -> ".join(level.name for level in levels)
    narrator.say("Network", f"{names}, {weights:,} weights (--set network...)")
    started = time.monotonic()
    where = device.place(net, precision=recipe.training.precision)
    with device.threads(recipe.training.threads or 1):
        examples = _examples(prepared, where)
        phase = _phase(prepared, recipe)
        if search:
            recipe = _rated(recipe, find_rate(net, phase, examples, seed=recipe.training.seed), narrator)
            phase = _phase(prepared, recipe)
        done = _follow(net, phase, examples, prepared, recipe.training.seed, checkpoint, narrator)
    device.bring_back(net)
    if done.interrupted:
        raise Interrupted(
            f"stopped after step {done.taken[-1]:,} of {done.steps[-1]:,}; what was reached is kept"
        )
    recipe = _lasting(recipe, done, narrator)
    rows = prepared.validation
    if len(rows):
        outputs = answer_rows(net, prepared, rows)
        task.calibrate(outputs, torch.as_tensor(prepared.targets[rows]))
    about = {"seconds": {"training": time.monotonic() - started}, "steps": list(done.taken)}
    return Model(
        prepared.source.name,
        prepared.kind,
        prepared.reader,
        net,
        task,
        recipe,
        prepared.reader.needs(prepared.asks),
        about,
        dict(done.history),
    )


def _rated(recipe: Recipe, found: RateSearch, narrator: Narrator) -> Recipe:
    """The recipe with the rate that was found."""
    why = f"a tenth of where the loss was lowest of {len(found.rates)} rates tried"
    recipe = recipe.but("training.rate", float(f"{found.rate:.3g}"), why)
    narrator.say("Rate", f"{recipe.training.rate:g}: {why}")
    return recipe


def _lasting(recipe: Recipe, done: Done, narrator: Narrator) -> Recipe:
    """The recipe with the steps that a timed run took; says what ended it before its time."""
    taken, planned, seconds = done.taken[-1], done.steps[-1], recipe.training.seconds
    if taken < planned:
        narrator.say(
            "Stopped",
            f"after step {taken:,} of {planned:,}: no better on validation rows for"
            f" {recipe.training.patience} epochs (--set training.patience); the best weights are kept",
        )
    if seconds is None:
        return recipe
    if taken < FEW_STEPS:
        many = f"only {taken:,} steps fit into {in_seconds(seconds)}"
        narrator.say("Budget", f"{many}: too few to learn much; give more time")
    recipe = recipe.but("training.steps", planned, f"reached in {in_seconds(seconds)}")
    return recipe.but("training.pace", list(done.paces[-1] or ()), "how fast it was in each twentieth")


def answer_rows(net: nn.Module, prepared: Prepared, rows: np.ndarray) -> Tensor:
    """Raw outputs (n, ...) for stored rows, in their order."""
    batches = Packed(prepared.store, rows, size=EVALUATION_BATCH)
    return torch.cat([outputs_of(net, batches.at(i).inputs) for i in range(batches.steps_per_epoch)])


def _phase(prepared: Prepared, recipe: Recipe) -> Phase:
    """The one phase of training that the recipe describes."""
    alter = prepared.kind.alter(prepared.spec, recipe.training.alter)
    return Phase.of(recipe.training, Supervised(prepared.task, alter))


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


def _follow(
    net: Pipeline,
    phase: Phase,
    examples: Data,
    prepared: Prepared,
    seed: int,
    checkpoint: Path | None,
    narrator: Narrator,
) -> Done:
    """Run the loop and tell the narrator; returns its last event."""
    with _stoppable() as stop:
        events = train(
            net,
            (phase,),
            examples,
            seed=seed,
            checkpoint=checkpoint,
            evaluate=_validation(prepared) if len(prepared.validation) else None,
            stop=stop,
        )
        return _narrated(events, narrator, prepared.task.name)


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


def _narrated(events: Iterator[Event], narrator: Narrator, task: str) -> Done:
    first: float | None = None
    estimated = False
    shown, score = 0.0, ""
    for event in events:
        if isinstance(event, Step):
            now = time.monotonic()
            if first is None:
                first, begin = now, event.step
            elif not estimated and (event.step - begin >= 5 or now - first > 2 or event.step == event.steps):
                estimated = True
                left = (now - first) / (event.step - begin) * max(1, event.steps - event.step)
                narrator.say("Training", f"about {in_seconds(left)} on {_where()}")
            if estimated and (now - shown > 0.2 or event.step == event.steps):
                shown = now
                narrator.progress(event.step / event.steps, f"loss {float(event.loss):.3g}{score}")
        elif isinstance(event, Epoch) and "score" in event.scores:
            named = SHOWN.get(task, "loss")
            score = f"  validation {named} {event.scores['score' if task in SHOWN else 'loss']:.3g}"
        elif isinstance(event, Recovered):
            narrator.say("Recovered", event.reason)
        elif isinstance(event, Done):
            return event
    raise AssertionError("the loop ends with Done")


def _on_threads(recipe: Recipe, multiply_adds: int) -> Recipe:
    """The recipe with its number of threads, by the work of a step where nobody said it."""
    if recipe.training.threads is not None:
        return recipe
    work = 3 * multiply_adds * recipe.training.batch  # forward, and twice as much backward
    number = device.threads_for(work)
    why = f"a step is {work / 1e6:,.0f} million multiply-adds"
    return recipe.but("training.threads", number, why)


def _where() -> str:
    """`the GPU`, `1 thread`, `2 threads`."""
    number = torch.get_num_threads()
    threads = f"{number} thread{'s' if number > 1 else ''}"
    return threads if device.best_device().type == "cpu" else "the GPU"


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; pressed twice, it interrupts at once. Outside the main thread: never."""
    pressed = False

    def note(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)

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

from layerwise.data import Packed
from layerwise.errors import Interrupted
from layerwise.figures import in_seconds
from layerwise.model import Model, outputs_of
from layerwise.nn import Pipeline, describe
from layerwise.randomness import Randomness
from layerwise.recipe import Recipe
from layerwise.train import Done, Epoch, Event, Phase, Recovered, Step, Supervised, train
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.prepare import Prepared
from layerwise.workflows.settle import untrained

__all__ = ["answer_rows", "learn"]

MOST_VALIDATION = 5_000  # rows looked at after each epoch
EVALUATION_BATCH = 256


def learn(prepared: Prepared, recipe: Recipe, *, checkpoint: Path | None, narrator: Narrator) -> Model:
    """Train the recipe's network; its steps are written into the recipe where they were timed.

    Raises Interrupted after Ctrl-C: what was reached lies in `checkpoint`.
    """
    net, task = untrained(recipe, prepared.spec, prepared.task), prepared.task
    task.configure(recipe.training)
    _say_network(net, prepared, narrator)
    started = time.monotonic()
    done = _follow(net, prepared, recipe, checkpoint, narrator)
    if done.interrupted:
        raise Interrupted(
            f"stopped after step {done.taken[-1]:,} of {done.steps[-1]:,}; what was reached is kept"
        )
    if recipe.training.seconds is not None:
        recipe = recipe.but(
            "training.steps", done.steps[0], f"reached in {in_seconds(recipe.training.seconds)}"
        )
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
        prepared.asks,
        about,
        dict(done.history),
    )


def answer_rows(net: nn.Module, prepared: Prepared, rows: np.ndarray) -> Tensor:
    """Raw outputs (n, ...) for stored rows, in their order."""
    batches = Packed(prepared.store, rows, size=EVALUATION_BATCH)
    return torch.cat([outputs_of(net, batches.at(i).inputs) for i in range(batches.steps_per_epoch)])


def _follow(
    net: Pipeline, prepared: Prepared, recipe: Recipe, checkpoint: Path | None, narrator: Narrator
) -> Done:
    """Run the loop and tell the narrator; returns its last event."""
    alter = prepared.kind.alter(prepared.spec, recipe.training.alter)
    phase = Phase.of(recipe.training, Supervised(prepared.task, alter))
    weights = prepared.task.weights(prepared.targets, prepared.weights)

    def data(size: int, rng: Randomness) -> Packed:
        return Packed(
            prepared.store, prepared.train, targets=prepared.targets, weights=weights, size=size, rng=rng
        )

    with _stoppable() as stop:
        events = train(
            net,
            (phase,),
            data,
            seed=recipe.training.seed,
            checkpoint=checkpoint,
            evaluate=_validation(prepared) if len(prepared.validation) else None,
            stop=stop,
        )
        return _narrated(events, narrator)


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


def _narrated(events: Iterator[Event], narrator: Narrator) -> Done:
    first: float | None = None
    estimated = False
    shown, score = 0.0, ""
    for event in events:
        if isinstance(event, Step):
            now = time.monotonic()
            if first is None:
                first, begin = now, event.step
            elif not estimated and (event.step - begin >= 5 or now - first > 2):
                estimated = True
                left = (now - first) / (event.step - begin) * (event.steps - event.step)
                narrator.say("Training", f"about {in_seconds(left)} on {torch.get_num_threads()} cores")
            if now - shown > 0.2 or event.step == event.steps:
                shown = now
                narrator.progress(event.step / event.steps, f"loss {float(event.loss):.3g}{score}")
        elif isinstance(event, Epoch) and "score" in event.scores:
            score = f"  validation {event.scores['score']:.3g}"
        elif isinstance(event, Recovered):
            narrator.say("Recovered", event.reason)
        elif isinstance(event, Done):
            return event
    raise AssertionError("the loop ends with Done")


def _say_network(net: Pipeline, prepared: Prepared, narrator: Narrator) -> None:
    levels = describe(net, prepared.spec)
    weights = sum(p.numel() for p in net.parameters())
    names = [level.name for level in levels if "." not in level.name]
    narrator.say("Network", f"{' -> '.join(names)}, {weights:,} weights (--set network...)")


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

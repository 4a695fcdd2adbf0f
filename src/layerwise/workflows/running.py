"""A plan under way in a workflow: where it runs, Ctrl-C, what the narrator is told, what the recipe keeps."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from layerwise import device
from layerwise.errors import Interrupted
from layerwise.figures import in_seconds
from layerwise.recipe import Recipe
from layerwise.train import Data, Done, Epoch, Event, Plan, RateSearch, Recovered, Step, train
from layerwise.train.running import Evaluate
from layerwise.workflows.narrate import Narrator

__all__ = ["followed", "lasting", "on_device", "on_threads", "rated"]

WHOLE = "train"  # the phase in which all that is left to learn learns
FEW_STEPS = 100


@contextmanager
def on_device(net: nn.Module, plan: Plan, recipe: Recipe) -> Iterator[torch.device]:
    """The net and what its objectives hold where training is fastest, on the recipe's number of threads."""
    parts = [net, *(phase.objective for phase in plan)]  # decoders, teachers and chains belong to objectives
    for part in parts:
        where = device.place(part, precision=recipe.training.precision)
    with device.threads(recipe.training.threads or 1):
        yield where
    for part in parts:
        device.bring_back(part)


def followed(
    net: nn.Module,
    plan: Plan,
    examples: Data,
    *,
    seed: int,
    checkpoint: Path | None,
    evaluate: Evaluate | None,
    narrator: Narrator,
    score: str | None = None,
) -> Done:
    """Run the loop and tell the narrator; returns its last event. Raises Interrupted after Ctrl-C.

    `score` is what the figure "score" of `evaluate` is called where it says more than the loss.
    """
    with _stoppable() as stop:
        events = train(net, plan, examples, seed=seed, checkpoint=checkpoint, evaluate=evaluate, stop=stop)
        done = _narrated(events, narrator, score)
    if done.interrupted:
        raise Interrupted(
            f"stopped after step {done.taken[-1]:,} of {done.steps[-1]:,}; what was reached is kept"
        )
    return done


def on_threads(recipe: Recipe, multiply_adds: int) -> Recipe:
    """The recipe with its number of threads, by the work of a step where nobody said it."""
    if recipe.training.threads is not None:
        return recipe
    work = 3 * multiply_adds * recipe.training.batch  # forward, and twice as much backward
    number = device.threads_for(work)
    why = f"a step is {work / 1e6:,.0f} million multiply-adds"
    return recipe.but("training.threads", number, why)


def rated(recipe: Recipe, found: RateSearch, narrator: Narrator) -> Recipe:
    """The recipe with the rate that was found."""
    why = f"a tenth of where the loss was lowest of {len(found.rates)} rates tried"
    recipe = recipe.but("training.rate", float(f"{found.rate:.3g}"), why)
    narrator.say("Rate", f"{recipe.training.rate:g}: {why}")
    return recipe


def lasting(recipe: Recipe, done: Done, narrator: Narrator) -> Recipe:
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
        many = f"only {taken:,} {'step fits' if taken == 1 else 'steps fit'} into {in_seconds(seconds)}"
        narrator.say("Budget", f"{many}: too few to learn much; give more time")
    if len(done.steps) > 1 and recipe.training.head is None:
        recipe = recipe.but("training.head", done.steps[0], "reached in a tenth of that")
    recipe = recipe.but("training.steps", planned, f"reached in {in_seconds(seconds)}")
    return recipe.but("training.pace", list(done.paces[-1] or ()), "how fast it was in each twentieth")


def _narrated(events: Iterator[Event], narrator: Narrator, named: str | None) -> Done:
    first, phase = 0.0, ""
    estimated = False
    shown, score = 0.0, ""
    for event in events:
        if isinstance(event, Step):
            now = time.monotonic()
            if event.phase != phase:
                first, begin, phase, estimated = now, event.step, event.phase, False
            elif not estimated and (event.step - begin >= 5 or now - first > 2 or event.step == event.steps):
                estimated = True
                left = (now - first) / (event.step - begin) * max(1, event.steps - event.step)
                named_phase = "" if phase == WHOLE else f", {phase}"
                narrator.say("Training", f"about {in_seconds(left)} on {_where()}{named_phase}")
            if estimated and (now - shown > 0.2 or event.step == event.steps):
                shown = now
                narrator.progress(event.step / event.steps, f"loss {float(event.loss):.3g}{score}")
        elif isinstance(event, Epoch) and "score" in event.scores and named:
            score = f"  validation {named} {event.scores['score']:.3g}"
        elif isinstance(event, Epoch) and "loss" in event.scores:
            score = f"  validation loss {event.scores['loss']:.3g}"
        elif isinstance(event, Recovered):
            narrator.say("Recovered", event.reason)
        elif isinstance(event, Done):
            return event
    raise AssertionError("the loop ends with Done")


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

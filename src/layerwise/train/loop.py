"""The loop: runs the phases of a plan, on any net, with any objective and any batches.

It yields what happens and calls nobody back. All randomness is a function of (seed, phase, step), so a run
that was stopped anywhere, in any way, goes on from its checkpoint to bit-identical weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from layerwise.errors import DataError, ModelError, UsageError, listed, shown
from layerwise.randomness import Randomness
from layerwise.train import checkpoint as files
from layerwise.train.budget import Timing, rehearse
from layerwise.train.pieces import Batches, on
from layerwise.train.plan import Phase, Plan
from layerwise.train.progress import Done, Epoch, Event, Progress, Recovered, Saved, Step
from layerwise.train.running import AfterGradients, Evaluate, OutOfMemory, Running, device_of
from layerwise.train.state import Nest, as_found, put, tensors

__all__ = ["Data", "train"]

Data: TypeAlias = Callable[[int, Randomness], Batches]

RECOVERIES = 3
RISING = 1 / 3  # of a phase, in which patience is not lost: rates still rise and averages lag behind
WRITING = 0.02  # of the time: what writing checkpoints may take
CURVE = 100  # points of the loss curve, a phase
LOOK = 16  # losses that may wait on a GPU before somebody looks at them


def train(
    net: nn.Module,
    plan: Plan,
    data: Data,
    *,
    seed: int,
    checkpoint: Path | None = None,
    every: int = 100,
    evaluate: Evaluate | None = None,
    after_gradients: AfterGradients | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train `net` in place; the last event is `Done`.

    `data(size, rng)` gives the batches of a phase. `evaluate(net)` is called after each epoch, in
    evaluation mode, without gradients, on averaged weights where there are any; it returns figures by name,
    of which "loss" decides about the best weights and patience. `after_gradients(net, batch)` may change
    gradients, to sum them over processes. Every `every` steps the run remembers where it is, to go back
    there should the loss blow up, and writes it to the file `checkpoint`, as often as takes at most 2 % of
    the time; where that file is, the run goes on from it. `stop()` is asked between steps: once true, the
    run is saved and ends with `Done(interrupted=True)`.

    A phase of so many seconds is planned a twentieth at a time, from how fast it is. Its rates depend on
    those numbers of steps alone, which `Done.paces` gives: a phase with that pace repeats it bit for bit.

    Raises DataError if the loss blows up again and again, MachineError if disk or memory do not suffice,
    ModelError if the checkpoint is of another run.
    """
    if not plan:
        raise UsageError("a plan needs at least one phase, got none")
    if every < 1:
        raise UsageError(f"every must be at least 1 step, got {every}")
    for phase in plan:
        if phase.patience is not None and evaluate is None:
            raise UsageError(f"phase {shown(phase.name)} has patience: give train an evaluate to judge by")
    run = _Run(net, plan, data, seed, checkpoint, every, evaluate, after_gradients, stop)
    while run.progress.phase < len(plan) and not run.interrupted:
        with as_found(net, *(phase.objective for phase in plan)):
            yield from run.through_phase()
    yield run.done()


class _BlowUp(Exception):
    """The loss is not finite, or rose far above where it began."""


class _Run:
    """A call of `train`: how far it is, and where it can go back to."""

    def __init__(
        self,
        net: nn.Module,
        plan: Plan,
        data: Data,
        seed: int,
        checkpoint: Path | None,
        every: int,
        evaluate: Evaluate | None,
        after_gradients: AfterGradients | None,
        stop: Callable[[], bool],
    ) -> None:
        self.progress = Progress()
        self.interrupted = False
        self._net = net
        self._plan = plan
        self._data = data
        self._rng = Randomness(seed).at("train")
        self._checkpoint = checkpoint
        self._every = every
        self._evaluate = evaluate
        self._after_gradients = after_gradients
        self._stop = stop
        self._anchor: dict[str, Nest] = {}  # the state to go back to when the loss blows up
        self._best: dict[str, Tensor] | None = None
        self._pending: list[Tensor] = []  # losses not yet looked at
        self._write_again = 0.0  # on the clock
        self._identity = {"seed": seed, "phases": [_identity(phase) for phase in plan]}
        self._since = time.monotonic()
        self._resume: dict[str, Nest] | None = self._read()

    # ---- phases

    def through_phase(self) -> Iterator[Event]:
        """Run the phase that is next, from its start or from where a checkpoint stands."""
        began = self._clock()
        phase = self._plan[self.progress.phase]
        batches = self._begin()
        run = Running(
            self._net,
            phase,
            rng=self._rng.at("phase", self.progress.phase),
            objectives=[p.objective for p in self._plan[: self.progress.phase + 1]],
            after_gradients=self._after_gradients,
        )
        if self._resume is not None:
            self._load(run, self._resume)
            self._resume = None
        else:
            self._measure(run, batches, began)
            self.progress.pieces = run.pieces
            self._anchor = self._state(run)
            yield from self._save(self._anchor)
        while self.progress.step < self.progress.steps and not self.progress.stopped:
            if self._stop():
                self.interrupted = True
                yield from self._save(self._state(run))
                break
            yield from self._advance(run, batches)
        self._finish(run)
        if not self.interrupted:
            self.progress = self.progress.next_phase()
            if self.progress.phase == len(self._plan):
                yield from self._save(self._final())

    def done(self) -> Done:
        """The last event."""
        if self._resume is not None:  # the checkpoint is of a finished run
            self._begin()
            put(self._net, self._resume["net"])
            for phase, values in zip(self._plan, self._resume["objectives"], strict=True):
                put(phase.objective, values)
        p = self.progress
        reached = [] if p.phase == len(self._plan) else [p.step]
        return Done(
            steps=(*p.lengths, *(p.steps for _ in reached)),
            paces=tuple(
                None if pace is None else tuple(pace) for pace in (*p.paces, *(p.pace for _ in reached))
            ),
            taken=(*p.taken, *reached),
            seconds=self._clock() if self._resume is None else p.seconds,
            history=p.history,
            interrupted=self.interrupted,
        )

    def _measure(self, run: Running, batches: Batches, began: float) -> None:
        """Find out how long the phase is, or begin to; it began at `began` on the run's clock."""
        p, phase = self.progress, run.phase
        p.steps = phase.length(batches.steps_per_epoch)
        p.pace = None if phase.pace is None else list(phase.pace)
        if phase.seconds is not None:
            step, evaluation = rehearse(run, batches, self._evaluate, phase.seconds)
            now = self._clock()
            p.timing = Timing(now, began + phase.seconds, step, evaluation, since=now)
            p.pace = []
            p.plan(now, batches.steps_per_epoch)

    def _begin(self) -> Batches:
        """Let the objectives up to this phase make their state; the batches of this phase."""
        here = min(self.progress.phase, len(self._plan) - 1)
        for index in range(here if self._resume is None else 0, here + 1):
            phase = self._plan[index]
            batches = self._data(phase.size, self._rng.at("data", index))
            example = on(batches.at(0), device_of(self._net))
            phase.objective.begin(self._net, example, self._rng.at("begin", index))
        return batches

    def _finish(self, run: Running) -> None:
        """Leave the net with the weights that answer best."""
        if self._best is not None:
            put(self._net, self._best)
        elif run.average is not None:
            put(self._net, run.average.values)
        self._best = None
        run.close()

    # ---- steps

    def _advance(self, run: Running, batches: Batches) -> Iterator[Event]:
        """One step and what follows from it."""
        trouble: str | None = None
        try:
            step = self._step(run, batches)
        except OutOfMemory:
            trouble = "out of memory"
        except _BlowUp as error:
            trouble = str(error)
        if trouble is not None:  # outside the except, whose traceback holds on to tensors
            yield self._recovered(run, trouble)
            return
        yield step
        p = self.progress
        if p.step % batches.steps_per_epoch == 0 or p.step == p.steps:
            yield self._epoch(run, batches)
        p.plan(self._clock(), batches.steps_per_epoch)
        if p.step % self._every == 0 and p.level <= p.limit() / 2:  # never go back to a run on its way up
            self._anchor = self._state(run)
            if time.monotonic() >= self._write_again:
                yield from self._save(self._anchor)

    def _step(self, run: Running, batches: Batches) -> Step:
        p, steps = self.progress, self.progress.steps
        along = p.along(p.step + 0.5)
        share = p.share * run.phase.schedule(along)
        scalars = run.step(batches.at(p.step), p.step, share, along=along, last=p.step + 1 == steps)
        p.step += 1
        self._pending.append(scalars["loss"])
        stride = max(1, steps // CURVE)
        settled = p.step % self._every == 0 or p.step == steps or p.step % batches.steps_per_epoch == 0
        if settled or p.step % stride == 0 or run.device.type == "cpu" or len(self._pending) == LOOK:
            self._look()
        if settled and not run.finite():
            raise _BlowUp(f"weights stopped being numbers at step {p.step}")
        if p.curve_count and p.step % stride == 0:
            mean = p.curve_sum / p.curve_count
            p.record("curve", phase=run.phase.name, step=p.step, loss=mean, rate=share)
            p.curve_sum, p.curve_count = 0.0, 0
        epoch = p.step / batches.steps_per_epoch
        return Step(run.phase.name, p.step, steps, epoch, scalars["loss"], scalars, share)

    def _look(self) -> None:
        """Look at the losses that are waiting: on a GPU that makes everybody wait, so not at each step."""
        losses = torch.stack(self._pending).tolist() if len(self._pending) > 1 else [self._pending[0].item()]
        self._pending.clear()
        for loss in losses:
            wrong = self.progress.note(loss)
            if wrong is not None:
                raise _BlowUp(f"{wrong} at step {self.progress.step}")

    def _epoch(self, run: Running, batches: Batches) -> Epoch:
        p = self.progress
        asked = time.monotonic()
        scores = {} if self._evaluate is None else run.evaluated(self._evaluate)
        if p.timing is not None:
            p.timing.evaluated(time.monotonic() - asked)
        best = False
        if self._evaluate is not None:
            if "loss" not in scores:
                raise UsageError(f"evaluate must return a figure named 'loss', got {listed(scores)}")
            best = scores["loss"] < (inf if p.best is None else p.best)
            p.best = scores["loss"] if best else p.best
            early = p.along(p.step) < RISING
            p.stale = 0 if best or early else p.stale + 1
        if best and run.phase.patience is not None:
            self._best = run.answering()
        p.stopped = run.phase.patience is not None and p.stale >= run.phase.patience
        epoch, loss = p.step / batches.steps_per_epoch, p.epoch_sum / max(1, p.epoch_count)
        p.epoch_sum, p.epoch_count = 0.0, 0
        seconds = self._clock()
        row = {f"validation {name}": value for name, value in scores.items()}
        p.record("epochs", phase=run.phase.name, step=p.step, epoch=epoch, loss=loss, seconds=seconds, **row)
        return Epoch(run.phase.name, p.step, epoch, loss, scores, best, seconds)

    def _recovered(self, run: Running, trouble: str) -> Recovered:
        """Go back to the state last remembered, and on from there more carefully."""
        p = self.progress
        if trouble == "out of memory":
            run.halve()
            p.pieces = run.pieces
            trouble += f": batches are cut into {run.pieces} pieces from now on"
        else:
            p.recoveries += 1
            p.share /= 10
            trouble += f": the rate is cut to {p.share:g} of what it was"
        if p.recoveries > RECOVERIES:
            raise DataError(
                f"training of phase {shown(run.phase.name)} failed {p.recoveries} times; {trouble}. Look for"
                " values that are no numbers or are huge in inputs and targets; if there are none, set a"
                " lower rate (--set training.rate=..., or training.rate in settings)"
            )
        self._anchor["progress"] |= {"pieces": p.pieces, "recoveries": p.recoveries, "share": p.share}
        self._pending.clear()
        self._load(run, self._anchor)
        return Recovered(run.phase.name, self.progress.step, trouble)

    # ---- state and file

    def _state(self, run: Running) -> dict[str, Nest]:
        self.progress.seconds = self._clock()
        return {"progress": self.progress.to_json(), "best": self._best, **run.state()}

    def _final(self) -> dict[str, Nest]:
        self.progress.seconds = self._clock()
        return {
            "progress": self.progress.to_json(),
            "net": tensors(self._net),
            "objectives": [tensors(phase.objective) for phase in self._plan],
        }

    def _load(self, run: Running, state: dict[str, Nest]) -> None:
        run.load(state)
        self.progress = Progress.from_json(state["progress"])
        run.pieces = self.progress.pieces
        self._best = state["best"]

    def _save(self, state: dict[str, Nest]) -> Iterator[Saved]:
        """Write the file: `state`, and where to go back to if that is elsewhere."""
        if self._checkpoint is None:
            return
        began = time.monotonic()
        p = self.progress
        anchor = None if state is self._anchor or "optimiser" not in state else self._anchor
        nest = {"identity": self._identity, "now": state, "anchor": anchor}
        files.write(self._checkpoint, nest, where=f"at step {p.step}")
        now = time.monotonic()
        self._write_again = now + (now - began) / WRITING
        phase = self._plan[min(p.phase, len(self._plan) - 1)].name
        yield Saved(phase, p.step, self._checkpoint)

    def _read(self) -> dict[str, Nest] | None:
        """The state in the checkpoint, if there is one; sets progress by it."""
        nest = None if self._checkpoint is None else files.read(self._checkpoint)
        if nest is None:
            return None
        if nest["identity"] != self._identity:
            raise ModelError(
                f"{self._checkpoint} is of a run with another plan or seed: remove it to start anew, or go on"
                " with the settings it was begun with"
            )
        state: dict[str, Nest] = nest["now"]
        self._anchor = nest["anchor"] or state
        self.progress = Progress.from_json(state["progress"])
        self._since -= self.progress.seconds
        return state

    def _clock(self) -> float:
        """Seconds that the run has taken, earlier sittings included."""
        return time.monotonic() - self._since


def _identity(phase: Phase) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    plain = {
        name: getattr(phase, name)
        for name in ("name", "size", "epochs", "steps", "seconds", "average", "clip", "patience", "precision")
    }
    learns = None if phase.learns is None else list(phase.learns)
    pace = None if phase.pace is None else list(phase.pace)
    return {**plain, "learns": learns, "pace": pace, "objective": type(phase.objective).__name__}

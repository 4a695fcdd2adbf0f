"""Networks that tell MNIST's digits apart, a row each, seed by seed: what `dbn` and `dbm` share.

The pictures stay as they are, so that the order of the pixels does not matter. The test set is scored once per
seed. Choices are made with --validate, which trains on the first 50,000 training pictures, scores the other
10,000, and keeps nothing. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from scipy.stats import t as student
from torch import Tensor, nn

from benchmarks.record import recorded
from benchmarks.sets import mnist
from layerwise import device
from layerwise.randomness import Randomness
from layerwise.tasks import Classify
from layerwise.train import Done, Epoch, Plan, train
from layerwise.values import Batch

KEPT = Path(tempfile.gettempdir()) / "layerwise-tuned"  # checkpoints of rows that are not done yet
PRECISION = "bfloat16" if device.machine().bfloat16 else "float32"


@dataclass
class Labelled:
    """Batches of vectors (N, F) with their labels (N,), shuffled anew each epoch; a last one not full is dropped."""

    x: Tensor
    y: Tensor
    size: int
    rng: Randomness
    _order: tuple[int, Tensor] = field(default=(-1, torch.empty(0)))

    @property
    def steps_per_epoch(self) -> int:
        return len(self.x) // self.size

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            generator = self.rng.at(epoch).generator("order")
            self._order = epoch, torch.randperm(len(self.x), generator=generator)
        rows = self._order[1][place * self.size : (place + 1) * self.size]
        return Batch(self.x[rows], self.y[rows], None, rows)


@dataclass
class Run:
    """A row with one seed: the pictures (N, 784) and labels (N,) it trains on, and how long that took so far."""

    x: Tensor
    y: Tensor
    seed: int
    benchmark: str
    seconds: float = 0.0

    @property
    def task(self) -> Classify:
        return Classify.fit(self.y.numpy())

    def follow(self, net: nn.Module, plan: Plan, name: str, *, x: Tensor | None = None) -> None:
        """Train, on `x` in place of the pictures where it is given; go on from the checkpoint of that name."""
        KEPT.mkdir(exist_ok=True)
        path = KEPT / f"{self.benchmark}.{name}.{self.seed}.{len(self.x)}.safetensors"
        inputs = self.x if x is None else x

        def data(size: int, rng: Randomness) -> Labelled:
            return Labelled(inputs, self.y, size, rng)

        for event in train(net, plan, data, seed=self.seed, checkpoint=path):
            if isinstance(event, Epoch):
                sys.stdout.write(
                    f"{event.phase}: epoch {event.epoch:g}, loss {event.loss:.5g}, {event.seconds:.0f} s\n"
                )
                sys.stdout.flush()
            elif isinstance(event, Done):
                self.seconds += event.seconds


@dataclass(frozen=True)
class Row:
    """`make` gives a network of pictures (N, 784); `most` is the bar, in % of the test pictures, if it has one."""

    make: Callable[[Run], nn.Module]
    most: float | None


@torch.no_grad()
def errors(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """How many % of the pictures are named wrongly."""
    net.eval()
    wrong = [(net(a).argmax(1) != b).float() for a, b in zip(x.split(1000), y.split(1000), strict=True)]
    return 100 * torch.cat(wrong).mean().item()


def pictures(part: str) -> tuple[Tensor, Tensor]:
    """(N, 784), from 0 to 1, and labels (N,)."""
    images, labels = mnist(part)
    return torch.from_numpy(images).flatten(1).float() / 255, torch.from_numpy(labels).long()


def measured(benchmark: str, name: str, row: Row, seeds: int) -> bool:
    """Train a row with each seed, score the test set, keep the result."""
    bar = "beside the others: no bar of its own" if row.most is None else f"error <= {row.most:.2f} %"
    with recorded(
        f"{benchmark}_{name}", bar=f"{bar}, mean of seeds", seed=f"0 to {seeds - 1}", n=10_000
    ) as figures:
        x, y = pictures("train")
        runs = [Run(x, y, seed, benchmark) for seed in range(seeds)]
        found = torch.tensor([errors(row.make(run), *pictures("t10k")) for run in runs])
        mean = found.mean().item()
        figures |= {"error_percent": mean, "seeds": found.tolist(), "seconds": [r.seconds for r in runs]}
        if seeds > 1:
            half = float(student.ppf(0.975, seeds - 1)) * found.std().item() / seeds**0.5
            figures |= {"low": mean - half, "high": mean + half}
        figures["holds"] = row.most is None or mean <= row.most
    forget(benchmark, name)
    sys.stdout.write(f"{name}: {figures}\n")
    return bool(figures["holds"])


def validated(benchmark: str, name: str, row: Row) -> None:
    """The error on the last 10,000 training pictures after learning from the others."""
    x, y = pictures("train")
    run = Run(x[:50_000], y[:50_000], 0, benchmark)
    net = row.make(run)
    held, seen = errors(net, x[50_000:], y[50_000:]), errors(net, x[:10_000], y[:10_000])
    sys.stdout.write(f"{name}: validation {held:.2f} %, training {seen:.2f} %, {run.seconds:.0f} s\n")
    forget(benchmark, name)


def forget(benchmark: str, name: str) -> None:
    """Remove the checkpoints of that name, so that the next run begins anew."""
    for path in KEPT.glob(f"{benchmark}.{name}.*"):
        path.unlink()


def main(benchmark: str, rows: Mapping[str, Row], doc: str, *, shared: str) -> int:
    """Run what the command line asks for; the exit code. What rows share is kept until a run of them all."""
    asked = argparse.ArgumentParser(description=doc.splitlines()[0])
    asked.add_argument("rows", nargs="*", default=[*rows], choices=[*rows])
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--validate", action="store_true")
    options = asked.parse_args()
    met = []
    for name in options.rows:
        if options.validate:
            validated(benchmark, name, rows[name])
        else:
            met.append(measured(benchmark, name, rows[name], options.seeds))
    if [*rows] == options.rows:
        forget(benchmark, shared)
    return 0 if all(met) else 5

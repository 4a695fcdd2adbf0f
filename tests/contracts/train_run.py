"""A small run with all in it that could be disturbed; as a program, one that is killed again and again."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from layerwise.randomness import Randomness
from layerwise.train import Batches, Descent, Phase, Plan, optimiser, train
from layerwise.train import loop as loop_module
from layerwise.train.checkpoint import read
from layerwise.values import Batch

OPTIMISERS = ("sgd", "nesterov", "adamw", "muon")
STEPS = 13


class Rows:
    """Batches of 40 made-up rows, in an order drawn anew each epoch."""

    steps_per_epoch = 5

    def __init__(self, size: int, rng: Randomness) -> None:
        self._size, self._rng = size, rng
        draw = torch.Generator().manual_seed(7)
        self._x = torch.randn(40, 1, 6, 6, generator=draw)
        self._y = (self._x.flatten(1)[:, :3].argmax(1)).long()

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, self.steps_per_epoch)
        order = torch.randperm(40, generator=self._rng.at(epoch).generator("order"))
        rows = order[place * self._size : (place + 1) * self._size]
        return Batch(self._x[rows], self._y[rows], None, rows)


class Noisy(Descent):
    """Cross-entropy on inputs with noise, with a counter that only `advance` moves."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("moved", torch.zeros(3))

    def altered(self, batch: Batch, rng: Randomness) -> Batch:
        noise = torch.randn(batch.inputs.shape, generator=rng.generator("noise"))
        return Batch(batch.inputs + 0.1 * noise, batch.targets, batch.weights, batch.rows)

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> dict[str, Tensor]:
        return {"loss": nn.functional.cross_entropy(net(batch.inputs), batch.targets)}

    def advance(self, net: nn.Module, batch: Batch, rng: Randomness) -> None:
        self.moved += torch.rand(3)  # the global generator, to see that it is seeded here too


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(64, 8),
            nn.ReLU(), nn.Linear(8, 3),
        )  # fmt: skip


def evaluate(net: nn.Module) -> dict[str, float]:
    batch = Rows(40, Randomness(0)).at(0)
    return {"loss": float(nn.functional.cross_entropy(net(batch.inputs), batch.targets))}


def plan(name: str) -> Plan:
    """Two phases: the last layers first, then all, with averaging, patience and clipping."""
    rate = 0.05 if name in ("sgd", "nesterov") else 0.01
    make = optimiser(name, rate=rate, decay=0.01)
    return (
        Phase("top", Noisy(), make, size=8, steps=4, learns=("5", "7")),
        Phase("all", Noisy(), make, size=8, steps=STEPS - 4, average=0.9, patience=2, clip=1.0),
    )


def data(size: int, rng: Randomness) -> Batches:
    return Rows(size, rng)


def events(net: nn.Module, name: str, checkpoint: Path | None, *, phases: Plan | None = None, **options):
    options = {"evaluate": evaluate, **options}
    return train(net, phases or plan(name), data, seed=5, checkpoint=checkpoint, every=3, **options)


def kill_again_and_again(name: str, folder: Path, kills: int) -> set[tuple[int, int]]:
    """Fork children that train; kill each at a random moment; let the last one finish and write its weights.

    Returns the places, as (phase, step), that files were found at.
    """
    for _ in events(network(), name, None):  # what torch does only once is done before forking
        pass
    draw = random.Random(name)
    checkpoint = folder / "run.checkpoint"
    began = time.monotonic()
    _child(name, folder / "whole.checkpoint", folder / "whole.safetensors", wait=None)
    whole = time.monotonic() - began
    places = set()
    for _ in range(kills):
        _child(name, checkpoint, folder / "killed.safetensors", wait=draw.uniform(0, 0.9) * whole)
        nest = read(checkpoint)  # raises where it is no whole file
        if nest is not None:
            places.add((nest["now"]["progress"]["phase"], nest["now"]["progress"]["step"]))
        if (folder / "killed.safetensors").exists():
            (folder / "killed.safetensors").unlink()
            checkpoint.unlink()
    _child(name, checkpoint, folder / "killed.safetensors", wait=None)
    return places


def _child(name: str, checkpoint: Path, result: Path, *, wait: float | None) -> None:
    pid = os.fork()
    if pid == 0:
        net = network()
        for _ in events(net, name, checkpoint):
            pass
        aside = result.with_suffix(".part")
        save_file(net.state_dict(), aside)
        os.replace(aside, result)
        os._exit(0)
    if wait is not None:
        time.sleep(wait)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert wait is not None or status == 0, status


if __name__ == "__main__":
    torch.set_num_threads(1)
    loop_module.WRITING = float("inf")  # write each time there is something to write
    print(len(kill_again_and_again(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))

"""A set of 20 GB as stored: the most anonymous memory that training takes, and whether it stays flat.

python -m benchmarks.memory [20]   gigabytes; needs as much free disk, given back afterwards
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.record import recorded
from layerwise.data import Packed, Store
from layerwise.nn import build
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.tasks import Classify
from layerwise.train import Phase, Step, Supervised, optimiser, train

SIDE = 64  # pixels; three channels: 12,288 bytes a picture
CHUNK = 4_096


class Pictures(NamedTuple):
    """A chunk of examples, as a reader hands it on."""

    values: dict[str, np.ndarray]
    kept: np.ndarray
    rejected: dict[int, str]
    facts: dict[str, np.ndarray]


def chunks(n: int) -> Iterator[Pictures]:
    """`n` pictures of noise, lighter the higher their class of ten."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 128, (CHUNK, 3, SIDE, SIDE), np.uint8)
    for start in range(0, n, CHUNK):
        rows = np.arange(start, min(start + CHUNK, n))
        light = (12 * (rows % 10)).astype(np.uint8)[:, None, None, None]
        yield Pictures({"value": noise[: len(rows)] + light}, rows, {}, {})


def anonymous() -> int:
    """Bytes of this process that no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    raise OSError("this system does not say how much memory is anonymous: run it on Linux")


class Watch(threading.Thread):
    """Keeps the most anonymous memory since it was last asked, looking ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._most = 0

    def run(self) -> None:
        while True:
            self._most = max(self._most, anonymous())
            time.sleep(0.1)

    def most(self) -> int:
        """The most since the last call."""
        most, self._most = max(self._most, anonymous()), 0
        return most


def peaks(folder: Path, n: int, watch: Watch) -> dict[str, int]:
    """The most anonymous memory while packing, in the first tenth of an epoch, and from there to 1.25 epochs."""
    spec = Spec(
        ("channel", "height", "width"), (3, SIDE, SIDE), "uint8", centre=(115.0,) * 3, spread=(50.0,) * 3
    )
    store = Store.pack(folder, spec, chunks(n))
    found = {"packing": watch.most()}
    targets = np.arange(n) % 10
    task = Classify.fit(np.arange(10).repeat(2).astype(str))
    pool = StageChoice("conv", "Convolution", {"width": 8, "size": 5, "stride": 4})
    torch.manual_seed(0)
    net = build((StageChoice("scale", "Scale"), pool), spec, task.outputs)
    phase = Phase("train", Supervised(task, None), optimiser("adamw", rate=1e-3), size=256, epochs=1.25)

    def data(size: int, rng: Randomness) -> Packed:
        return Packed(store, np.arange(n), targets=targets, size=size, rng=rng)

    for event in train(net, (phase,), data, seed=0, checkpoint=folder / "checkpoint.safetensors"):
        if isinstance(event, Step) and event.epoch >= 0.1 and "first tenth" not in found:
            found["first tenth"] = watch.most()
    return {**found, "afterwards": watch.most()}


def main(gigabytes: float) -> bool:
    """Make the set, train on it, keep the figures; whether the bar is met."""
    n = int(gigabytes * 2**30) // (3 * SIDE * SIDE)
    bar = "peak anonymous memory under 4 GB, flat after a tenth of the first epoch"
    watch = Watch()
    with (
        tempfile.TemporaryDirectory() as folder,
        recorded("memory", bar=bar, seed=0, n=n, gigabytes=gigabytes) as figures,
    ):
        watch.start()
        found = peaks(Path(folder), n, watch)
        figures |= {f"{name} (MB)": round(most / 1e6) for name, most in found.items()}
        flat = found["afterwards"] <= 1.05 * found["first tenth"]
        figures["holds"] = flat and max(found.values()) < 4e9
    sys.stdout.write(f"{figures}\n")
    return bool(figures["holds"])


if __name__ == "__main__":
    sys.exit(0 if main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0) else 5)

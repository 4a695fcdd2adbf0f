"""What the levels' probes say on MNIST, and with shuffled labels: gain over the input, and chance.

python -m benchmarks.levels
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import layerwise
from benchmarks.record import recorded
from benchmarks.sets import DATA


def gain(model: layerwise.Model) -> tuple[str, dict[str, float]]:
    """The last hidden level and its paired gain over the raw input."""
    levels = [part for section in model.findings if section["name"] == "levels" for part in section["parts"]]
    hidden = levels[-2]
    finding = next(f for f in hidden["findings"] if f["name"].endswith(".gain"))
    return hidden["name"], {k: finding[k] for k in ("value", "low", "high")}


def shuffled(folder: Path) -> Path:
    """6,000 pictures of MNIST with their labels shuffled (the commonest class is 11 %)."""
    import gzip

    with gzip.open(DATA / "mnist" / "train-images-idx3-ubyte.gz") as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)[:6000]
    with gzip.open(DATA / "mnist" / "train-labels-idx1-ubyte.gz") as f:
        labels = np.frombuffer(f.read(), np.uint8, offset=8)[:6000]
    path = folder / "shuffled.npz"
    np.savez(path, X=images, y=np.random.default_rng(0).permutation(labels))
    return path


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as name,
        recorded("levels", bar="gain > 0; chance when shuffled", seed=0) as figures,
    ):
        model = layerwise.fit(DATA / "mnist", budget=90)
        figures["level"], figures["gain"] = gain(model)
        noise = layerwise.fit(shuffled(Path(name)), budget=30).result()
        accuracy = noise["metrics"]["accuracy"]
        probes = {level["name"]: level["probe"] for level in noise["levels"]}
        at_chance = {k: p["low"] <= 0.115 and p["high"] >= 0.1 for k, p in probes.items()}
        figures |= {"shuffled_accuracy": accuracy, "shuffled_probes": probes}
        figures["holds"] = bool(
            figures["gain"]["low"] > 0 and all(at_chance.values()) and accuracy["low"] <= 0.115
        )
    sys.stdout.write(f"gain {figures['gain']}, shuffled {accuracy}\n")
    sys.exit(0 if figures["holds"] else 5)

"""A run whose objective keeps chains, as a program that may be killed: what `kill` kills.

    python -m benchmarks.chains pcd | tempering | dbm FOLDER

It goes on from the checkpoint in FOLDER where there is one, and leaves weights and chains in FOLDER/end.safetensors.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.tuned import Labelled
from layerwise.energy import DeepBoltzmannMachine, RestrictedBoltzmannMachine
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.stacks.autoencoding import first_weights
from layerwise.train import ContrastiveDivergence, MeanField, Objective, Phase, optimiser, train

END = "end.safetensors"
STEPS = 600
LADDER = (1.0, 0.75, 0.5, 0.25, 0.0)


def parts(way: str) -> tuple[nn.Module, Objective]:
    """The machine and how it learns."""
    with first_weights(0):
        if way == "dbm":
            return DeepBoltzmannMachine(vector(64), widths=[48, 32]), MeanField()
        rbm = RestrictedBoltzmannMachine(vector(64), width=48)
    if way == "tempering":
        return rbm, ContrastiveDivergence(betas=LADDER)
    return rbm, ContrastiveDivergence(persistent=True)


def run(way: str, folder: Path) -> None:
    """Train to the end and leave what came of it."""
    x, y = load_digits(return_X_y=True)
    inputs, labels = torch.from_numpy(x).float() / 16, torch.from_numpy(y)
    net, objective = parts(way)
    phase = Phase(way, objective, optimiser("sgd", rate=0.01), size=100, steps=STEPS)

    def data(size: int, rng: Randomness) -> Labelled:
        return Labelled(inputs, labels, size, rng)

    for _ in train(net, (phase,), data, seed=0, checkpoint=folder / "checkpoint", every=20):
        pass
    kept = {f"chains.{name}": b.contiguous() for name, b in objective.named_buffers()}
    weights = {name: p.detach().contiguous() for name, p in net.named_parameters()}
    save_file({**weights, **kept}, folder / END)


if __name__ == "__main__":
    place = Path(sys.argv[2])
    place.mkdir(exist_ok=True)
    run(sys.argv[1], place)

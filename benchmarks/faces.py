"""A convolutional deep belief network on the ORL faces: edges, parts, faces, and where parts are found.

    python -m benchmarks.faces [--seeds N] [--validate]

Lee, Grosse, Ranganath and Ng 2009, "Convolutional deep belief networks for scalable unsupervised learning of
hierarchical representations": whitened pictures of 30 people, three convolutional restricted Boltzmann machines
with probabilistic max-pooling, each learned on the pooling units of the one below by contrastive divergence.
What each level's units look for is kept as pictures: weighted linear combinations of the level below.

Do the units of a level find a part of a face? A unit's home is where its response peaks, by the median of the
pictures that it learned from. On people it has never seen, its peak is at home where it is at most 4 pixels away,
a twelfth of a picture's width. The score of a person is the share of units and pictures where that is so, less
the same share of the same network with random filters: of each kernel the spectrum is kept and the phases are
drawn anew, and the level below is as active, unit for unit, as the learned one. The interval is over people.

The last 10 people are scored once per seed. Choices were made with --validate, which learns from the first 24,
scores the next 6 and keeps nothing. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import t as student
from torch import Tensor

from benchmarks.autoencoder import Pictures
from benchmarks.record import RESULTS, recorded
from benchmarks.sets import DATA
from layerwise.energy import ConvolutionalRBM
from layerwise.nn import Whitening
from layerwise.nn.stage import IMAGE
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.stacks.autoencoding import first_weights
from layerwise.train import ContrastiveDivergence, Done, Phase, constant, optimiser, train

PEOPLE, EACH, HEIGHT, WIDTH = 40, 10, 56, 46  # half the size of the originals
SPEC = Spec(IMAGE, (1, HEIGHT, WIDTH))
NEAR = 4  # pixels
NULLS = 20  # networks of random filters
MOST_OF_IT = 0.8  # of a picture's energy
SHOWN = {"edges": 6, "parts": 3, "faces": 2}  # times as large
KEPT = Path(tempfile.gettempdir()) / "layerwise-faces"  # checkpoints of runs that are not done yet


@dataclass(frozen=True)
class Level:
    """A machine and how it learns."""

    machine: Mapping[str, Any]
    rate: float
    sparsity: float
    cost: float
    epochs: float


LEVELS = {
    "edges": Level(
        {"width": 24, "size": 7, "pool": 2, "visible": "gaussian", "deviation": 0.6},
        rate=5e-4, sparsity=0.015, cost=500.0, epochs=20,
    ),
    "parts": Level({"width": 40, "size": 8, "pool": 2}, rate=4e-3, sparsity=0.01, cost=100.0, epochs=30),
    "faces": Level({"width": 24, "size": 6, "pool": 1}, rate=1e-2, sparsity=0.1, cost=5.0, epochs=200),
}  # fmt: skip


def faces() -> Tensor:
    """(people, pictures of each, 1, HEIGHT, WIDTH), whitened."""
    found = []
    with zipfile.ZipFile(DATA / "orl_faces.zip") as archive:
        for person in range(1, PEOPLE + 1):
            for number in range(1, EACH + 1):
                picture = Image.open(io.BytesIO(archive.read(f"orl_faces/s{person}/{number}.pgm")))
                found.append(np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX)))
    x = torch.from_numpy(np.stack(found)).float()[:, None]
    return Whitening.from_spec(SPEC)(x).view(PEOPLE, EACH, 1, HEIGHT, WIDTH)


def learned(x: Tensor, seed: int) -> list[ConvolutionalRBM]:
    """The levels, each learned on what the ones below make of pictures (N, 1, HEIGHT, WIDTH)."""
    KEPT.mkdir(exist_ok=True)
    spec, count, stack = SPEC, len(x), []
    for place, (name, level) in enumerate(LEVELS.items()):
        with first_weights(10 * seed + place):
            rbm = ConvolutionalRBM.from_spec(spec, **level.machine)
        with torch.no_grad():
            rbm.hidden_bias += rbm.hidden.bias(torch.tensor(level.sparsity))
        if place:
            rbm.start_at(x.mean((0, 2, 3)).view_as(rbm.visible_bias))
        path = KEPT / f"{name}.{seed}.{count}.safetensors"
        data = partial(Pictures, x)
        for event in train(rbm, (phase(name, level),), data, seed=seed, checkpoint=path):
            if isinstance(event, Done):
                sys.stdout.write(f"seed {seed}, {name}: {event.seconds:.0f} s\n")
                sys.stdout.flush()
        spec, x = rbm.spec(spec), above([rbm], x)
        stack.append(rbm)
    return stack


def phase(name: str, level: Level) -> Phase:
    """CD-1, its sparsity moving the hidden biases alone, as in the paper."""
    objective = ContrastiveDivergence(sparsity=level.sparsity, sparsity_cost=level.cost, sparsity_of="bias")
    make = optimiser("sgd", rate=level.rate, momentum=0.9, decay=1e-3)
    return Phase(name, objective, make, size=20, epochs=level.epochs, schedule=constant)


@torch.no_grad()
def above(stack: Sequence[ConvolutionalRBM], x: Tensor) -> Tensor:
    """Means of the topmost pooling units."""
    for rbm in stack:
        x = torch.cat([rbm(part) for part in x.split(100)])
    return x


# ---- where parts are found


@torch.no_grad()
def peaks(stack: Sequence[ConvolutionalRBM], x: Tensor) -> Tensor:
    """Where each unit of the topmost level responds most, in pixels: pictures (N, ...) to (N, K, 2)."""
    *below, top = stack
    y = above(below, x)
    response = torch.cat([top.hidden_input(top.seen(part)) for part in y.split(100)])
    place = response.flatten(2).argmax(2)
    stride = 2 ** len(below)
    return stride * torch.stack([place // response.shape[3], place % response.shape[3]], 2).float()


def at_home(stack: Sequence[ConvolutionalRBM], seen: Tensor, new: Tensor) -> Tensor:
    """(people,): the share of units and pictures of each new person where a peak is at its unit's home.

    Pictures are (people, EACH, 1, HEIGHT, WIDTH).
    """
    home = peaks(stack, seen.flatten(0, 1)).median(0).values
    away = (peaks(stack, new.flatten(0, 1)) - home).norm(dim=2)
    return (away <= NEAR).double().view(len(new), -1).mean(1)


def null(
    stack: Sequence[ConvolutionalRBM], seen: Tensor, generator: torch.Generator
) -> list[ConvolutionalRBM]:
    """The same levels with random kernels of the same spectra, each as active as it was."""
    x = y = seen[:, ::3].flatten(0, 1)
    found = []
    for rbm in stack:
        random = scrambled(rbm, generator)
        match_activity(random, x, rbm.hidden_mean(rbm.seen(y)).mean((0, 2, 3)))
        x, y = above([random], x), above([rbm], y)
        found.append(random)
    return found


@torch.no_grad()
def scrambled(rbm: ConvolutionalRBM, generator: torch.Generator) -> ConvolutionalRBM:
    """The machine with the phases of its kernels drawn anew."""
    random = deepcopy(rbm)
    noise = torch.fft.rfft2(torch.randn(rbm.weight.shape, generator=generator))
    spectrum = torch.fft.rfft2(rbm.weight).abs() * noise / noise.abs().clamp_min(1e-12)
    random.weight.copy_(torch.fft.irfft2(spectrum, s=(rbm.size, rbm.size)))
    return random


@torch.no_grad()
def match_activity(rbm: ConvolutionalRBM, x: Tensor, wanted: Tensor) -> None:
    """Set the hidden biases, by halving, so that units are on as often as `wanted` (K,)."""
    rbm.hidden_bias.zero_()
    inputs = rbm.hidden_input(rbm.seen(x))
    low, high = torch.full_like(rbm.hidden_bias, -200), torch.full_like(rbm.hidden_bias, 200)
    for _ in range(25):
        middle = (low + high) / 2
        less = rbm.hidden.mean(inputs + middle).mean((0, 2, 3)).view_as(middle) < wanted.view_as(middle)
        low, high = torch.where(less, middle, low), torch.where(less, high, middle)
    rbm.hidden_bias.copy_((low + high) / 2)


def scores(stack: Sequence[ConvolutionalRBM], seen: Tensor, new: Tensor, seed: int) -> dict[str, Tensor]:
    """By what: shares at home of each new person, (people,)."""
    generator = Randomness(seed).generator("random filters")
    nulls = [null(stack[:2], seen, generator) for _ in range(NULLS)]
    tops = [[stack[0], scrambled(stack[1], generator)] for _ in range(NULLS)]
    return {
        "edges": at_home(stack[:1], seen, new),
        "edges, random": torch.stack([at_home(n[:1], seen, new) for n in nulls]).mean(0),
        "parts": at_home(stack[:2], seen, new),
        "parts, random": torch.stack([at_home(n, seen, new) for n in nulls]).mean(0),
        "parts, random on learned edges": torch.stack([at_home(t, seen, new) for t in tops]).mean(0),
    }


def interval(x: Tensor) -> dict[str, float]:
    """The mean over people with its 95 % interval."""
    value = x.mean().item()
    half = float(student.ppf(0.975, len(x) - 1)) * x.std().item() / len(x) ** 0.5
    return {"value": value, "low": value - half, "high": value + half}


# ---- what units look for


@torch.no_grad()
def looks(stack: Sequence[ConvolutionalRBM]) -> Tensor:
    """What each unit of the topmost level looks for, as pictures (K, h, w)."""
    pictures = torch.eye(len(stack[-1].weight))[:, :, None, None]
    for rbm in reversed(stack):
        pictures = rbm.project(pictures)
    return pictures[:, 0]


def extent(pictures: Tensor) -> float:
    """The least share of a face's pixels that hold most of a picture's energy, on average over pictures."""
    energy = pictures.square().flatten(1).sort(1, descending=True).values
    upto = energy.cumsum(1) / energy.sum(1, keepdim=True)
    return ((upto < MOST_OF_IT).sum(1) + 1).double().mean().item() / (HEIGHT * WIDTH)


def draw(pictures: Tensor, path: Path, *, columns: int = 8, scale: int = 2) -> None:
    """A grid of pictures, each by its own scale, grey where it is 0."""
    count, height, width = pictures.shape
    grid = torch.zeros(-(-count // columns) * (height + 1), columns * (width + 1))
    for place, picture in enumerate(pictures / pictures.abs().amax((1, 2), keepdim=True)):
        top, left = place // columns * (height + 1), place % columns * (width + 1)
        grid[top : top + height, left : left + width] = picture
    image = Image.fromarray(((grid + 1) * 127.5).byte().numpy())
    big = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    big.save(path, optimize=True)


def compared(x: Tensor, known: int, new: int, seeds: int, folder: Path) -> dict[str, Any]:
    """Learn from the first `known` people with each seed, score the next `new`, draw the first seed's units."""
    seen, held = x[:known], x[known : known + new]
    found: list[dict[str, Tensor]] = []
    extents: list[dict[str, float]] = []
    for seed in range(seeds):
        stack = learned(seen.flatten(0, 1), seed)
        found.append(scores(stack, seen, held, seed))
        pictures = {name: looks(stack[: place + 1]) for place, name in enumerate(LEVELS)}
        extents.append({name: extent(picture) for name, picture in pictures.items()})
        if seed == 0:
            for name, picture in pictures.items():
                draw(picture, folder / f"faces-{name}.png", scale=SHOWN[name])
    mean = {name: torch.stack([f[name] for f in found]).mean(0) for name in found[0]}
    against = {"edges": "edges, random", "parts": "parts, random"}
    return {
        "at_home": {name: share.mean().item() for name, share in mean.items()},
        **{f"{name}_ahead": interval(mean[name] - mean[other]) for name, other in against.items()},
        "parts_ahead_on_learned_edges": interval(mean["parts"] - mean["parts, random on learned edges"]),
        "extent": {name: sum(e[name] for e in extents) / seeds for name in LEVELS},
    }


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--validate", action="store_true")
    options = asked.parse_args()
    x = faces()
    if options.validate:
        sys.stdout.write(f"{compared(x, 24, 6, options.seeds, KEPT)}\n")
        return 0
    bar = "units of parts peak at home on new people more often than random filters, interval above 0"
    with recorded("faces", bar=bar, seed=f"0 to {options.seeds - 1}", n=10) as figures:
        figures |= compared(x, 30, 10, options.seeds, RESULTS)
        figures["holds"] = figures["parts_ahead"]["low"] > 0
    for path in KEPT.glob("*.safetensors"):
        path.unlink()
    sys.stdout.write(f"{figures}\n")
    return 0 if figures["holds"] else 5


if __name__ == "__main__":
    sys.exit(main())

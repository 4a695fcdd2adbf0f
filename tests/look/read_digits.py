"""Real digits in a store, and a small convolutional network trained on them for a few seconds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from layerwise.data import Store, collate
from layerwise.kinds.base import ONLY, Read
from layerwise.kinds.image import IMAGE
from layerwise.look import Examples, Parts
from layerwise.nn import Pipeline, build
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.tasks import Classify

NETWORK = (
    StageChoice("scale", "Scale"),
    StageChoice("conv1", "Convolution", {"width": 16, "size": 3, "pool": "max"}),
    StageChoice("conv2", "Convolution", {"width": 32, "size": 3, "pool": "max"}),
    StageChoice("hidden", "Dense", {"width": 64}),
)


class Digits(NamedTuple):
    """A trained net with all that looks at it."""

    net: Pipeline
    spec: Spec
    task: Classify
    store: Store
    targets: np.ndarray
    parts: Parts

    @property
    def examples(self) -> Examples:
        """The held-out rows."""
        return Examples(IMAGE, self.store, self.parts.held, [f"digit {r}" for r in self.parts.held])

    @property
    def decoded(self) -> np.ndarray:
        """What the net answers for the held-out rows."""
        with torch.inference_mode():
            return self.task.decode(self.net(collate(self.store.take(self.parts.held), self.spec)))


def trained(folder: Path, *, shuffled: bool) -> Digits:
    """A net trained on the digits, or on digits whose labels were shuffled."""
    pictures, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    labels = rng.permutation(labels) if shuffled else labels
    pixels = (pictures * 15).reshape(-1, 1, 8, 8).astype(np.uint8)
    spec = Spec(
        ("channel", "height", "width"),
        (1, 8, 8),
        "uint8",
        centre=(float(pixels.mean()),),
        spread=(float(pixels.std()),),
    )
    store = Store.pack(folder, spec, [Read({ONLY: pixels}, np.arange(len(pixels)), {})])
    rows, held = train_test_split(np.arange(len(pixels)), test_size=797, stratify=labels, random_state=0)
    parts = Parts(
        np.sort(rows[:900]),
        np.sort(rows[900:]),
        np.sort(held),
        "at random, stratified: 1,000 train, 797 held out",
    )
    task = Classify.fit(labels[np.concatenate(parts[:2])])
    targets = task.encode(labels)
    net = build(NETWORK, spec, task.outputs)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums must not depend on how many cores there are
    fit(
        net,
        torch.from_numpy(pixels[parts.train]),
        torch.from_numpy(targets[parts.train]),
        task,
        epochs=4 if shuffled else 16,
    )
    torch.set_num_threads(threads)
    return Digits(net, spec, task, store, targets, parts)


def fit(net: Pipeline, x: torch.Tensor, y: torch.Tensor, task: Classify, *, epochs: int) -> None:
    """A plain training loop with Adam."""
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(32):
            optimiser.zero_grad()
            task.loss(net(x[rows]), y[rows], None).backward()
            optimiser.step()
    net.eval()

"""What a network that learns without labels would be good for: asked after each epoch, where some labels are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.data import Packed, Store
from layerwise.errors import UsageError
from layerwise.look.features import standardised
from layerwise.look.neighbours import nearest_votes
from layerwise.look.probe import fit_probe
from layerwise.model import outputs_of
from layerwise.randomness import Randomness

__all__ = ["probing"]

MOST = 2_000  # labelled rows looked at after each epoch
ASKED = 4  # one row in so many is asked about, the others answer
BATCH = 256


def probing(
    store: Store, rows: np.ndarray, labels: np.ndarray, *, seed: int = 0
) -> Callable[[nn.Module], Mapping[str, float]]:
    """An `evaluate` for the loop: how well classes can be read off what the net makes of stored examples.

    `rows` (n,) of the store have the known `labels` (n,), whole numbers from 0. Of at most 2,000 a quarter
    is asked about: "probe" is the accuracy of a linear probe fitted on the others, "nearest" that of their
    20 nearest neighbours, and "loss" the probe's cross-entropy. Labels never reach the net.

    Raises UsageError where fewer than two of the rows' classes can be asked about and answered.
    """
    order = Randomness(seed).numpy("rows that are probed").permutation(len(rows))[:MOST]
    rows, labels = np.asarray(rows)[order], np.asarray(labels)[order]
    asked, given = labels[::ASKED], labels[np.arange(len(labels)) % ASKED > 0]
    if len(np.intersect1d(asked, given)) < 2:
        raise UsageError(
            f"a probe needs rows of at least two classes, more than one of each, got {len(rows):,} rows"
            f" of {len(np.unique(labels)):,}"
        )
    goals = np.eye(int(labels.max()) + 1)

    def evaluate(net: nn.Module) -> Mapping[str, float]:
        made = _made(net, store, rows)
        x, held = standardised(made[np.arange(len(made)) % ASKED > 0], made[::ASKED])
        plane = fit_probe(x, goals[given], "classes", seed=seed)
        votes = nearest_votes(x, goals[given], held)
        return {
            "loss": plane.loss(held, goals[asked]),
            "probe": float((plane(held).argmax(axis=1) == asked).mean()),
            "nearest": float((votes.argmax(axis=1) == asked).mean()),
        }

    return evaluate


def _made(net: nn.Module, store: Store, rows: np.ndarray) -> np.ndarray:
    """(n, F) what the net makes of these rows."""
    batches = Packed(store, rows, size=BATCH)
    parts: list[Tensor] = [outputs_of(net, batches.at(i).inputs) for i in range(batches.steps_per_epoch)]
    return torch.cat(parts).flatten(1).float().cpu().numpy()

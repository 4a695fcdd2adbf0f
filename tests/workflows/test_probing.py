"""Probes while a network learns without labels: what they say, and that labels never reach the network."""

import numpy as np
import pytest
import torch
from torch import nn

from layerwise.data import Packed, Store
from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.nn.stage import vector
from layerwise.train import Epoch, Phase, Reconstruction, optimiser, train
from layerwise.values import ONLY
from layerwise.workflows.probing import probing

DRAW = np.random.default_rng(0)
LABELS = np.arange(400) % 3
X = (np.eye(3)[LABELS] @ DRAW.normal(size=(3, 6)) * 3 + DRAW.normal(size=(400, 6))).astype(np.float32)
ROWS = np.arange(400)


def store(x: np.ndarray) -> Store:
    return Store(vector(6), {ONLY: x}, np.arange(len(x)), rejected={}, facts={})


def test_classes_that_lie_apart_are_read_off_and_shuffled_ones_are_not() -> None:
    found = probing(store(X), ROWS, LABELS)(nn.Identity())
    assert min(found["probe"], found["nearest"]) > 0.9
    chance = probing(store(X), ROWS, DRAW.permutation(LABELS))(nn.Identity())
    assert max(chance["probe"], chance["nearest"]) < 0.55
    assert chance["loss"] > found["loss"]
    nothing = probing(store(X), ROWS, LABELS)(nn.Sequential(nn.Linear(6, 2), nn.ReLU(), nn.Threshold(9e9, 0)))
    assert nothing["probe"] < 0.5


def test_some_rows_of_a_store_will_do_and_the_same_seed_says_the_same() -> None:
    rows = np.concatenate([np.arange(0, 400, 5), np.arange(1, 400, 5)])
    one, again = (probing(store(X), rows, LABELS[rows], seed=s)(nn.Identity()) for s in (1, 1))
    assert one == again
    assert one["probe"] > 0.8


def test_the_loop_asks_after_each_epoch_and_labels_change_nothing_learned() -> None:
    def learned(labels: np.ndarray) -> tuple[torch.Tensor, list[Epoch]]:
        torch.manual_seed(0)
        net = Pipeline(code=nn.Linear(6, 2))
        phase = Phase(
            "code", Reconstruction(nn.Linear(2, 6)), optimiser("adamw", rate=0.01), size=50, epochs=2
        )
        events = train(
            net,
            (phase,),
            lambda size, rng: Packed(store(X), ROWS, size=size, rng=rng),
            seed=0,
            evaluate=probing(store(X), ROWS, labels),
        )
        return net.code.weight, [e for e in events if isinstance(e, Epoch)]

    weight, epochs = learned(LABELS)
    other, _ = learned(LABELS[::-1].copy())
    assert torch.equal(weight, other)
    assert len(epochs) == 2
    assert all({"loss", "probe", "nearest"} == set(e.scores) for e in epochs)


def test_too_few_labels_are_named() -> None:
    with pytest.raises(UsageError, match="at least two classes, more than one of each, got 4 rows of 1"):
        probing(store(X), np.arange(4), np.zeros(4, np.int64))

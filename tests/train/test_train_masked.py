"""Masked reconstruction: nothing of what is hidden is seen, only that counts, and it is told better than by a guess."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from sklearn.datasets import load_breast_cancer, load_wine

from layerwise.data.source import Column
from layerwise.kinds import TABLE, Kind
from layerwise.nn import Pipeline, build
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.tasks import task_named
from layerwise.train import Masked, Phase, optimiser, train
from layerwise.values import Batch, Value, collate

RNG = Randomness(5)


def encoder(kind: Kind, spec: Spec, n: int) -> Pipeline:
    """The kind's own network, without dropout, that ends in a code."""
    task = task_named("classify").fit(["a", "b"])
    network = [
        StageChoice(s.name, s.stage, {**s.options, **({"dropout": 0.0} if "dropout" in s.options else {})})
        for s in kind.blueprint(spec, task, n).network
    ]
    return build(network, spec, None, rng=RNG)


class Examples:
    """All examples as one batch a step."""

    steps_per_epoch = 1

    def __init__(self, x: Value, n: int) -> None:
        self.batch = Batch(x, None, None, torch.arange(n))

    def at(self, step: int) -> Batch:
        return self.batch


def learned(objective, net, data, steps, rate=3e-3):
    phase = Phase("masked", objective, optimiser("adamw", rate=rate), steps=steps)
    for _ in train(net, (phase,), lambda size, rng: data, seed=0):
        pass


def read(load=load_wine):
    x, y = load(return_X_y=True)
    rng = np.random.default_rng(0)
    x = np.where(rng.random(x.shape) < 0.05, np.nan, x)
    columns = {f"c{i}": Column(f"c{i}", "cells", pl.Series(v).fill_nan(None)) for i, v in enumerate(x.T)}
    columns["kind"] = Column("kind", "cells", pl.Series([f"k{k}" for k in y]))
    reader = TABLE.reader().fit(columns, np.arange(len(x)))
    values = reader.read({name: c.values for name, c in columns.items()}).values
    return reader.spec, collate(values, reader.spec), len(x)


def test_x():
    for load in (load_wine, load_breast_cancer):
        spec, x, n = read(load)
        net = encoder(TABLE, spec, n)
        obj = Masked(spec)
        data = Examples(x, n)
        with torch.no_grad():
            o2 = Masked(spec)
            o2.begin(net, data.batch, RNG)
            print(o2.loss(net, data.batch, RNG))
        learned(obj, net, data, 300)
        with torch.no_grad():
            print(obj.loss(net, data.batch, RNG))

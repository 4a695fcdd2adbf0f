"""From a recipe's network to a Pipeline: a closed list of stages, sizes checked before memory is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.nn.columns import Columns
from layerwise.nn.convolution import Convolution
from layerwise.nn.dense import Dense, Flatten, Maxout
from layerwise.nn.describe import widest
from layerwise.nn.embedding import Categories, Embedding, NgramBag
from layerwise.nn.heads import Head
from layerwise.nn.numbers import PiecewiseLinear
from layerwise.nn.pipeline import Composite, Pipeline
from layerwise.nn.pooling import GlobalPool, Pool
from layerwise.nn.recurrence import Recurrent
from layerwise.nn.residual import Residual
from layerwise.nn.scale import Scale
from layerwise.nn.series import Decomposition, ReversibleNorm
from layerwise.nn.spectrum import LogMel
from layerwise.nn.stage import Stage
from layerwise.nn.whitening import Whitening
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice
from layerwise.spec import Spec

__all__ = ["MOST_BYTES", "STAGES", "build"]

STAGES: tuple[type[Stage], ...] = (
    Scale,
    Whitening,
    Dense,
    Maxout,
    Flatten,
    Convolution,
    Residual,
    Pool,
    GlobalPool,
    Recurrent,
    Embedding,
    NgramBag,
    LogMel,
    PiecewiseLinear,
    Categories,
    Columns,
    Decomposition,
    ReversibleNorm,
    Head,
)  # fmt: skip
"""Every stage that a recipe may name."""

MOST_BYTES = 2 << 30  # of parameters and buffers
MOST_VALUES = 1 << 26  # of a level, for one example
MOST_STAGES = 1000
FIRST = Randomness(0)
DEEPEST = 4  # networks within networks

_NAMED: Mapping[str, type[Stage]] = {stage.__name__: stage for stage in STAGES}


def build(
    network: Sequence[StageChoice],
    spec: Spec,
    outputs: int | None,
    *,
    rng: Randomness = FIRST,
    most: int | None = None,
) -> Pipeline:
    """The network of a recipe for input `spec`, with a Head named `answer` where its last stage is none.

    `outputs` None leaves the head out: the network makes codes, for what learns without labels.
    First weights are a function of `rng` and the stage's place; the caller's random numbers are untouched.
    Raises UsageError for an unknown stage or option (with the nearest name), for stages that do not fit one
    another, and for more than 2 GB of parameters, before any of it is allocated.
    """
    with torch.device("meta"):
        planned, _ = _stacked([_plain(c) for c in network], spec, outputs)
    taken = sum(t.numel() * t.element_size() for t in (*planned.parameters(), *planned.buffers()))
    if taken > MOST_BYTES:
        raise UsageError(
            f"this network has {taken / 1e9:,.1f} GB of parameters, more than the {MOST_BYTES / 1e9:.1f} GB"
            " allowed: make its widths smaller, or pool before its dense stages"
        )
    if widest(planned, spec) > MOST_VALUES:
        raise UsageError(
            f"a level of this network has {widest(planned, spec):,} values for one example, more than the"
            f" {MOST_VALUES:,} allowed: make it narrower, or pool before it"
        )
    state = sum(t.numel() * t.element_size() for t in planned.state_dict().values())
    if most is not None and state > most:
        raise UsageError(f"this network has {state:,} bytes of weights, where {most:,} are there")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.number("weights") >> 1)
        return _stacked([_plain(c) for c in network], spec, outputs)[0]


def _plain(choice: StageChoice) -> dict[str, Any]:
    return {"name": choice.name, "stage": choice.stage, **choice.options}


def _stacked(
    network: Sequence[Mapping[str, Any]], spec: Spec, outputs: int | None, depth: int = 0
) -> tuple[Pipeline, Spec]:
    """The stages in order and what comes out of them; `outputs` None asks for no head."""
    if depth > DEEPEST:
        raise UsageError(
            f"networks within networks, more than {DEEPEST} deep: put stages one after the other"
        )
    plain = _read(network)
    if outputs is not None and not (plain and _named(plain[-1][1]).answers):
        plain.append(("answer", "Head", {}))
    stages: dict[str, Stage] = {}
    for place, (name, kind, options) in enumerate(plain):
        if name in stages:
            raise UsageError(f"two stages are called {shown(name)}: give each a name of its own")
        if outputs is not None and place == len(plain) - 1:
            options = {**options, "outputs": outputs}
        stages[name] = _stage(name, kind, options, spec, depth)
        spec = stages[name].spec(spec)
    return Pipeline(**stages), spec


def _read(network: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, stage and options of each."""
    if not isinstance(network, list | tuple) or len(network) > MOST_STAGES:
        raise UsageError(f"a network is a list of stages, got {shown(network)}")
    for one in network:
        if not isinstance(one, Mapping) or not {"name", "stage"} <= one.keys():
            raise UsageError(f"a stage needs 'name' and 'stage', got {shown(one)}")
    return [
        (str(one["name"]), str(one["stage"]), {k: v for k, v in one.items() if k not in ("name", "stage")})
        for one in network
    ]


def _named(kind: str) -> type[Stage]:
    if kind not in _NAMED:
        raise UsageError(f"no stage {shown(kind)}{suggest(kind, _NAMED) or '.'} Stages: {listed(_NAMED, 99)}")
    return _NAMED[kind]


def _stage(name: str, kind: str, options: dict[str, Any], spec: Spec, depth: int) -> Stage:
    known = _named(kind)
    try:
        if issubclass(known, Composite):
            return known.nested(spec, partial(_stacked, depth=depth + 1), **options)
        return known.from_spec(spec, **options)
    except UsageError as error:
        raise UsageError(f"stage {shown(name)}: {error}") from error

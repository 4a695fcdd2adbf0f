"""A network in figures: one row a level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from torch import nn

from layerwise.nn.pipeline import Composite, Pipeline, after, position_wise
from layerwise.nn.stage import Reach, Stage, positions, spatial
from layerwise.spec import Spec

__all__ = ["Level", "describe", "widest"]


@dataclass(frozen=True)
class Level:
    """One level of a network. Lengths that differ from example to example are None."""

    name: str  # its address, as `Pipeline.levels` yields it
    stage: str  # what it is, in words
    axes: tuple[str, ...]  # of the output, the batch left out
    shape: tuple[int | None, ...]
    parameters: int  # of this level alone
    receptive_field: Mapping[str, int | None]  # input positions that one unit sees, by axis; None: all
    depth: int  # layers with parameters on the longest way from the input; a recurrent one counts every step
    cost: int  # multiply-adds of this level for one example, the longest where lengths differ


@dataclass(frozen=True)
class _View:
    """What a level sees of the input: its reach along each axis, how long the axis is, and from how deep."""

    reach: Mapping[str, Reach | None]
    extent: Mapping[str, int | None]
    depth: int

    def through(self, stage: nn.Module, spec: Spec, out: Spec, below: int) -> _View:
        """The view of a stage on this one that takes `spec` to `out`, the networks inside it `below` deep."""
        extent = {**{axis: out.length(axis) for axis in spatial(out)}, **self.extent}
        reach = dict(self.reach)
        for axis, step in _field(stage, spec).items():
            reach[axis] = _on(reach.get(axis, Reach(1)), step)
        depth = stage.depth(spec) if isinstance(stage, Stage) else int(any(True for _ in stage.parameters()))
        return _View(reach, extent, below + depth)

    def field(self) -> dict[str, int | None]:
        """Positions seen along each axis, never more than there are."""
        return {axis: _least(self.reach.get(axis, Reach(1)), most) for axis, most in self.extent.items()}


def describe(pipeline: Pipeline, spec: Spec) -> tuple[Level, ...]:
    """Every level of the network for input `spec`, in the order and by the addresses of `levels`.

    The parameters of the levels add up to the network's, their cost to that of one answer. An axis that first
    comes to be inside the network (the bands of a spectrogram) counts from there. A module of torch's own
    is taken to cost its weights at each output position, and to see all unless it is known not to.
    """
    extent = {axis: spec.length(axis) for axis in spatial(spec)}
    return tuple(_rows(pipeline, spec, _View({}, extent, 0))[0])


def widest(pipeline: Pipeline, spec: Spec) -> int:
    """How many values the largest level has for one example, the longest of training where lengths differ."""
    most = 1
    for name, stage in pipeline.stages():
        inside: Mapping[str, tuple[Pipeline, Spec]] = {}
        if isinstance(stage, Pipeline):
            inside = {name: (stage, spec)}
        elif isinstance(stage, Composite):
            specs = stage.inside(spec)
            inside = {part: (net, specs[part]) for part, net in stage.networks().items()}
        spec = after(name, stage, spec)
        values = prod((spec.longest or 1) if n is None else n for n in spec.shape)
        most = max(most, values, *(widest(net, own) for net, own in inside.values()))
    return most


def _rows(net: Pipeline, spec: Spec, view: _View, prefix: str = "") -> tuple[list[Level], _View]:
    """The rows of a network's levels, and the view of its last."""
    rows: list[Level] = []
    for name, stage in net.stages():
        out = after(name, stage, spec)
        if isinstance(stage, Pipeline):
            inner, view = _rows(stage, spec, view, f"{prefix}{name}.")
            rows += inner
        else:
            inner, below = _inner(stage, spec, view, f"{prefix}{name}.")
            view = view.through(stage, spec, out, below)
            own = _count(stage) - sum(row.parameters for row in inner)
            row = Level(
                prefix + name, _words(stage), out.axes, out.shape, own, view.field(),
                view.depth, _cost(stage, spec, out),
            )  # fmt: skip
            rows += [*inner, row]
        spec = out
    return rows, view


def _inner(stage: nn.Module, spec: Spec, view: _View, prefix: str) -> tuple[list[Level], int]:
    """The rows of the networks inside a stage, and how deep the deepest of them goes."""
    rows: list[Level] = []
    deepest = view.depth
    if isinstance(stage, Composite):
        inside = stage.inside(spec)
        for part, net in stage.networks().items():
            extent = {axis: inside[part].length(axis) for axis in spatial(inside[part])}
            start = _View(view.reach, {**extent, **view.extent}, view.depth)
            inner, end = _rows(net, inside[part], start, f"{prefix}{part}.")
            rows, deepest = rows + inner, max(deepest, end.depth)
    return rows, deepest


def _on(below: Reach | None, step: Reach | None) -> Reach | None:
    """The reach of a window `step` over positions that each see `below`."""
    if below is None or step is None:
        return None
    return Reach(below.size + (step.size - 1) * below.stride, below.stride * step.stride)


def _least(reach: Reach | None, most: int | None) -> int | None:
    return most if reach is None else reach.size if most is None else min(reach.size, most)


def _field(stage: nn.Module, spec: Spec) -> Mapping[str, Reach | None]:
    if isinstance(stage, Stage):
        return stage.field()
    return {} if position_wise(stage, 1 + len(spec.axes)) else dict.fromkeys(spatial(spec))


def _words(stage: nn.Module) -> str:
    return stage.words() if isinstance(stage, Stage) else type(stage).__name__


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _cost(stage: nn.Module, spec: Spec, out: Spec) -> int:
    if isinstance(stage, Stage):
        return stage.cost(spec)
    return positions(out) * sum(p.numel() for p in stage.parameters() if p.ndim > 1)

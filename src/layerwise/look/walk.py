"""Every level of a network with its stage, what goes in and comes out, and its windows on the input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import nn

from layerwise.nn import Pipeline, Stage
from layerwise.nn.pipeline import Composite, after
from layerwise.nn.stage import Reach
from layerwise.spec import Spec

__all__ = ["Place", "walk"]


class Place(NamedTuple):
    """A level. `reach` says by axis of the input what one position sees; None is all of it."""

    address: str
    stage: nn.Module
    takes: Spec
    gives: Spec
    reach: Mapping[str, Reach | None]
    first: bool  # whether it learns and sees the input itself, or the input after stages that learn nothing


def walk(net: Pipeline, spec: Spec) -> tuple[Place, ...]:
    """The levels of `net` for input `spec`, in the order and by the addresses of `Pipeline.levels`."""
    return tuple(_walk(net, spec, "", {}, True))


def _walk(
    net: Pipeline, spec: Spec, prefix: str, reach: Mapping[str, Reach | None], first: bool
) -> Iterator[Place]:
    for name, stage in net.stages():
        gives = after(name, stage, spec)
        learns = any(True for _ in stage.parameters())
        if isinstance(stage, Composite):
            inside = stage.inside(spec)
            for part, inner in stage.networks().items():
                yield from _walk(inner, inside[part], f"{prefix}{name}.{part}.", reach, first)
        if isinstance(stage, Pipeline):
            place = None
            for place in _walk(stage, spec, f"{prefix}{name}.", reach, first):
                yield place
            reach = place.reach if place is not None else reach
        else:
            reach = _further(reach, stage, spec)
            plain = not isinstance(stage, Composite)
            yield Place(prefix + name, stage, spec, gives, reach, first and learns and plain)
        spec, first = gives, first and not learns


def _further(reach: Mapping[str, Reach | None], stage: nn.Module, spec: Spec) -> Mapping[str, Reach | None]:
    """What is seen through one more stage: windows grow by steps of the stride so far."""
    if not isinstance(stage, Stage):
        return dict.fromkeys({*reach, *spec.axes})
    seen = {**dict.fromkeys(spec.axes, Reach(1)), **reach}
    for axis, more in stage.field().items():
        before = seen.get(axis, Reach(1))
        if more is None or before is None:
            seen[axis] = None
        else:
            seen[axis] = Reach(before.size + (more.size - 1) * before.stride, before.stride * more.stride)
    return seen

"""Every level of a network: its stage, what goes in and comes out, and which part of the input it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import nn

from layerwise.nn import Pipeline, Stage
from layerwise.nn.pipeline import Composite
from layerwise.nn.stage import Reach
from layerwise.spec import Spec

__all__ = ["Place", "walk"]


class Place(NamedTuple):
    """A level. `reach` says by axis of the network's input what one position sees; None is all of it."""

    address: str
    stage: nn.Module
    takes: Spec
    gives: Spec
    reach: Mapping[str, Reach | None]
    first: bool  # whether it sees the input itself, or the input after stages that learn nothing


def walk(net: Pipeline, spec: Spec) -> Iterator[Place]:
    """The levels of `net` for input `spec`, inner ones before the stage that holds them.

    Where a stage is a torch module that does not know the look of its output, `gives` is an empty Spec.
    """
    yield from _walk(net, spec, "", {}, True)


def _walk(
    net: Pipeline, spec: Spec, prefix: str, reach: Mapping[str, Reach | None], first: bool
) -> Iterator[Place]:
    for name, stage in net.named_children():
        if isinstance(stage, Composite):
            for head, (inner, takes) in stage.inner(spec).items():
                yield from _walk(inner, takes, f"{prefix}{name}.{head}.", {}, first)
        elif isinstance(stage, Pipeline):
            yield from _walk(stage, spec, f"{prefix}{name}.", reach, first)
        known = isinstance(stage, Stage)
        gives = stage.spec(spec) if isinstance(stage, Stage) else Spec()
        reach = _further(reach, stage, spec) if isinstance(stage, Stage) else dict.fromkeys(reach)
        learns = any(True for _ in stage.parameters())
        if not isinstance(stage, Pipeline):
            yield Place(prefix + name, stage, spec, gives, reach, first and learns)
        spec, first = gives if known else Spec(), first and not learns


def _further(reach: Mapping[str, Reach | None], stage: Stage, spec: Spec) -> dict[str, Reach | None]:
    """What is seen through one more stage: sizes grow by steps of the stride so far."""
    own = dict.fromkeys(spec.axes, Reach(1)) | dict(stage.field())
    seen: dict[str, Reach | None] = dict(reach)
    for axis, more in own.items():
        before = reach.get(axis, Reach(1))
        if more is None or before is None:
            seen[axis] = None
        else:
            seen[axis] = Reach(before.size + (more.size - 1) * before.stride, before.stride * more.stride)
    return seen

"""Named stages in order: the answer, and every level on the way to it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.nn.stage import IMAGE, SEQUENCE, VECTOR, Stage, steps
from layerwise.spec import Spec
from layerwise.values import Padded, Value

__all__ = ["Builder", "Composite", "Pipeline", "after", "position_wise"]

# torch's modules that treat each position by itself: the last axis is the channels, or there is none
_ELEMENTWISE = (
    nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.Tanh, nn.Sigmoid,
    nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Mish, nn.Dropout,
)  # fmt: skip


class Pipeline(nn.Module):
    """Stages in order, each any torch module; every level can be read.

    **Shape** what the first stage takes to what the last one gives. `Padded` input is set to zero past each
    length, NaN included; a stage that does not declare `takes_padded = True` and is not known to treat each
    position by itself is refused by name with a UsageError.

    >>> from torch import nn, ones
    >>> net = Pipeline(hidden=nn.Linear(4, 3), act=nn.ReLU(), answer=nn.Linear(3, 2))
    >>> [(address, tuple(value.shape)) for address, value in net.levels(ones(5, 4))]
    [('hidden', (5, 3)), ('act', (5, 3)), ('answer', (5, 2))]
    """

    takes_padded = True
    takes_columns = True

    def __init__(self, /, **stages: nn.Module) -> None:
        super().__init__()
        if not stages:
            raise UsageError("a Pipeline needs at least one stage, got none")
        for name, stage in stages.items():
            if not name.isidentifier() or hasattr(self, name):
                raise UsageError(
                    f"a stage cannot be called {shown(name)}: take letters, digits and _,"
                    " and no name that torch uses"
                )
            self.add_module(name, stage)

    def stages(self) -> list[tuple[str, nn.Module]]:
        """The stages in order, with their names."""
        return [(name, stage) for name, stage in self._modules.items() if stage is not None]

    def forward(self, x: Value) -> Value:
        x = _clean(x)
        for name, stage in self.stages():
            x = _through(name, stage, x)
        return x

    def spec(self, spec: Spec) -> Spec:
        """What comes out when `spec` goes in; a stage that does not know is tried on zeros."""
        for name, stage in self.stages():
            spec = after(name, stage, spec)
        return spec

    def levels(self, x: Value) -> Iterator[tuple[str, Value]]:
        """(address, value) of every level, inner ones dotted (`columns.photo.conv1`); the output last."""
        x = _clean(x)
        for name, stage in self.stages():
            if isinstance(stage, Pipeline | Composite):
                for inner, value in stage.levels(x):
                    yield (f"{name}.{inner}" if inner else name), value
                x = value
            else:
                x = _through(name, stage, x)
                yield name, x

    def upto(self, x: Value, address: str) -> Value:
        """What goes into the stage of that address. Raises UsageError where there is none."""
        head, _, rest = address.partition(".")
        x = _clean(x)
        for name, stage in self.stages():
            if name != head:
                x = _through(name, stage, x)
            elif not rest:
                return x
            elif isinstance(stage, Pipeline | Composite):
                return stage.upto(x, rest)
            else:
                raise UsageError(f"stage {shown(name)} has no inner levels, got the address {shown(address)}")
        known = [name for name, _ in self.stages()]
        raise UsageError(
            f"no stage {shown(head)}{suggest(head, known) or '.'} Its stages: {listed(known, 20)}"
        )


Builder: TypeAlias = Callable[[Sequence[Mapping[str, Any]], Spec, int | None], tuple[Pipeline, Spec]]
"""(stages as a recipe has them, what goes in, outputs where a head ends them) -> network, what comes out."""


class Composite(Stage):
    """A stage with networks inside: `enter` makes what goes into each, `leave` its output from theirs."""

    takes_padded = True

    @classmethod
    @abstractmethod
    def nested(cls, spec: Spec, build: Builder, /, **options: Any) -> Self:
        """The stage whose `options` hold networks as a recipe has them."""

    @abstractmethod
    def networks(self) -> Mapping[str, Pipeline]:
        """The networks inside, by the first part of their levels' addresses."""

    @abstractmethod
    def inside(self, spec: Spec) -> Mapping[str, Spec]:
        """The Spec that goes into each network when `spec` goes into the stage."""

    @abstractmethod
    def enter(self, x: Value) -> Mapping[str, Value]:
        """The value that goes into each network."""

    @abstractmethod
    def leave(self, x: Value, outputs: Mapping[str, Value]) -> Value:
        """The stage's output from its input and the networks' outputs."""

    def depth(self, _spec: Spec) -> int:
        return 0  # beyond its networks'

    def forward(self, x: Value) -> Value:
        entering = self.enter(x)
        return self.leave(x, {name: net(entering[name]) for name, net in self.networks().items()})

    def levels(self, x: Value) -> Iterator[tuple[str, Value]]:
        """The levels of every network by dotted address, then the stage's own output by the address ""."""
        entering, outputs = self.enter(x), {}
        for name, net in self.networks().items():
            for address, value in net.levels(entering[name]):
                yield f"{name}.{address}", value
            outputs[name] = value
        yield "", self.leave(x, outputs)

    def upto(self, x: Value, address: str) -> Value:
        """What goes into the stage of that address in one of the networks."""
        head, _, rest = address.partition(".")
        nets = self.networks()
        if head not in nets:
            raise UsageError(
                f"no network {shown(head)}{suggest(head, nets) or '.'} Networks here: {listed(nets, 20)}"
            )
        value = self.enter(x)[head]
        return nets[head].upto(value, rest) if rest else value


def after(name: str, stage: nn.Module, spec: Spec) -> Spec:
    """What comes out of the stage when `spec` goes in; a stage that does not know is tried on zeros."""
    if isinstance(stage, Stage | Pipeline):
        return stage.spec(spec)
    zeros = torch.zeros(1, steps(spec), *(n or 1 for n in spec.shape[1:]), dtype=getattr(torch, spec.dtype))
    training = [m for m in stage.modules() if m.training]
    stage.eval()
    with torch.no_grad():
        y = _through(name, stage, Padded(zeros, torch.tensor([len(zeros[0])])) if spec.padded else zeros)
    for module in training:
        module.training = True
    shape = tuple((y.values if isinstance(y, Padded) else y).shape[1:]) if not isinstance(y, Mapping) else ()
    axes = spec.axes if len(shape) == len(spec.axes) else {1: VECTOR, 2: SEQUENCE, 3: IMAGE}[len(shape)]
    length = (None, *shape[1:]) if isinstance(y, Padded) else shape
    return Spec(axes, length, rate_hz=spec.rate_hz, longest=spec.longest)


def _clean(x: Value) -> Value:
    return x.zeroed() if isinstance(x, Padded) else x


def _through(name: str, stage: nn.Module, x: Value) -> Value:
    if isinstance(x, Tensor):
        y: Value = stage(x)
        return y
    takes = "takes_padded" if isinstance(x, Padded) else "takes_columns"
    if getattr(stage, takes, False):
        y = stage(x)
        return y
    if isinstance(x, Padded) and position_wise(stage, x.values.ndim):
        return Padded(stage(x.values), x.lengths).zeroed()
    what = "examples of unequal length (Padded)" if isinstance(x, Padded) else "several groups of columns"
    raise UsageError(
        f"stage {shown(name)} ({type(stage).__name__}) got {what}, which it does not say it can take:"
        f" set {takes} = True on it if it can, or put a stage before it that makes one tensor"
    )


def position_wise(module: nn.Module, ndim: int) -> bool:
    """Whether the module treats each step of (N, T, ...) by itself."""
    if isinstance(module, nn.Sequential):
        return all(position_wise(m, ndim) for m in module)
    if type(module) is nn.LayerNorm:
        return ndim > 1 + len(module.normalized_shape)
    return (
        type(module) in _ELEMENTWISE
        or (type(module) is nn.Linear and ndim > 2)
        or type(module) is nn.Embedding
    )

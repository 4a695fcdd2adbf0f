"""Forecasts: a window of the past in, the next values out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn.options import Channels, Window
from layerwise.nn.pipeline import Builder, Composite, Pipeline
from layerwise.nn.stage import SEQUENCE, Reach, Stage, vector, wanted
from layerwise.spec import Spec
from layerwise.values import Value

__all__ = ["Decomposition", "ReversibleNorm"]


def _forecast(stage: Stage, spec: Spec, outputs: int, targets: list[int] | None) -> tuple[int, ...]:
    """The channels to forecast, after checks: the outputs are horizon x targets, time outermost."""
    wanted(stage, spec, SEQUENCE)
    if spec.padded:
        raise UsageError(
            f"{type(stage).__name__} takes windows of one length, got {spec}: cut them to one length"
        )
    channels = spec.length("channel") or 0
    chosen = tuple(range(channels)) if targets is None else tuple(targets)
    if not chosen or not all(0 <= t < channels for t in chosen):
        raise UsageError(f"targets must be numbers of channels, 0 to {channels - 1}, got {list(chosen)}")
    if outputs % len(chosen):
        raise UsageError(
            f"{outputs} outputs are not the next values of {len(chosen)} channels each:"
            " name those to forecast with targets"
        )
    return chosen


class Decomposition(Stage):
    """Trend and remainder, each continued by a linear map over time (DLinear, Zeng et al. 2023).

    **Shape** (N, T, C) to (N, h * len(targets)), time outermost. The trend is the mean over `window` steps,
    the ends repeated. A target is continued from its own past; all share the two maps unless `individual`.
    """

    answers = True

    def __init__(
        self,
        spec: Spec,
        *,
        outputs: Channels,
        targets: list[int] | None = None,
        window: Window = 25,
        individual: bool = False,
    ) -> None:
        super().__init__()
        self.targets = _forecast(self, spec, outputs, targets)
        self.outputs, self.window, self.past = outputs, window, spec.shape[0] or 1
        horizon, maps = outputs // len(self.targets), len(self.targets) if individual else 1
        # both start as the mean of the past
        self.trend = nn.Parameter(torch.full((maps, self.past, horizon), 1 / self.past))
        self.rest = nn.Parameter(torch.full((maps, self.past, horizon), 1 / self.past))
        self.bias = nn.Parameter(torch.zeros(maps, 1, horizon))

    def forward(self, x: Tensor) -> Tensor:
        past = x[:, :, list(self.targets)].permute(2, 0, 1)  # (targets, N, T)
        ends = (self.window - 1) // 2, self.window // 2
        trend = F.avg_pool1d(F.pad(past, ends, mode="replicate"), self.window, 1)
        y = trend @ self.trend + (past - trend) @ self.rest + self.bias
        return y.permute(1, 2, 0).flatten(1)

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.outputs)

    def field(self) -> dict[str, Reach | None]:
        return {"time": None}

    def cost(self, _spec: Spec) -> int:
        return self.past * (2 * self.outputs + len(self.targets))

    def words(self) -> str:
        return f"trend over {self.window} steps and remainder, each continued linearly to {self.outputs}"


class ReversibleNorm(Composite):
    """A network that sees each window without its level and scale, which its forecasts are given back.

    **Shape** (N, T, C) to (N, h * len(targets)), time outermost, in the units of what goes in. `how`
    "instance" takes the window's mean and standard deviation, with a trainable scale and shift a channel (Kim
    et al. 2022); "last" its last value only (NLinear, Zeng et al. 2023). `network` gives the stages inside as
    a recipe has them; a head is added where they end in none.
    """

    answers = True

    def __init__(
        self,
        spec: Spec,
        *,
        net: Pipeline,
        targets: list[int] | None = None,
        how: Literal["instance", "last"] = "instance",
    ) -> None:
        super().__init__()
        self.outputs = net.spec(spec).features
        self.targets = _forecast(self, spec, self.outputs, targets)
        self.net, self.how = net, how
        if how == "instance":
            self.weight = nn.Parameter(torch.ones(spec.length("channel") or 0))
            self.bias = nn.Parameter(torch.zeros(spec.length("channel") or 0))

    @classmethod
    def nested(cls, spec: Spec, build: Builder, /, **options: Any) -> Self:
        network, outputs = options.pop("network", ()), options.pop("outputs", None)
        return cls.from_spec(spec, net=build(network, spec, outputs)[0], **options)

    def networks(self) -> Mapping[str, Pipeline]:
        return {"net": self.net}

    def inside(self, spec: Spec) -> Mapping[str, Spec]:
        return {"net": spec}

    def enter(self, x: Value) -> Mapping[str, Value]:
        window = _window(x)
        level, scale = self._level(window)
        if self.how == "last":
            return {"net": window - level}
        return {"net": (window - level) / scale * self.weight + self.bias}

    def leave(self, x: Value, outputs: Mapping[str, Value]) -> Tensor:
        window, targets = _window(x), list(self.targets)
        y = _window(outputs["net"]).reshape(len(window), -1, len(targets))
        level, scale = self._level(window)
        if self.how == "instance":
            y = (y - self.bias[targets]) / (self.weight[targets] + 1e-8) * scale[:, :, targets]
        return (y + level[:, :, targets]).flatten(1)

    def _level(self, window: Tensor) -> tuple[Tensor, Tensor]:
        if self.how == "last":
            return window[:, -1:], window.new_ones(())
        variance, mean = torch.var_mean(window, 1, correction=0, keepdim=True)
        return mean, (variance + 1e-5).sqrt()

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.outputs)

    def field(self) -> dict[str, Reach | None]:
        return {"time": None}

    def words(self) -> str:
        return "each window less its last value" if self.how == "last" else "each window scaled by itself"


def _window(x: Value) -> Tensor:
    if not isinstance(x, Tensor):
        raise UsageError(f"ReversibleNorm takes windows of one length, got {type(x).__name__}")
    return x

"""What can be read off each dense level of a net while it learns: gradients, the way gone, units that do nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layerwise.nn import Dense, Pipeline

__all__ = ["IDLE", "SATURATED", "Coder", "DeepNet", "LevelState", "anatomy", "weights_of"]

IDLE = 0.01  # least standard deviation, over examples, of a unit that tells them apart
SATURATED = 0.1  # share of an activation's steepest slope, below which little gets through

# the slope at the output y, as a share of the steepest
_SLOPES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda y: 4 * y * (1 - y),
    "tanh": lambda y: 1 - y.square(),
    "relu": lambda y: (y > 0).to(y.dtype),
}


@dataclass(frozen=True)
class LevelState:
    """A level at one moment.

    `gradient`  Euclidean norm of the loss's gradient by its weights
    `distance`  of its weights from where training began, as a share of their norm there
    `idle`      share of its units whose answers differ by less than 0.01, in standard deviation, over examples
    `saturated` share of its units whose slope is, in the mean over examples, under a tenth of the steepest
    """

    gradient: float
    distance: float
    idle: float
    saturated: float


@dataclass(frozen=True)
class DeepNet:
    """A net that learned to name digits: held-out accuracy, and its levels before the first step and later.

    `states` are those of all levels, lowest first, before the first step and after each epoch. `chance` is the
    share of the commonest digit among the n held out.
    """

    kind: str
    depth: int
    accuracy: float
    chance: float
    n: int
    states: tuple[tuple[LevelState, ...], ...]


@dataclass(frozen=True)
class Coder:
    """An autoencoder of so many layers and units of its code: the mean squared error of n held-out
    pictures, and the mean picture's."""

    kind: str
    layers: int
    code: int
    error: float
    floor: float
    n: int

    @property
    def ratio(self) -> float:
        """1: no better than the mean picture."""
        return self.error / self.floor


def weights_of(net: Pipeline) -> dict[str, Tensor]:
    """A copy of the weights of each dense level with an activation that saturates or cuts off."""
    return {name: stage.linear.weight.detach().clone() for name, stage in _levels(net)}


def anatomy(
    net: Pipeline, loss: Callable[[nn.Module], Tensor], x: Tensor, *, first: Mapping[str, Tensor]
) -> dict[str, LevelState]:
    """Every such level of `net`, by name, on the examples x (N, ...); `net` stays as it is.

    `loss(net)` is the loss of these examples, `first` what `weights_of` said when training began.
    """
    net = deepcopy(net).train()
    net.zero_grad(set_to_none=True)
    loss(net).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        values = {name: value for name, value in net.levels(x) if isinstance(value, Tensor)}
        below = dict(zip(values, [x, *values.values()], strict=False))
        states = {}
        for name, stage in _levels(net):
            weight = stage.linear.weight
            assert weight.grad is not None
            y = values[name] - below[name] if stage.residual else values[name]
            slope = _SLOPES[str(stage.activation)](y).mean(0)
            states[name] = LevelState(
                gradient=weight.grad.norm().item(),
                distance=((weight - first[name]).norm() / first[name].norm()).item(),
                idle=(y.std(0) < IDLE).double().mean().item(),
                saturated=(slope < SATURATED).double().mean().item(),
            )
    return states


def _levels(net: Pipeline) -> list[tuple[str, Dense]]:
    return [(n, s) for n, s in net.stages() if isinstance(s, Dense) and s.activation in _SLOPES]

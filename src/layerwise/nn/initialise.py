"""First weights by name, and the constraint on their norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["INITS", "Init", "Linear", "constrain", "initialise", "normal"]

Init: TypeAlias = Literal["he", "glorot", "lecun", "orthogonal", "small", "classic"]


def normal(weight: Tensor, std: float) -> Tensor:
    """Fill `weight` with normal numbers of mean 0."""
    # on "meta", where sizes are tried, nothing is to fill, and torch would import half of itself to do so
    return weight if weight.is_meta else nn.init.normal_(weight, std=std)


def _fan_in(weight: Tensor) -> int:
    return max(1, weight[0].numel())


def _classic(weight: Tensor) -> Tensor:
    bound = 1 / math.sqrt(_fan_in(weight))
    return nn.init.uniform_(weight, -bound, bound)


INITS: Mapping[str, Callable[[Tensor], Tensor]] = {
    # normal, variance 2 / fan in (He et al. 2015, Delving deep into rectifiers)
    "he": lambda w: normal(w, math.sqrt(2 / _fan_in(w))),
    # uniform, variance 2 / (fan in + fan out) (Glorot and Bengio 2010)
    "glorot": nn.init.xavier_uniform_,
    # normal, variance 1 / fan in (LeCun et al. 1998, Efficient BackProp)
    "lecun": lambda w: normal(w, math.sqrt(1 / _fan_in(w))),
    # orthogonal rows or columns (Saxe et al. 2014)
    "orthogonal": nn.init.orthogonal_,
    # normal, standard deviation 0.01 (Krizhevsky et al. 2012)
    "small": lambda w: normal(w, 0.01),
    # uniform within 1 / sqrt(fan in), the habit before 2010
    "classic": _classic,
}


class Linear(nn.Linear):
    """torch's linear map with first weights by name and, if wanted, a bound on each unit's norm."""

    def __init__(
        self, inputs: int, outputs: int, *, bias: bool = True, init: str = "he", max_norm: float | None = None
    ) -> None:
        self.init, self.max_norm = init, max_norm
        super().__init__(inputs, outputs, bias=bias)

    def reset_parameters(self) -> None:
        initialise(self.weight, self.init)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @torch.no_grad()
    def constrain(self) -> None:
        """Shrink the incoming weights of each unit to the norm `max_norm` allows; training calls it each step.

        Srivastava et al. 2014, section 5.1; without a bound nothing happens.
        """
        if self.max_norm is not None:
            norms = self.weight.norm(dim=1, keepdim=True)
            self.weight.mul_((self.max_norm / norms.clamp_min(1e-12)).clamp_max(1))


def initialise(weight: Tensor, init: str) -> None:
    """Fill a weight (out, in, ...) by the rule of that name."""
    INITS[init](weight)


def constrain(net: nn.Module) -> None:
    """Hold every unit of `net` to the norm its `max_norm` allows, outside training."""
    for layer in net.modules():
        if isinstance(layer, Linear):
            layer.constrain()

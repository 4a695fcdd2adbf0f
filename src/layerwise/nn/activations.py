"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ACTIVATIONS", "KEEPS_ZERO", "RISING", "Activation", "activate"]

Activation: TypeAlias = Literal[
    "relu", "leaky_relu", "gelu", "silu", "elu", "tanh", "lecun_tanh", "sigmoid", "softplus"
]


def _lecun_tanh(x: Tensor) -> Tensor:
    """1.7159 tanh(2x / 3): maps +-1 to itself (LeCun et al. 1998, Efficient BackProp)."""
    return 1.7159 * torch.tanh(x * (2 / 3))


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": partial(F.relu, inplace=True),
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.01, inplace=True),
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "tanh": torch.tanh,
    "lecun_tanh": _lecun_tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
}

RISING = frozenset(ACTIVATIONS) - {"gelu", "silu"}
"""Those that never fall, so that they may be taken before or after a maximum."""


KEEPS_ZERO = frozenset(ACTIVATIONS) - {"sigmoid", "softplus"}
"""Those that make zero of zero."""


def activate(x: Tensor, name: str | None) -> Tensor:
    """The activation of that name; None is the identity. May work in place: `x` must be the caller's own."""
    return x if name is None else ACTIVATIONS[name](x)

"""The sliding window itself: weights, padding, and which maps see which."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn.initialise import initialise

__all__ = ["LENET5", "Kernel"]

# Table I of LeCun et al. 1998: the maps of S2 that each of the 16 maps of C3 sees
LENET5 = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    tuple(range(6)),
)


class Kernel(nn.Module):
    """A convolution over one or two axes, with its padding.

    **Shape** (N, C, ...) to (N, width, ...). Padding "same" makes ceil(n / stride) positions of n,
    "valid" (n - size) // stride + 1. `links`: the input maps that each output map sees.
    """

    links: Tensor

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        size: int,
        axes: int,
        stride: int = 1,
        same: bool = True,
        groups: int = 1,
        bias: bool = True,
        init: str = "he",
        links: tuple[tuple[int, ...], ...] | None = None,
    ) -> None:
        super().__init__()
        self.size, self.axes, self.stride, self.same, self.groups = size, axes, stride, same, groups
        self.full = (width, channels // groups, *(size,) * axes)
        weight = torch.empty(self.full)
        initialise(weight, init)
        self.linked = links is not None
        if links is not None:
            self.register_buffer("links", _pairs(links, channels), persistent=False)
            weight = weight[self.links[0], self.links[1]]
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def length(self, n: int) -> int:
        """How many positions come out of n; less than 1 where none does."""
        return -(-n // self.stride) if self.same else (n - self.size) // self.stride + 1

    def lengths(self, lengths: Tensor | None) -> Tensor | None:
        """How many real positions come out of each of `lengths` (N,)."""
        if lengths is None:
            return None
        if self.same:
            return (lengths + self.stride - 1) // self.stride
        return ((lengths - self.size) // self.stride + 1).clamp_min(0)

    def forward(self, x: Tensor) -> Tensor:
        padding = 0
        if self.same and self.size % 2:
            padding = self.size // 2
        elif self.same:
            x = F.pad(x, ((self.size - 1) // 2, self.size // 2) * self.axes)
        convolve = F.conv2d if self.axes == 2 else F.conv1d
        return convolve(x, self.kernel(), self.bias, self.stride, padding, 1, self.groups)

    def kernel(self) -> Tensor:
        """(width, C / groups, size, ...), zero where there is no link."""
        if not self.linked:
            return self.weight
        return self.weight.new_zeros(self.full).index_put((self.links[0], self.links[1]), self.weight)

    def cost(self) -> int:
        """Multiply-adds for one position."""
        return self.weight.numel()


def _pairs(links: tuple[tuple[int, ...], ...], channels: int) -> Tensor:
    """(2, L): output map and input map of each link."""
    seen = 1 + max(max(maps) for maps in links)
    if seen != channels:
        raise UsageError(f"these connections need {seen} maps, got {channels}")
    return torch.tensor([(out, into) for out, maps in enumerate(links) for into in sorted(maps)]).T

"""Normalisation that counts only what is real."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BatchNorm", "LayerNorm", "Norm", "ResponseNorm", "norm_of", "normed"]

Norm: TypeAlias = Literal["batch", "layer"]


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy 2015) with statistics over valid positions only.

    **Shape** (N, C, ...) to the same; `mask` broadcasts to (N, 1, ...), True where a position is real; `x` is
    zero elsewhere.
    Without a mask it equals torch's. One lone value a channel is normalised by the running statistics.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, channels: int, *, affine: bool = True, momentum: float = 0.1, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        total = x.numel() // x.shape[1]
        share = mask.sum().item() / mask.numel() if self.training and mask is not None else 1.0
        training = self.training and share * total > 1.5
        if training and mask is not None:
            return self._masked(x, mask, total, share)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training, self.momentum, self.eps
        )

    def _masked(self, x: Tensor, mask: Tensor, total: int, share: float) -> Tensor:
        n = round(share * total)
        axes = [d for d in range(x.ndim) if d != 1]
        mean = x.sum(axes) / n
        # The mean in place of what is not real leaves the mean as it is and makes the variance `share` of what
        # it is; torch's fused norm, told of it, then does the rest.
        filled = torch.addcmul(x, (~mask).to(x.dtype), mean.view(1, -1, *(1,) * (x.ndim - 2)))
        weight = torch.ones_like(mean) if self.weight is None else self.weight
        seen, spread = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
        y = F.batch_norm(filled, seen, spread, weight * share**0.5, self.bias, True, 1.0, self.eps * share)
        self.running_mean.lerp_(seen, self.momentum)
        self.running_var.lerp_(spread * ((total - 1) / (n - 1)), self.momentum)
        return y


class LayerNorm(nn.Module):
    """Layer normalisation (Ba et al. 2016) over the channels of each position, so nothing need be masked.

    **Shape** (N, C, ...) to the same.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        last = x.movedim(1, -1)
        return F.layer_norm(last, self.weight.shape, self.weight, self.bias, self.eps).movedim(-1, 1)


class ResponseNorm(nn.Module):
    """Local response normalisation over neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    **Shape** (N, C, ...) to the same: each value over (2 + 1e-4 * sum of squares of 5 neighbours) ** 0.75.
    """

    def forward(self, x: Tensor) -> Tensor:
        # torch takes the mean over the 5 neighbours where the paper takes the sum
        return F.local_response_norm(x, 5, alpha=5e-4, beta=0.75, k=2.0)


def norm_of(name: str | None, channels: int) -> nn.Module | None:
    """The normalisation of that name for maps of `channels` channels."""
    if name is None:
        return None
    return (
        ResponseNorm()
        if name == "response"
        else BatchNorm(channels)
        if name == "batch"
        else LayerNorm(channels)
    )


def normed(x: Tensor, norm: nn.Module | None, mask: Tensor | None) -> Tensor:
    """`x` (N, C, ...) through the norm, if any, counting only where `mask` (N, 1, ...) is True, if given."""
    if norm is None:
        return x
    y: Tensor = norm(x, mask) if isinstance(norm, BatchNorm) else norm(x)
    return y

"""Blocks with a way round them, so that many may be stacked."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.nn.activations import Activation
from layerwise.nn.kernel import Kernel
from layerwise.nn.masks import activate_, mask_of, zero_
from layerwise.nn.norms import Norm, norm_of, normed
from layerwise.nn.options import Channels, Count, Share, Window
from layerwise.nn.pooling import Maps
from layerwise.nn.stage import Reach, positions, resized
from layerwise.spec import Spec

__all__ = ["Residual"]


class _Block(nn.Module):
    """Two convolutions and a way round them (He et al. 2015); pre-activated: He et al. 2016."""

    def __init__(
        self, channels: int, width: int, *, axes: int, size: int, stride: int, activation: Activation,
        norm: str, dropout: float, kind: str, shortcut: str,
    ) -> None:  # fmt: skip
        super().__init__()
        biased = norm != "batch"
        self.kernel1 = Kernel(channels, width, size=size, axes=axes, stride=stride, bias=biased)
        self.kernel2 = Kernel(width, width, size=size, axes=axes, bias=biased)
        self.before = kind == "preactivation"
        self.norm1 = norm_of(norm, channels if self.before else width)
        self.norm2 = norm_of(norm, width)
        self.activation, self.dropout, self.stride, self.more = activation, dropout, stride, width - channels
        self.project: Kernel | None = None
        if (stride > 1 or self.more) and (shortcut == "project" or self.more < 0):
            self.project = Kernel(channels, width, size=1, axes=axes, stride=stride, bias=biased)
            self.norm_project = None if self.before else norm_of(norm, width)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.before:
            first = self._active(x, self.norm1, lengths)
            after = self.kernel1.lengths(lengths)
            y = self._dropped(self._active(zero_(self.kernel1(first), after), self.norm2, after))
            way_round = self._way_round(x if self.project is None else first, after)
            return zero_(self.kernel2(y).add_(way_round), after), after
        after = self.kernel1.lengths(lengths)
        y = self._dropped(self._active(zero_(self.kernel1(x), after), self.norm1, after))
        y = zero_(self.kernel2(y), after)
        y = normed(y, self.norm2, mask_of(y, after)).add_(self._way_round(x, after))
        return activate_(y, self.activation, after), after

    def _active(self, x: Tensor, norm: nn.Module | None, lengths: Tensor | None) -> Tensor:
        return activate_(normed(x, norm, mask_of(x, lengths)), self.activation, lengths)

    def _dropped(self, y: Tensor) -> Tensor:
        return F.dropout(y, self.dropout, self.training) if self.dropout else y

    def _way_round(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if self.project is not None:
            y = zero_(self.project(x), lengths)
            return normed(y, self.norm_project, mask_of(y, lengths))
        if self.stride > 1:
            every = slice(None, None, self.stride)
            x = x[:, :, every] if x.ndim == 3 else x[:, :, every, every]
        return F.pad(x, (0, 0) * (x.ndim - 2) + (0, self.more)) if self.more else x


class Residual(Maps):
    """Blocks of two convolutions, each added to its own input (He et al. 2015); the first block strides.

    **Shape** as Convolution's, each axis n to ceil(n / stride). Where width or stride change the way round is
    padded with zero channels and thinned (`shortcut` "pad", option A of the paper) or a 1 x 1 convolution
    ("project", option B). `kind` "preactivation" puts norm and activation first (He et al. 2016).
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        blocks: Count = 1,
        stride: Window = 1,
        size: Window = 3,
        activation: Activation = "relu",
        norm: Norm = "batch",
        dropout: Share = 0.0,
        kind: Literal["basic", "preactivation"] = "basic",
        shortcut: Literal["pad", "project"] = "project",
    ) -> None:
        super().__init__(spec)
        self.width, self.size, self.stride, self.kind, self.activation = width, size, stride, kind, activation
        self.blocks = nn.ModuleList(
            _Block(
                width if i else self.channels, width, axes=len(self.spatial), size=size,
                stride=1 if i else stride, activation=activation,
                norm=norm, dropout=dropout, kind=kind, shortcut=shortcut,
            )
            for i in range(blocks)
        )  # fmt: skip

    def maps(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        for block in self.blocks:
            x, lengths = block(x, lengths)
        return x, lengths

    def spec(self, spec: Spec) -> Spec:
        return resized(spec, self.width, lambda n: -(-n // self.stride), self.stride)

    def field(self) -> dict[str, Reach | None]:
        after = self.size + (2 * len(self.blocks) - 2) * (self.size - 1)  # all but the first window, strided
        return dict.fromkeys(self.spatial, Reach(self.size + (after - 1) * self.stride, self.stride))

    def cost(self, spec: Spec) -> int:
        kernels = sum(k.cost() for k in self.modules() if isinstance(k, Kernel))
        return positions(self.spec(spec)) * kernels

    def depth(self, _spec: Spec) -> int:
        return 2 * len(self.blocks)

    def words(self) -> str:
        count = f"{len(self.blocks)} residual block{'s' * (len(self.blocks) > 1)}"
        stride = f" every {self.stride}" if self.stride > 1 else ""
        kind = ", pre-activated" if self.kind == "preactivation" else ""
        act = self.activation.replace("_", " ")
        return f"{count} of convolutions {self.size}{stride} to {self.width}, {act}{kind}"

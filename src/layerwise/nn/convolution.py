"""Levels whose units see a window and are the same everywhere."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from layerwise.errors import UsageError
from layerwise.nn.activations import RISING, Activation
from layerwise.nn.initialise import Init
from layerwise.nn.kernel import LENET5, Kernel
from layerwise.nn.masks import activate_, mask_of, zero_
from layerwise.nn.norms import ResponseNorm, norm_of, normed
from layerwise.nn.options import Channels, Share, Window
from layerwise.nn.pooling import Maps, Pool
from layerwise.nn.stage import Reach, positions, resized, said
from layerwise.spec import Spec

__all__ = ["Convolution"]


class Convolution(Maps):
    """Convolution, norm, activation, pooling, dropout; in 1-D on sequences, in 2-D on the rest.

    **Shape** images (N, C, H, W) to (N, width, H', W'); sequences (N, T, C) to (N, T', width); spectrograms
    (N, T, C, F) to (N, T', width, F'); the last two `Padded` or not, where nothing past a length is seen.

    `connections` "lenet5" is the sparse table between S2 and C3 of LeCun et al. 1998. The norm "response"
    comes after the activation, as in Krizhevsky et al. 2012.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        size: Window = 3,
        stride: Window = 1,
        padding: Literal["same", "valid"] = "same",
        activation: Activation | None = "relu",
        norm: Literal["batch", "layer", "response"] | None = None,
        dropout: Share = 0.0,
        pool: Literal["max", "average", "subsample"] | None = None,
        pool_size: Window = 2,
        pool_stride: Window | None = None,
        init: Init = "he",
        groups: Channels = 1,
        connections: Literal["lenet5"] | None = None,
    ) -> None:
        super().__init__(spec)
        if self.channels % groups or width % groups:
            raise UsageError(
                f"groups must divide the channels, got {groups} for {self.channels} in and {width} out"
            )
        if connections and (width, groups) != (16, 1):
            raise UsageError(f"the connections of LeNet-5 make 16 maps in one group, got {width} in {groups}")
        self.kernel = Kernel(
            self.channels, width, size=size, axes=len(self.spatial), stride=stride, same=padding == "same",
            groups=groups, bias=norm != "batch", init=init, links=LENET5 if connections else None,
        )  # fmt: skip
        self.width, self.activation, self.dropout = width, activation, dropout
        self.norm = norm_of(norm, width)
        # the largest is the same before and after what never falls, but cheaper to take before
        self.late = pool == "max" and norm != "response" and (activation is None or activation in RISING)
        inner = self._convolved(spec)
        self.pool = None if pool is None else Pool(
            inner, how=pool, size=pool_size, stride=pool_stride, activation=activation if self.late else None
        )  # fmt: skip

    def maps(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if lengths is not None and x.shape[2] < self.kernel.size:
            x = F.pad(x, (0, 0) * (x.ndim - 3) + (0, self.kernel.size - x.shape[2]))
        y, lengths = self.kernel(x), self.kernel.lengths(lengths)
        if not isinstance(self.norm, ResponseNorm):
            y = normed(zero_(y, lengths), self.norm, mask_of(y, lengths))
        if not self.late:
            y = activate_(y, self.activation, lengths)
        if isinstance(self.norm, ResponseNorm):
            y = self.norm(y)
        if self.pool is not None:
            y, lengths = self.pool.maps(y, lengths)
        if self.dropout:
            y = F.dropout(y, self.dropout, self.training)
        return y, lengths

    def _convolved(self, spec: Spec) -> Spec:
        vanished = [axis for axis in self.spatial if (n := spec.length(axis)) and self.kernel.length(n) < 1]
        if vanished:
            raise UsageError(
                f"nothing is left of {spec} under a valid window of {self.kernel.size}: make size smaller, or"
                " padding 'same'"
            )
        return resized(spec, self.width, lambda n: max(0, self.kernel.length(n)), self.kernel.stride)

    def spec(self, spec: Spec) -> Spec:
        inner = self._convolved(spec)
        return inner if self.pool is None else self.pool.spec(inner)

    def field(self) -> dict[str, Reach | None]:
        size, stride = self.kernel.size, self.kernel.stride
        if self.pool is not None:
            size, stride = size + (self.pool.size - 1) * stride, stride * self.pool.stride
        return dict.fromkeys(self.spatial, Reach(size, stride))

    def cost(self, spec: Spec) -> int:
        inner = self._convolved(spec)
        return positions(inner) * self.kernel.cost() + (0 if self.pool is None else self.pool.cost(inner))

    def depth(self, _spec: Spec) -> int:
        return 1 + (self.pool is not None and self.pool.how == "subsample")

    def words(self) -> str:
        size = " x ".join([str(self.kernel.size)] * len(self.spatial))
        stride = f" every {self.kernel.stride}" if self.kernel.stride > 1 else ""
        name = said(f"convolution {size}{stride} to {self.width}", self.norm, self.activation, 0)
        pool = "" if self.pool is None else f", {self.pool.how} pool {self.pool.size}"
        return name + pool + (f", dropout {self.dropout:g}" if self.dropout else "")

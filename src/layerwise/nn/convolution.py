"""Levels whose units see a window and are the same everywhere."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn.activations import RISING, Activation, activate
from layerwise.nn.initialise import Init, initialise
from layerwise.nn.norms import Norm, ResponseNorm, norm_of
from layerwise.nn.options import Channels, Count, Share, Window
from layerwise.nn.pooling import Maps, Pool, mask_of, masked
from layerwise.nn.stage import Reach, positions, resized, said
from layerwise.spec import Spec

__all__ = ["Convolution", "Kernel", "Residual"]

# Table I of LeCun et al. 1998: the maps of S2 that each of the 16 maps of C3 sees
LENET5 = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    tuple(range(6)),
)


class Kernel(nn.Module):
    """A convolution over one or two axes, with its padding.

    **Shape** (N, C, ...) to (N, width, ...). "same" keeps n positions at stride 1 and makes ceil(n / stride) of
    them otherwise; "valid" makes (n - size) // stride + 1. `links`: the input maps each output map sees.
    """

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


class Convolution(Maps):
    """Convolution, norm, activation, pooling, dropout: in 2-D on images and spectrograms, in 1-D on sequences.

    **Shape** images (N, C, H, W) to (N, width, H', W'); sequences (N, T, C) to (N, T', width); spectrograms
    (N, T, C, F) to (N, T', width, F'); the last two `Padded` or not, where nothing past a length is seen.

    `connections` "lenet5" is the sparse table between S2 and C3 of LeCun et al. 1998. "response" norm comes after
    the activation, as in Krizhevsky et al. 2012.
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
        after = isinstance(self.norm, ResponseNorm)
        y = _normed(y, None if after else self.norm, lengths)
        if not self.late:
            y = activate(y, self.activation)
        y = _normed(y, self.norm if after else None, lengths)
        if self.pool is not None:
            y, lengths = self.pool.maps(masked(y, lengths), lengths)
        if self.dropout:
            y = F.dropout(y, self.dropout, self.training)
        return masked(y, lengths), lengths

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

    def words(self) -> str:
        size = " x ".join([str(self.kernel.size)] * len(self.spatial))
        stride = f" every {self.kernel.stride}" if self.kernel.stride > 1 else ""
        name = said(f"convolution {size}{stride} to {self.width}", self.norm, self.activation, 0)
        pool = "" if self.pool is None else f", {self.pool.how} pool {self.pool.size}"
        return name + pool + (f", dropout {self.dropout:g}" if self.dropout else "")


def _normed(y: Tensor, norm: nn.Module | None, lengths: Tensor | None) -> Tensor:
    if norm is None:
        return y
    normed: Tensor = norm(y, None if lengths is None else mask_of(y, lengths))
    return normed


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
        after = self.kernel1.lengths(lengths)
        if self.before:
            x = (
                masked(activate(_normed(x, self.norm1, lengths), self.activation), lengths)
                if self.project
                else x
            )
            y = (
                x
                if self.project
                else masked(activate(_normed(x, self.norm1, lengths), self.activation), lengths)
            )
            y = masked(self._middle(_normed(self.kernel1(y), self.norm2, after)), after)
            return masked(self.kernel2(y) + self._round(x, after), after), after
        y = masked(self._middle(_normed(self.kernel1(x), self.norm1, after)), after)
        y = _normed(self.kernel2(y), self.norm2, after) + self._round(x, after)
        return masked(activate(y, self.activation), after), after

    def _middle(self, y: Tensor) -> Tensor:
        y = activate(y, self.activation)
        return F.dropout(y, self.dropout, self.training) if self.dropout else y

    def _round(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if self.project is not None:
            return _normed(self.project(x), self.norm_project, lengths)
        if self.stride > 1:
            x = x[(slice(None), slice(None), *(slice(None, None, self.stride),) * (x.ndim - 2))]
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
                width if i else self.channels, width, axes=len(self.spatial), size=size, stride=1 if i else stride,
                activation=activation, norm=norm, dropout=dropout, kind=kind, shortcut=shortcut,
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

    def depth(self, spec: Spec) -> int:  # noqa: ARG002
        return 2 * len(self.blocks)

    def words(self) -> str:
        count = f"{len(self.blocks)} residual block{'s' * (len(self.blocks) > 1)}"
        stride = f" every {self.stride}" if self.stride > 1 else ""
        kind = ", pre-activated" if self.kind == "preactivation" else ""
        return f"{count} of convolutions {self.size}{stride} to {self.width}, {self.activation.replace('_', ' ')}{kind}"

"""Fewer positions out of many: windows, and all of them at once."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn.activations import Activation
from layerwise.nn.masks import activate_, mask_of, masked
from layerwise.nn.options import Window
from layerwise.nn.stage import (
    IMAGE,
    SEQUENCE,
    SPECTROGRAM,
    Reach,
    Stage,
    positions,
    resized,
    said,
    spatial,
    vector,
    wanted,
)
from layerwise.spec import Spec
from layerwise.values import Padded

__all__ = ["GlobalPool", "Maps", "Pool"]

LEAST = -1e30  # below any value there is, but times zero it is zero, which -inf is not


class Maps(Stage):
    """A stage on maps with the channels first: images as they are, time-first values turned, not copied.

    **Shape** images (N, C, H, W); sequences (N, T, C) and spectrograms (N, T, C, F), `Padded` or not.
    """

    takes_padded = True

    def __init__(self, spec: Spec, hint: str = "put Embedding (tokens) or LogMel (sound) before it") -> None:
        super().__init__()
        wanted(self, spec, IMAGE, SEQUENCE, SPECTROGRAM, hint=hint)
        self.turned = spec.axes != IMAGE
        self.channels = spec.length("channel") or 0
        self.spatial = spatial(spec)

    @abstractmethod
    def maps(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(N, C, ...) to (N, C', ...); where there are lengths, zero past them before and after."""

    def forward(self, x: Tensor | Padded) -> Tensor | Padded:
        if isinstance(x, Padded):
            values, lengths = self.maps(x.values.transpose(1, 2), x.lengths)
            return Padded(values.transpose(1, 2), x.lengths if lengths is None else lengths)
        if self.turned:
            return self.maps(x.transpose(1, 2), None)[0].transpose(1, 2)
        return self.maps(x, None)[0]


class Pool(Maps):
    """The largest, the mean, or LeCun's subsampling of each window; over the edge what is there counts.

    **Shape** maps to maps, each axis n to ceil((n - size) / stride) + 1, at least 1. "subsample" is the
    window's sum times a trainable coefficient plus a bias, one of each a channel (LeCun et al. 1998).
    """

    def __init__(
        self,
        spec: Spec,
        *,
        how: Literal["max", "average", "subsample"] = "max",
        size: Window = 2,
        stride: Window | None = None,
        activation: Activation | None = None,
    ) -> None:
        super().__init__(spec)
        self.how, self.size, self.stride, self.activation = how, size, stride or size, activation
        if self.stride > size:
            raise UsageError(
                f"windows of {size} that are {self.stride} apart leave gaps: stride is at most size"
            )
        if how == "subsample":
            # the coefficient that makes it the mean at first
            self.weight = nn.Parameter(torch.full((self.channels,), 1 / size ** len(self.spatial)))
            self.bias = nn.Parameter(torch.zeros(self.channels))

    def length(self, n: int) -> int:
        """How many windows stand on n positions."""
        return max(1, 1 - (self.size - n) // self.stride) if n > 0 else 0

    def maps(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        y = self._largest(x, lengths) if self.how == "max" else self._mean(x, lengths)
        if self.how == "subsample":
            column = (-1, *(1,) * (y.ndim - 2))
            total = y * self.size ** len(self.spatial)
            y = torch.addcmul(self.bias.view(column), total, self.weight.view(column))
        if lengths is not None:
            windows = (1 - (self.size - lengths) // self.stride).clamp_min(1)
            lengths = torch.where(lengths > 0, windows, 0)
        return activate_(y, self.activation, lengths), lengths

    def _windows(self, x: Tensor) -> tuple[list[int], list[int]]:
        size = [min(self.size, n) for n in x.shape[2:]]
        return size, [self.stride] * len(size)

    def _largest(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        mask = mask_of(x, lengths)
        if mask is not None:
            x = x + (~mask).to(x.dtype) * LEAST
        largest = F.max_pool2d if x.ndim == 4 else F.max_pool1d
        return largest(x, *self._windows(x), ceil_mode=True)

    def _mean(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        mean = F.avg_pool2d if x.ndim == 4 else F.avg_pool1d
        y = mean(x, *self._windows(x), ceil_mode=True)
        mask = mask_of(x, lengths)
        if mask is None:
            return y
        real = mask.to(x.dtype).expand(-1, 1, *x.shape[2:])
        return y / mean(real, *self._windows(x), ceil_mode=True).clamp_min(1e-6)

    def spec(self, spec: Spec) -> Spec:
        return resized(spec, self.channels, self.length, self.stride)

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self.spatial, Reach(self.size, self.stride))

    def cost(self, spec: Spec) -> int:
        return positions(self.spec(spec)) * self.channels * prod([self.size] * len(self.spatial))

    def words(self) -> str:
        apart = f" every {self.stride}" if self.stride != self.size else ""
        return said(
            f"{self.how} {'pool ' if self.how != 'subsample' else ''}{self.size}{apart}",
            None,
            self.activation,
            0,
        )


class GlobalPool(Stage):
    """One vector out of all positions: their mean, largest, both, a learned weighting, or the last in time.

    **Shape** maps (N, C, H, W), (N, T, C) or (N, T, C, F), `Padded` or not, to (N, C); (N, 2 C) for "both".
    Of `Padded` only what is real counts; of an example of length 0 come zeros. "attention" weighs positions
    by the softmax of a learned score.
    """

    takes_padded = True

    def __init__(
        self, spec: Spec, *, how: Literal["average", "max", "both", "attention", "last"] = "average"
    ) -> None:
        super().__init__()
        wanted(self, spec, IMAGE, SEQUENCE, SPECTROGRAM, hint="tokens need Embedding before it, sound LogMel")
        if how == "last" and spec.axes != SEQUENCE:
            raise UsageError(
                f"GlobalPool 'last' takes sequences, got {' x '.join(spec.axes)}: use 'average' or 'max'"
            )
        self.how, self.turned, self.channels = how, spec.axes != IMAGE, spec.length("channel") or 0
        self.spatial = spatial(spec)
        if how == "attention":
            self.score = nn.Linear(self.channels, 1, bias=False)
            nn.init.zeros_(self.score.weight)

    def forward(self, x: Tensor | Padded) -> Tensor:
        values, lengths = x if isinstance(x, Padded) else (x, None)
        maps = values.transpose(1, 2) if self.turned else values
        if self.how == "both":
            return torch.cat([self._pooled(maps, lengths, "average"), self._pooled(maps, lengths, "max")], 1)
        return self._pooled(maps, lengths, self.how)

    def _pooled(self, maps: Tensor, lengths: Tensor | None, how: str) -> Tensor:
        axes = list(range(2, maps.ndim))
        if how == "last":
            if lengths is None:
                return maps[:, :, -1]
            return maps[torch.arange(len(maps), device=maps.device), :, (lengths - 1).clamp_min(0)]
        if how == "attention":
            return self._attended(maps, lengths)
        if how == "max":
            largest = masked(maps, lengths, -torch.inf).amax(axes)
            return largest if lengths is None else torch.where(lengths[:, None] > 0, largest, 0)
        if lengths is None:
            return maps.mean(axes)
        return maps.sum(axes) / (lengths.clamp_min(1) * maps[0, 0, 0].numel())[:, None]

    def _attended(self, maps: Tensor, lengths: Tensor | None) -> Tensor:
        score = self.score(maps.movedim(1, -1)).movedim(-1, 1)
        # the least finite number, not -inf: the softmax over a length of 0 stays finite
        weight = masked(score, lengths, torch.finfo(score.dtype).min).flatten(2).softmax(-1)
        return (maps.flatten(2) * weight).sum(-1)

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.channels * (2 if self.how == "both" else 1))

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self.spatial, None)

    def cost(self, spec: Spec) -> int:
        return positions(spec) * self.channels * (2 if self.how in ("attention", "both") else 1)

    def words(self) -> str:
        return {
            "average": "mean over all positions",
            "max": "largest over all positions",
            "both": "mean and largest over all positions",
            "attention": "mean over all positions, weighted by a learned score",
            "last": "the last step",
        }[self.how]

"""Levels whose every unit sees all of the level before."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from layerwise.errors import UsageError
from layerwise.nn.activations import Activation
from layerwise.nn.initialise import Init, Linear
from layerwise.nn.masks import activate_, mask_of, masked, zero_
from layerwise.nn.norms import Norm, norm_of, normed
from layerwise.nn.options import Between, Channels, Count, Share
from layerwise.nn.stage import SEQUENCE, Reach, Stage, said, spatial, steps, vector
from layerwise.spec import Spec
from layerwise.values import Padded

__all__ = ["Dense", "Flatten", "Maxout", "flat", "inputs_of"]

MaxNorm = Annotated[float, Between(1e-6, 1e6)]


def inputs_of(stage: Stage, spec: Spec) -> int:
    """How many numbers a unit of a dense stage sees: all of an example, or one step of a sequence."""
    if spec.columns:
        raise UsageError(
            f"{type(stage).__name__} takes one group of columns, got several: put Columns before it"
        )
    if spec.padded and len(spec.shape) < 2:
        raise UsageError(
            f"{type(stage).__name__} takes vectors, got samples or tokens of unequal length:"
            " put Embedding, NgramBag or LogMel before it"
        )
    return spec.but(axes=spec.axes[1:], shape=spec.shape[1:]).features if spec.padded else spec.features


def flat(x: Tensor | Padded) -> Tensor:
    """(N, F) of fixed shapes, (N, T, F) of `Padded`."""
    values = x.values.flatten(2) if isinstance(x, Padded) else x if x.ndim == 2 else x.flatten(1)
    return values if values.is_floating_point() else values.float()


class _Flat(Stage):
    """A stage on (N, F), or on each step of `Padded` (N, T, ...)."""

    takes_padded = True

    def __init__(self, spec: Spec, width: int) -> None:
        super().__init__()
        self.inputs, self.width = inputs_of(self, spec), width
        self.sees = spatial(spec)[1:] if spec.padded else spatial(spec)

    def spec(self, spec: Spec) -> Spec:
        if not spec.padded:
            return vector(self.width)
        return Spec(SEQUENCE, (None, self.width), rate_hz=spec.rate_hz, longest=spec.longest)

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self.sees)

    @abstractmethod
    def units(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(N, inputs), or (N, T, inputs) with lengths, to the same with `width`; zero past each length."""

    def forward(self, x: Tensor | Padded) -> Tensor | Padded:
        if isinstance(x, Padded):
            return Padded(self.units(flat(x), x.lengths), x.lengths)
        return self.units(flat(x), None)


class Dense(_Flat):
    """A linear map, norm, activation, dropout: of all of an example, or of each step of a sequence.

    **Shape** (N, ...) to (N, width); `Padded` (N, T, ...) to (N, T, width). `residual` adds the input, which
    must be of the same width. `max_norm` bounds each unit's incoming weights (see `constrain`).
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        activation: Activation | None = "relu",
        norm: Norm | None = None,
        dropout: Share = 0.0,
        init: Init = "he",
        max_norm: MaxNorm | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__(spec, width)
        if residual and self.inputs != width:
            raise UsageError(f"a residual Dense keeps its width, got {self.inputs} in and {width} out")
        self.linear = Linear(self.inputs, width, bias=norm != "batch", init=init, max_norm=max_norm)
        self.norm = norm_of(norm, width)
        self.activation, self.dropout, self.residual = activation, dropout, residual

    def units(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        y = self.linear(x)
        if lengths is not None:
            y = zero_(y.transpose(1, 2), lengths)
        y = activate_(normed(y, self.norm, mask_of(y, lengths)), self.activation, lengths)
        if lengths is not None:
            y = y.transpose(1, 2)
        if self.dropout:
            y = F.dropout(y, self.dropout, self.training)
        return x + y if self.residual else y

    def cost(self, spec: Spec) -> int:
        return self.inputs * self.width * (steps(spec) if spec.padded else 1)

    def words(self) -> str:
        name = f"dense {self.width}"
        return said(name, self.norm, self.activation, self.dropout) + (", added to its input" * self.residual)


class Maxout(_Flat):
    """Each unit is the largest of `pieces` linear maps (Goodfellow et al. 2013).

    **Shape** (N, ...) to (N, width); `Padded` (N, T, ...) to (N, T, width).
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        pieces: Count = 2,
        dropout: Share = 0.0,
        max_norm: MaxNorm | None = None,
    ) -> None:
        super().__init__(spec, width)
        self.linear = Linear(self.inputs, width * pieces, init="lecun", max_norm=max_norm)
        self.pieces, self.dropout = pieces, dropout

    def units(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        y = self.linear(x).unflatten(-1, (self.width, self.pieces)).amax(-1)
        if lengths is not None:
            y = masked(y.transpose(1, 2), lengths).transpose(1, 2)
        return F.dropout(y, self.dropout, self.training) if self.dropout else y

    def cost(self, spec: Spec) -> int:
        return self.inputs * self.width * self.pieces * (steps(spec) if spec.padded else 1)

    def words(self) -> str:
        return said(f"maxout {self.width} of {self.pieces} pieces each", None, None, self.dropout)


class Flatten(Stage):
    """All of an example of fixed shape as one vector.

    **Shape** (N, ...) to (N, F).
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        if spec.padded:
            raise UsageError("Flatten takes examples of one shape, got unequal lengths: use GlobalPool")
        self.width, self.sees = inputs_of(self, spec), spatial(spec)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self.sees)

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.width)

    def words(self) -> str:
        return "flattened"

"""What every stage of ours knows of itself, beyond what a torch module knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, ClassVar, NamedTuple, Self

from torch import nn

from layerwise.errors import UsageError
from layerwise.nn.options import checked
from layerwise.spec import Spec

__all__ = [
    "CATEGORIES",
    "IMAGE",
    "SAMPLES",
    "SEQUENCE",
    "SPECTROGRAM",
    "VECTOR",
    "Reach",
    "Stage",
    "positions",
    "resized",
    "said",
    "spatial",
    "steps",
    "vector",
    "wanted",
]

IMAGE = ("channel", "height", "width")
SEQUENCE = ("time", "channel")
SPECTROGRAM = ("time", "channel", "band")
SAMPLES = ("time",)  # of a sound, or the tokens of a text
VECTOR = ("feature",)
CATEGORIES = ("category",)

_WORDS = {
    IMAGE: "images",
    SEQUENCE: "sequences of vectors",
    SPECTROGRAM: "spectrograms",
    SAMPLES: "samples or tokens in time",
    VECTOR: "vectors",
    CATEGORIES: "columns of categories",
    (): "columns",
}


class Reach(NamedTuple):
    """What one output position sees along an axis: `size` input positions, `stride` from one to the next."""

    size: int
    stride: int = 1


class Stage(nn.Module, ABC):
    """One step of a network that knows the look of its output, what it sees and what it costs.

    Options are the keyword-only arguments of the constructor, plain JSON, each annotated with what it
    may be. Values are `Value`s: on `Padded` input a stage that declares `takes_padded` relies on zeros past
    each length and leaves zeros there; `Pipeline` sees to it for what comes in.
    """

    takes_padded: ClassVar[bool] = False
    takes_columns: ClassVar[bool] = False
    answers: ClassVar[bool] = (
        False  # gives the task's outputs, and takes their number as the option `outputs`
    )

    @classmethod
    def from_spec(cls, spec: Spec, /, **options: Any) -> Self:
        """The stage for input of that look. Raises UsageError where options or input do not fit."""
        checked(cls, options)
        return cls(spec, **options)

    @abstractmethod
    def spec(self, spec: Spec) -> Spec:
        """What comes out when `spec` goes in."""

    def field(self) -> Mapping[str, Reach | None]:
        """By axis, what an output position sees; None is all of it, an axis left out one position."""
        return {}

    def cost(self, _spec: Spec) -> int:
        """Multiply-adds for one example; of unequal lengths, the longest training example."""
        return 0

    def depth(self, _spec: Spec) -> int:
        """Layers with parameters on the longest way through (Schmidhuber 2015, credit assignment path)."""
        return int(any(True for _ in self.parameters()))

    @abstractmethod
    def words(self) -> str:
        """What it is, for people: `convolution 5 x 5 to 32, relu, max pool 2`."""


def wanted(stage: Stage | type[Stage], spec: Spec, *looks: tuple[str, ...], hint: str = "") -> None:
    """Raise UsageError unless `spec` has one of these looks."""
    if spec.axes not in looks or bool(spec.columns) != (looks == ((),)):
        name = (stage if isinstance(stage, type) else type(stage)).__name__
        takes = " or ".join(_WORDS[axes] for axes in looks)
        got = _WORDS.get(spec.axes, " x ".join(spec.axes))
        raise UsageError(f"{name} takes {takes}, got {got} ({spec}){': ' + hint if hint else ''}")


def vector(width: int) -> Spec:
    """The Spec of a vector of `width` numbers."""
    return Spec(VECTOR, (width,))


def steps(spec: Spec) -> int:
    """The length of the first axis; of unequal lengths, that of the longest training example."""
    return spec.shape[0] or spec.longest or 1


def spatial(spec: Spec) -> tuple[str, ...]:
    """The axes along which an example extends: height, width, time, band."""
    return tuple(axis for axis in spec.axes if axis not in ("channel", "feature", "category"))


def positions(spec: Spec) -> int:
    """At how many positions there are channels or features; of unequal lengths, in the longest example."""
    return prod(spec.length(axis) or steps(spec) for axis in spatial(spec))


def resized(spec: Spec, width: int, length: Callable[[int], int], stride: int) -> Spec:
    """A map of `width` channels whose other axes went through `length`, windows `stride` apart."""
    shape = tuple(
        width if axis == "channel" else None if n is None else length(n)
        for axis, n in zip(spec.axes, spec.shape, strict=True)
    )
    return Spec(
        spec.axes,
        shape,
        rate_hz=spec.rate_hz and spec.rate_hz / stride,
        longest=None if spec.longest is None else length(spec.longest),
    )


def said(name: str, norm: nn.Module | None, activation: str | None, dropout: float) -> str:
    """What follows a linear map, in words: `dense 128, batch norm, relu, dropout 0.5`."""
    words = {"BatchNorm": "batch norm", "LayerNorm": "layer norm", "ResponseNorm": "response norm"}
    norms = [] if norm is None else [words[type(norm).__name__]]
    acts = [activation.replace("_", " ")] if activation else []
    return ", ".join([name, *norms, *acts, *([f"dropout {dropout:g}"] if dropout else [])])

"""What one example looks like to a network: all that the data tell `nn`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

__all__ = ["Spec"]


@dataclass(frozen=True)
class Spec:
    """The look of one example, the batch axis left out.

    `axes` names the axes, outermost first:
      ("channel", "height", "width")  an image
      ("time",)                       a sound as samples, or a text as token numbers
      ("time", "channel")             a series, or a sequence of vectors
      ("time", "channel", "band")     a spectrogram
      ("feature",)                    a vector of numbers
      ("category",)                   one token number for each categorical column
    A `None` in `shape` means that examples differ in that length. Only the first axis, "time", may be
    so; such values travel as `Padded`. A table of several groups of columns has `columns` and no axes.
    """

    axes: tuple[str, ...] = ()
    shape: tuple[int | None, ...] = ()
    dtype: str = "float32"  # of the values that the reader hands on: float32, uint8, uint16, int16, int32
    rate_hz: float | None = None  # of the time axis
    sizes: tuple[int, ...] = ()  # how many tokens: one number for a text, one for each category column
    tokens: tuple[tuple[str, ...], ...] = ()  # what each token stands for: as many groups as `sizes`
    names: tuple[str, ...] = ()  # of channels, features or category columns, where they have names
    days: tuple[
        tuple[int, str], ...
    ] = ()  # features that are points in time, as days since 1970: place, column
    centre: tuple[float, ...] = ()  # mean of the training values, one in all or one a channel or feature
    spread: tuple[float, ...] = ()  # their standard deviation, never 0
    edges: tuple[tuple[float, ...], ...] = ()  # of each number feature: quantiles of the training values
    longest: int | None = None  # of the training examples along a time axis of no fixed length
    columns: Mapping[str, Spec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.axes) != len(self.shape):
            raise ValueError(f"a Spec needs one length for each axis, got {self.axes} and {self.shape}")
        if any(s is None for s in self.shape[1:]):
            raise ValueError(f"only the first axis may have no fixed length, got {self.shape}")

    @property
    def padded(self) -> bool:
        """Whether examples are of unequal length, so that values travel as `Padded`."""
        return bool(self.shape) and self.shape[0] is None

    @property
    def features(self) -> int:
        """The number of values in one example of fixed shape."""
        if None in self.shape or self.columns:
            raise ValueError(f"{self} has no fixed number of values")
        return prod(s for s in self.shape if s is not None)

    def length(self, axis: str) -> int | None:
        """The length of the axis of that name; None where it differs or there is no such axis."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else None

    def but(self, **changes: Any) -> Spec:
        """This Spec with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data; fields that hold their default are left out."""
        plain: dict[str, Any] = {"axes": list(self.axes), "shape": list(self.shape), "dtype": self.dtype}
        for name in ("rate_hz", "longest"):
            if getattr(self, name) is not None:
                plain[name] = getattr(self, name)
        for name in ("sizes", "tokens", "names", "days", "centre", "spread", "edges"):
            if getattr(self, name):
                plain[name] = [list(v) if isinstance(v, tuple) else v for v in getattr(self, name)]
        if self.columns:
            plain["columns"] = {name: spec.to_json() for name, spec in self.columns.items()}
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Spec:
        """The Spec that `to_json` wrote. Raises ValueError, TypeError or KeyError on anything else."""
        known = {k: _tuples(v) for k, v in plain.items() if k != "columns"}
        columns = {name: cls.from_json(spec) for name, spec in plain.get("columns", {}).items()}
        return cls(**known, columns=columns)

    def __str__(self) -> str:
        if self.columns:
            return " + ".join(f"{name} {spec}" for name, spec in self.columns.items())
        return " x ".join("any" if s is None else str(s) for s in self.shape)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value

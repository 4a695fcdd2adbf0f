"""What travels through a network: tensors, padded sequences, columns; and a batch of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from layerwise.spec import Spec

__all__ = ["ONLY", "Batch", "Padded", "Value", "as_value", "collate", "count", "move"]

ONLY = "value"
"""The name of the only field where examples are no table of several groups of columns."""


class Padded(NamedTuple):
    """Sequences of unequal length: `values` (N, T, ...), zero past each of `lengths` (N,), int64."""

    values: Tensor
    lengths: Tensor

    def mask(self) -> Tensor:
        """(N, T), True where a value is real."""
        steps = torch.arange(self.values.shape[1], device=self.values.device)
        return steps < self.lengths[:, None]

    def zeroed(self) -> Padded:
        """The same with everything past each length set to zero, NaN and infinity included."""
        mask = self.mask().reshape(self.values.shape[:2] + (1,) * (self.values.ndim - 2))
        return Padded(torch.where(mask, self.values, self.values.new_zeros(())), self.lengths)


Value: TypeAlias = Tensor | Padded | Mapping[str, "Tensor | Padded"]
"""A tensor, a padded one, or the groups of columns of a table by name."""


@dataclass(frozen=True)
class Batch:
    """Some examples. `weights` None means equal weights, the fused path."""

    inputs: Value
    targets: Tensor | None
    weights: Tensor | None
    rows: Tensor


def as_value(field: np.ndarray | Sequence[np.ndarray], padded: bool) -> Tensor | Padded:
    """Arrays as a network takes them: a stacked tensor, or `Padded` to the longest of these."""
    if not padded:
        return torch.from_numpy(np.ascontiguousarray(field))
    lengths = torch.tensor([len(a) for a in field], dtype=torch.int64)
    first = np.asarray(field[0])
    longest = max(1, int(lengths.max()))
    values = np.zeros((len(field), longest, *first.shape[1:]), first.dtype)
    for i, a in enumerate(field):
        values[i, : len(a)] = a
    return Padded(torch.from_numpy(values), lengths)


def collate(values: Mapping[str, np.ndarray | list[np.ndarray]], spec: Spec) -> Value:
    """Read examples by field as the value that a network of that Spec takes."""
    if spec.columns:
        return {name: as_value(values[name], column.padded) for name, column in spec.columns.items()}
    return as_value(values[ONLY], spec.padded)


def count(value: Value) -> int:
    """How many examples `value` holds."""
    if isinstance(value, Mapping):
        return count(next(iter(value.values())))
    return len(value.values) if isinstance(value, Padded) else len(value)


def move(value: Value, device: str | torch.device) -> Value:
    """`value` on another device."""
    if isinstance(value, Mapping):
        return {name: _move(v, device) for name, v in value.items()}
    return _move(value, device)


def _move(value: Tensor | Padded, device: str | torch.device) -> Tensor | Padded:
    if isinstance(value, Padded):
        return Padded(value.values.to(device, non_blocking=True), value.lengths.to(device, non_blocking=True))
    return value.to(device, non_blocking=True)

"""Batches: where they come from, and how one is cut into pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import ceil
from typing import Protocol

import torch
from torch import Tensor

from layerwise.values import Batch, Padded, Value, count, move

__all__ = ["Batches", "mass", "on", "pieces"]


class Batches(Protocol):
    """Batches that can be asked for in any order: prefetching and resuming follow from it."""

    @property
    def steps_per_epoch(self) -> int:
        """How many steps see every example once."""

    def at(self, step: int) -> Batch:
        """The batch of that step of the phase. Pure."""


def mass(batch: Batch) -> float:
    """What the batch weighs in a mean: the sum of its weights, or its number of examples."""
    return float(count(batch.inputs)) if batch.weights is None else float(batch.weights.sum())


def on(batch: Batch, device: torch.device) -> Batch:
    """The batch on that device; itself where it is there."""
    if batch.rows.device == device:
        return batch

    def there(t: Tensor | None) -> Tensor | None:
        return None if t is None else t.to(device, non_blocking=True)

    return Batch(
        move(batch.inputs, device), there(batch.targets), there(batch.weights), batch.rows.to(device)
    )


def pieces(batch: Batch, number: int) -> Iterator[Batch]:
    """The batch in at most `number` pieces of nearly equal size, in order."""
    size = ceil(count(batch.inputs) / number)
    for start in range(0, count(batch.inputs), size):
        cut = slice(start, start + size)
        yield replace(
            batch,
            inputs=_cut(batch.inputs, cut),
            targets=None if batch.targets is None else batch.targets[cut],
            weights=None if batch.weights is None else batch.weights[cut],
            rows=batch.rows[cut],
        )


def _cut(value: Value, cut: slice) -> Value:
    if isinstance(value, Mapping):
        return {name: _cut_one(v, cut) for name, v in value.items()}
    return _cut_one(value, cut)


def _cut_one(value: Tensor | Padded, cut: slice) -> Tensor | Padded:
    if isinstance(value, Padded):
        return Padded(value.values[cut], value.lengths[cut])
    return value[cut]

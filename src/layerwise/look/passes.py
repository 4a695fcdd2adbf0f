"""One pass of stored examples through a network: what is kept of every level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from layerwise.data import Store
from layerwise.look.features import features
from layerwise.look.units import Peaks, joined, peaks
from layerwise.look.walk import Place
from layerwise.nn import Pipeline
from layerwise.values import Padded, Value, collate, move

__all__ = ["INPUT", "Seen", "passed"]

INPUT = "input"  # the address of what goes into the network


class Seen(NamedTuple):
    """What one level showed for some rows: (N, F) features for a probe, and the peaks of its units."""

    features: np.ndarray
    peaks: Peaks | None


def passed(
    net: Pipeline, places: Sequence[Place], store: Store, rows: np.ndarray, *, batch: int, seed: int
) -> dict[str, Seen]:
    """The input and each of `places` for these rows of the store, other levels are passed over."""
    specs = {INPUT: store.spec, **{p.address: p.gives for p in places}}
    parts: dict[str, list[np.ndarray]] = {address: [] for address in specs}
    tops: dict[str, list[Peaks]] = {address: [] for address in specs}
    for start in range(0, len(rows), batch):
        value = collate(store.take(rows[start : start + batch]), store.spec)
        for address, level in _levels(net, value):
            if address in specs:
                parts[address].append(features(level, specs[address], seed=seed))
                if address != INPUT and isinstance(level, Tensor | Padded):
                    tops[address].append(peaks(level, specs[address], seed=seed))
    return {
        address: Seen(np.concatenate(x), joined(tops[address]) if tops[address] else None)
        for address, x in parts.items()
        if x
    }


def _levels(net: Pipeline, value: Value) -> Iterator[tuple[str, Value]]:
    """The input and every level, in evaluation; the net is left as it was."""
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    training = net.training
    net.eval()
    with torch.inference_mode():
        value = move(value, device)
        found = [(INPUT, value), *net.levels(value)]
    net.train(training)
    yield from found

"""Batches of a store: any step can be asked for at any time, and is always the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from layerwise.data.store import ONLY, Store
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Batch, Value, as_value

__all__ = ["Packed", "collate"]

CPU = torch.device("cpu")
PART = 4_096  # examples that are copied to a device at once
WINDOW = 16  # batches within which examples are sorted by length


class Packed:
    """Batches of some rows of a store.

    `rows` (n,) are places in the store; one that stands there twice is seen twice. `targets`
    (len(store), ...) and `weights` (len(store),) belong to the whole store. With `rng` the rows are
    shuffled anew each epoch and a last batch that is not full is dropped (unless it is the only one);
    examples of unequal length are batched with others of like length. Without, rows come in order
    and all of them. On a GPU `device` all examples are kept there if they fit, and batches come from there.
    """

    def __init__(
        self,
        store: Store,
        rows: Sequence[int] | np.ndarray,
        *,
        targets: np.ndarray | Tensor | None = None,
        weights: np.ndarray | Tensor | None = None,
        size: int,
        rng: Randomness | None = None,
        device: torch.device = CPU,
    ) -> None:
        self._store = store
        self._rows = np.array(rows, np.int64)
        if not len(self._rows):
            raise ValueError("batches need at least one row, got none")
        self._resident = resident(store, device) if fits(store, device) else None
        home = CPU if self._resident is None else device
        self._targets = None if targets is None else torch.as_tensor(targets).to(home)
        self._weights = None if weights is None else torch.as_tensor(weights, dtype=torch.float32).to(home)
        self._size, self._rng = size, rng
        self._lengths = None if rng is None else store.lengths
        n = len(self._rows)
        self.steps_per_epoch = max(1, n // size) if rng is not None else -(-n // size)
        self._epoch, self._order = -1, self._rows

    def at(self, step: int) -> Batch:
        """The batch of that step, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._rng is not None and epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffled(self._rng.at("epoch", epoch))
        rows = self._order[place * self._size : (place + 1) * self._size]
        index = torch.from_numpy(rows)
        if self._resident is None:
            inputs = collate(self._store.take(rows), self._store.spec)
        else:
            index = index.to(next(iter(self._resident.values())).device)
            inputs = picked(self._resident, index, self._store.spec)
        return Batch(
            inputs,
            None if self._targets is None else self._targets[index],
            None if self._weights is None else self._weights[index],
            index,
        )

    def _shuffled(self, rng: Randomness) -> np.ndarray:
        draw = rng.numpy("order")
        order = draw.permutation(self._rows)[: self.steps_per_epoch * self._size]
        if self._lengths is None or len(order) < self._size:
            return order
        windows = []
        for start in range(0, len(order), WINDOW * self._size):
            window = order[start : start + WINDOW * self._size]
            window = window[np.argsort(self._lengths[window], kind="stable")]
            batches = window.reshape(-1, self._size)
            windows.append(
                draw.permutation(batches, axis=0).ravel()
            )  # else each window ends with its longest
        return np.concatenate(windows)


def collate(values: dict[str, np.ndarray | list[np.ndarray]], spec: Spec) -> Value:
    """Examples by field, as a store gives them, as what a network takes."""
    if not spec.columns:
        return as_value(values[ONLY], spec.padded)
    return {name: as_value(values[name], s.padded) for name, s in spec.columns.items()}


def fits(store: Store, device: torch.device) -> bool:
    """Whether a GPU holds all examples, each of one shape, in half of its free memory."""
    if device.type != "cuda" or store.lengths is not None:
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return 2 * store.bytes < free


def resident(store: Store, device: torch.device) -> dict[str, Tensor]:
    """All examples by field (N, ...), on `device`; they must be of one shape."""
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(store), PART):
        part = store.take(np.arange(start, min(start + PART, len(store))))
        for name, field in part.items():
            parts.setdefault(name, []).append(torch.from_numpy(np.asarray(field)).to(device))
    return {name: torch.cat(field) for name, field in parts.items()}


def picked(fields: dict[str, Tensor], index: Tensor, spec: Spec) -> Value:
    """Examples of `resident`, as `collate` gives them."""
    return {name: fields[name][index] for name in spec.columns} if spec.columns else fields[ONLY][index]

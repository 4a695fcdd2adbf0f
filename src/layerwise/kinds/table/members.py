"""Columns of a table that another kind's reader reads: texts, pictures, sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from layerwise.kinds.base import ONLY, Reader
from layerwise.kinds.table.cells import Raw

__all__ = ["Member", "absent"]


@dataclass(frozen=True)
class Member:
    """A column that another kind's reader reads into a field of its own."""

    name: str
    kind: str
    field: str
    reader: Reader
    gaps: bool  # whether training rows lacked it, so that a number says where it is missing

    def read(self, values: Raw) -> tuple[np.ndarray | list[np.ndarray], np.ndarray, Mapping[int, str]]:
        """The field, zeros or nothing for empty cells; which cells are empty; what cannot be read."""
        empty = absent(values)
        places = np.flatnonzero(~empty)
        read = self.reader.read({self.name: _some(values, places)})
        good = places[read.kept]
        rejected = {int(places[i]): f"{self.name}: {why}" for i, why in read.rejected.items()}
        spec = self.reader.spec
        fixed = [length or 0 for length in spec.shape]
        if spec.padded:
            ragged = [np.zeros((0, *fixed[1:]), spec.dtype)] * len(values)
            for i, value in zip(good, read.values[ONLY], strict=True):
                ragged[i] = value
            return ragged, empty, rejected
        stacked = np.zeros((len(values), *fixed), spec.dtype)
        if len(good):
            stacked[good] = read.values[ONLY]
        return stacked, empty, rejected


def absent(values: Raw) -> np.ndarray:
    """(N,) True where a cell is empty."""
    if isinstance(values, pl.Series):
        return values.is_null().to_numpy()
    if isinstance(values, np.ndarray):
        return np.zeros(len(values), bool)
    return np.array([v is None for v in values], bool)


def _some(values: Raw, places: np.ndarray) -> Any:
    if isinstance(values, pl.Series | np.ndarray):
        return values[places]
    return [values[int(i)] for i in places]

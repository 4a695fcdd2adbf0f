"""Raw rows through a reader, chunk by chunk, in this process or in several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from layerwise.data.source import Source
from layerwise.data.store import Chunk

__all__ = ["Reads", "RowsRead", "read_rows"]


class Reads(Protocol):
    """What reads raw rows: a `kinds.base.Reader`. Pure, and the same after a way through a pickle."""

    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Chunk: ...


class RowsRead(NamedTuple):
    """A chunk after reading. `kept` and `rejected` are rows of the source."""

    values: Mapping[str, np.ndarray | list[np.ndarray]]
    kept: np.ndarray
    rejected: Mapping[int, str]
    facts: Mapping[str, np.ndarray]


def read_rows(
    source: Source, reader: Reads, names: Sequence[str], rows: np.ndarray, *, workers: int | None = None
) -> Iterator[RowsRead]:
    """Read those columns of those rows, in that order, chunk by chunk."""
    for chunk in _chunks(source, names, rows):
        read = reader.read(source.chunk(names, chunk))
        yield _placed(read, chunk)


def _chunks(source: Source, names: Sequence[str], rows: np.ndarray) -> list[np.ndarray]:
    """Few rows at a time where each is a file or an array, more where they are cells."""
    size = 4096 if all(source.columns[n].holds == "cells" for n in names) else 64
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _placed(read: Chunk, rows: np.ndarray) -> RowsRead:
    rejected = {int(rows[place]): reason for place, reason in read.rejected.items()}
    return RowsRead(read.values, rows[read.kept], rejected, read.facts)

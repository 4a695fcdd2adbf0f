"""Rows that are the same example twice: one on each side of a split would flatter."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from layerwise.data.source import Column
from layerwise.errors import Rejected

__all__ = ["duplicates", "joined", "numbered"]


def duplicates(columns: Mapping[str, Column], fingerprints: Sequence[Any] | None = None) -> np.ndarray | None:
    """(N,) int64: rows that share a number hold copies of the same files, byte for byte, and the same cells.

    `fingerprints`, one a row and equal for near-copies (None: unknown), tie rows too. None where no
    two are alike, or there are no files.
    """
    files = [_files(c.values) for c in columns.values() if c.holds == "files"]
    cells = [c.values.cast(pl.String).to_list() for c in columns.values() if c.holds == "cells"]
    ties: np.ndarray | None = None
    if files:
        rows = zip(*files, *cells, strict=True)
        ties = numbered([None if None in row[: len(files)] else row for row in rows])
    if fingerprints is not None:
        near = numbered(fingerprints)
        ties = near if ties is None else joined(ties, near)
    return None if ties is None or len(np.unique(ties)) == len(ties) else ties


def numbered(marks: Sequence[Any]) -> np.ndarray:
    """Equal marks as equal numbers; None differs from everything."""
    numbers: dict[Any, int] = {}
    return np.array(
        [len(marks) + i if m is None else numbers.setdefault(m, i) for i, m in enumerate(marks)], np.int64
    )


def joined(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Numbers equal wherever either is equal, through chains too (union-find)."""
    _, a = np.unique(one, return_inverse=True)
    _, b = np.unique(two, return_inverse=True)
    parent = list(range(int(a.max()) + int(b.max()) + 2))

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = x = parent[parent[x]]
        return x

    for x, y in zip(a.tolist(), (b + int(a.max()) + 1).tolist(), strict=True):
        parent[root(x)] = root(y)
    return np.array([root(x) for x in a.tolist()], np.int64)


def _files(files: Sequence[Any]) -> list[bytes | None]:
    """A hash of what each file holds; None where no other has its size, or it cannot be read."""
    sizes = [None if f is None else f.length() for f in files]
    times = Counter(sizes)
    return [None if s is None or times[s] == 1 else _hash(f) for f, s in zip(files, sizes, strict=True)]


def _hash(file: Any) -> bytes | None:
    try:
        return hashlib.blake2b(file.bytes(), digest_size=16).digest()
    except Rejected:
        return None

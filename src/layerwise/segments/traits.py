"""What segments are looked for in: numbers and categories of each row, and the axes that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layerwise.errors import DataError, UsageError
from layerwise.randomness import Randomness

__all__ = ["Traits", "traits_of_codes", "traits_of_columns"]

SHUFFLES = 10
MOST_AXES = 24  # of codes
TINY = 1e-9
COMMON = 0.05  # share of the rows from which on a value is common


@dataclass(frozen=True)
class Traits:
    """Rows as numbers (N, F) of mean 0 and spread 1, NaN where missing, and categories (N, C).

    `floors` (F,) are the least variances that a segment can have: what rounding to few values leaves.
    `scores` (N, P) are the rows on the principal axes of all columns, `shared` of which spread more than
    those of columns that know nothing of one another.
    """

    numbers: np.ndarray
    categories: np.ndarray
    sizes: tuple[int, ...]
    floors: np.ndarray
    scores: np.ndarray
    shared: int

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: np.ndarray) -> Traits:
        """Those rows, on the same axes."""
        return Traits(
            self.numbers[rows],
            self.categories[rows],
            self.sizes,
            self.floors,
            self.scores[rows],
            self.shared,
        )

    def copies(self) -> np.ndarray:
        """(N,) which rows are copies of one another: numbers from 0, in the order in which they come.

        Rows of categories alone are not copies: of few values there are few rows that differ.
        """
        if not self.numbers.shape[1]:
            return np.arange(len(self))
        rows = np.hstack([np.nan_to_num(self.numbers, nan=np.inf), self.categories])
        _, first, same = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return np.asarray(np.argsort(np.argsort(first))[same.ravel()])


def traits_of_columns(
    numbers: np.ndarray, categories: np.ndarray, sizes: tuple[int, ...], *, rng: Randomness
) -> Traits:
    """Traits of numbers (N, F), NaN where missing, and of categories (N, C), 0 to size - 1."""
    floors = np.array([_rounding(column) for column in numbers.T])
    blocks = [np.nan_to_num(numbers), *_indicators(categories, sizes)]
    together = np.hstack(blocks)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(together.T)))
    kept = np.flatnonzero(values > TINY)[::-1]
    scores = (together - together.mean(0)) @ vectors[:, kept]
    columns = [*(blocks[0].T[:, :, None]), *blocks[1:]]
    shared = _shared(columns, values[kept], rng.numpy("axes"))
    return Traits(numbers, categories, sizes, floors, scores, shared)


def traits_of_codes(codes: np.ndarray, *, rng: Randomness) -> tuple[Traits, np.ndarray, np.ndarray]:
    """Traits of codes (N, K), and how they are made: numbers = (codes - shift (K,)) @ turn (K, F).

    The numbers are the codes' principal axes that spread more than those of shuffled codes, 2 at least and 24
    at most, each with a spread of 1. Raises DataError for codes that are not finite.
    """
    if codes.ndim != 2 or len(codes) < 2:
        raise UsageError(f"codes are a matrix (N, K) of at least 2 rows, got {codes.shape}")
    if not np.isfinite(codes).all():
        raise DataError("the codes are not all finite: train with a lower rate")
    shift = codes.mean(0)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes.T)))
    kept = np.flatnonzero(values > TINY * max(float(values.max()), TINY))[::-1]
    if not len(kept):
        raise DataError("all codes are the same: nothing tells the rows apart")
    shared = _shared(list((codes - shift).T[:, :, None]), values[kept], rng.numpy("axes"))
    kept = kept[: max(2, min(shared, MOST_AXES))]
    turn = vectors[:, kept] / np.sqrt(values[kept])
    numbers = (codes - shift) @ turn
    scores = numbers * np.sqrt(values[kept])
    none = np.empty((len(codes), 0), np.int64)
    return Traits(numbers, none, (), np.zeros(len(kept)), scores, len(kept)), shift, turn


def _rounding(column: np.ndarray) -> float:
    """The least variance of a segment in a column that takes few values; 0 for others.

    With the step d from a common value to its neighbours it is d^2 / 2 pi, so that a segment on one value alone
    makes it no likelier than its share of rows spread over the step.
    """
    distinct, rows = np.unique(column[np.isfinite(column)], return_counts=True)
    if len(distinct) < 2 or len(distinct) > 32:
        return 0.0
    gaps = np.diff(distinct)
    steps = (np.append(gaps, gaps[-1]) + np.insert(gaps, 0, gaps[0])) / 2
    common = rows >= min(COMMON * rows.sum(), rows.max())
    return float(steps[common].max() ** 2 / (2 * np.pi))


def _indicators(categories: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Each column as indicators over the root of their frequency (Pages 2004, factor analysis of mixed data)."""
    blocks = []
    for column, size in zip(categories.T, sizes, strict=True):
        ones = (column[:, None] == np.arange(size)).astype(float)
        share = ones.mean(0)
        blocks.append(((ones - share) / np.sqrt(np.maximum(share, TINY)))[:, share > 0])
    return blocks


def _shared(columns: list[np.ndarray], values: np.ndarray, rng: np.random.Generator) -> int:
    """How many of the variances (P,) of principal axes exceed those of shuffled columns (Horn 1965)."""
    n = len(columns[0])
    null = np.zeros((SHUFFLES, len(values)))
    for row in null:
        shuffled = np.hstack([column[rng.permutation(n)] for column in columns])
        found = np.linalg.eigvalsh(np.atleast_2d(np.cov(shuffled.T)))[::-1]
        row[:] = found[: len(values)]
    above = values > null.max(0)
    return int(np.argmin(np.append(above, False)))

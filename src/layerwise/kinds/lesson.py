"""What the learners of simple rivals are given, and how it is made ready for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import sparse

from layerwise.randomness import Randomness
from layerwise.tasks.base import Task

__all__ = [
    "TRIAL_ROWS",
    "Learnt",
    "Lesson",
    "as_matrix",
    "constant",
    "dense",
    "draw",
    "folds",
    "goals_of",
    "imputed",
    "known_rows",
    "one_tag_each",
    "standardised",
]

TRIAL_ROWS = 5_000  # at most, on which settings are chosen
OUTLIER = 10.0  # standard deviations at which features are cut


class Lesson(NamedTuple):
    """What a learner is given: `goals` (N, k) are the targets `y` as columns, classes one-hot."""

    task: Task
    x: Any  # (N, F), dense or sparse
    y: np.ndarray
    goals: np.ndarray
    weights: np.ndarray
    seed: int

    @property
    def mass(self) -> np.ndarray | None:
        """The weights where they differ."""
        return None if np.ptp(self.weights) == 0 else self.weights

    def rows(self, rows: np.ndarray) -> Lesson:
        """The lesson of these rows only."""
        return self._replace(
            x=self.x[rows], y=self.y[rows], goals=self.goals[rows], weights=self.weights[rows]
        )

    def thinned(self, most: float) -> Lesson:
        """A fair draw of at most so many rows."""
        return self.rows(draw(len(self.y), int(most), self.seed)) if len(self.y) > most else self


Learnt: TypeAlias = Callable[[Any], np.ndarray]
"""Features (N, F) -> answers (N, k) in the columns of `goals`."""


def folds(lesson: Lesson) -> Iterator[tuple[Lesson, Lesson]]:
    """Three folds of a small lesson, one of a large one."""
    trial = lesson.thinned(TRIAL_ROWS)
    n = len(trial.y)
    if n < 6:
        yield trial, trial
        return
    order = Randomness(lesson.seed).at("rivals").numpy("folds").permutation(n)
    for fold in range(3 if n < 2_000 else 1):
        yield trial.rows(np.delete(order, np.s_[fold::3])), trial.rows(order[fold::3])


def one_tag_each(lesson: Lesson) -> list[Lesson]:
    """Tags as lessons of two classes, off and on."""
    pairs = [np.column_stack([1 - tag, tag]) for tag in lesson.goals.T]
    return [lesson._replace(y=pair[:, 1].astype(np.int64), goals=pair) for pair in pairs]


def constant(lesson: Lesson) -> Learnt:
    mass = lesson.weights if lesson.weights.sum() > 0 else np.ones(len(lesson.weights))
    mean = np.average(lesson.goals, axis=0, weights=mass)
    return lambda x: np.tile(mean, (x.shape[0], 1))


def imputed(x: np.ndarray) -> Learnt:
    """Missing values become the mean of their training column."""
    known = np.isfinite(x)
    mean = np.where(known, x, 0).sum(0, dtype=np.float64) / np.maximum(known.sum(0), 1)
    return lambda x: np.where(np.isfinite(x), x, mean).astype(np.float32)


def standardised(x: np.ndarray) -> Learnt:
    """Columns in standard deviations, then one 0/1 column for each that has missing values."""
    filled = imputed(x)
    mean, spread = filled(x).mean(0, dtype=np.float64), filled(x).std(0, dtype=np.float64)
    spread = np.where(spread > 1e-6 * np.maximum(np.abs(mean), 1e-6), spread, 1)
    gaps = ~np.isfinite(x).all(0)

    def scaled(x: np.ndarray) -> np.ndarray:
        z = np.clip((filled(x) - mean) / spread, -OUTLIER, OUTLIER)
        return np.hstack([z, ~np.isfinite(x[:, gaps])]).astype(np.float32)

    return scaled


def dense(x: Any) -> np.ndarray:
    x = x.toarray() if sparse.issparse(x) else x
    return np.where(np.isinf(x), np.nan, x).astype(np.float32)


def as_matrix(x: Any) -> Any:
    """(N, F) of floats, dense or CSR."""
    if sparse.issparse(x):
        return sparse.csr_array(x, dtype=np.float32)
    x = np.asarray(x)
    return x.reshape(len(x), -1).astype(x.dtype if x.dtype.kind == "f" else np.float64, copy=False)


def goals_of(task: Task, y: np.ndarray) -> np.ndarray:
    if task.name != "classify":
        return np.asarray(y, np.float64).reshape(len(y), -1)
    goals = np.zeros((len(y), task.outputs), np.float32)
    goals[np.arange(len(y)), y] = 1
    return goals


def known_rows(targets: np.ndarray) -> np.ndarray:
    targets = np.asarray(targets).reshape(len(targets), -1)
    good = np.isfinite(targets).all(1)
    return np.flatnonzero(good & (targets >= 0).all(1) if targets.dtype.kind == "i" else good)


def draw(n: int, most: int, seed: int) -> np.ndarray:
    """At most `most` of n rows, rising, each as likely as any other."""
    if n <= most:
        return np.arange(n)
    return np.sort(Randomness(seed).at("rivals").numpy("draw").permutation(n)[:most])

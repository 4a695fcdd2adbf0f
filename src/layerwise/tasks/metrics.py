"""The promised metrics as functions of sums over rows; `intervals` draws their intervals.

accuracy, f1_macro, balanced_accuracy, roc_auc, log_loss, r2, mae and mse are those of scikit-learn.
Rows whose class was never seen in training have the target -1 and count as wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from layerwise.tasks.intervals import Statistic, contrast

if TYPE_CHECKING:
    from layerwise.tasks.base import Task

__all__ = ["BINS", "FLOOR", "LESS_IS_BETTER", "of_classes", "of_numbers", "of_tags", "paired"]

BINS = 15
FLOOR = 1e-7  # least probability that log_loss reckons with: what float32 can tell from 0


def paired(
    task: Task,
    a: np.ndarray,
    b: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    metric: str | None = None,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(advantage of a over b, low, high) in the task's primary metric, on the same held-out rows.

    `a` and `b` are `decoded` values. Positive means that a is better, for errors too; an interval that
    holds 0 tells no winner. Paired bootstrap: each draw judges both on the same rows or groups.
    """
    name = metric or task.primary
    first, second = (task.statistics(x, targets)[name] for x in (a, b))
    if name in LESS_IS_BETTER:
        first, second = second, first
    return contrast(first, second, n=len(targets), groups=task.units(len(targets), groups), seed=seed)


LESS_IS_BETTER = frozenset({"log_loss", "ece", "mae", "mse", "mae_scaled", "mse_scaled"})
"""Errors, not merits."""


def of_classes(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Statistic]:
    """Statistics of probabilities (N, C) against targets (N,), -1 for a class unseen in training."""
    n, classes = probabilities.shape
    probabilities = np.nan_to_num(probabilities.astype(np.float64))
    targets = np.asarray(targets, np.int64)
    answers = probabilities.argmax(1) if n else np.zeros(0, np.int64)
    right = (answers == targets).astype(np.float64)
    unseen = int((targets < 0).sum())
    caveat = f"{unseen:,} rows are of classes unseen in training and count as wrong" if unseen else ""
    truth = np.where(targets < 0, classes, targets)  # a class of its own that nobody answers
    tallies = sparse.hstack(
        [_one_hot(truth, classes + 1), _one_hot(answers, classes + 1), _one_hot(truth, classes + 1, right)],
        format="csr",
    )
    likelihood = np.where(targets < 0, 0.0, probabilities[np.arange(n), np.maximum(targets, 0)])
    return {
        "accuracy": Statistic(_counted(right), _mean, (0, 1), right, caveat),
        "balanced_accuracy": Statistic(tallies, _balanced_accuracy, (0, 1), None, caveat),
        "f1_macro": Statistic(tallies, _f1_macro, (0, 1), None, caveat),
        "roc_auc": _roc_auc(probabilities, targets),
        "log_loss": Statistic(
            _counted(-np.log(np.maximum(likelihood, FLOOR))), _mean, (0, np.inf), None, caveat
        ),
        "ece": Statistic(_gaps(probabilities.max(1, initial=0.0), right), _ece, (0, 1), None, caveat),
    }


def of_tags(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Statistic]:
    """Statistics of probabilities (N, K) against 0/1 targets (N, K).

    f1_macro and roc_auc average over tags, accuracy counts rows with every tag right, log_loss and ece
    are over all cells.
    """
    probabilities = np.nan_to_num(probabilities.astype(np.float64))
    truth = np.asarray(targets) > 0.5
    answers = probabilities >= 0.5
    same = np.equal(answers, truth).astype(np.float64)
    right = same.min(1)
    tallies = np.hstack([truth, answers, np.logical_and(truth, answers)]).astype(np.float64)
    clipped = np.clip(probabilities, FLOOR, 1 - FLOOR)
    surprise = -np.where(truth, np.log(clipped), np.log1p(-clipped)).mean(1)
    confidence = np.maximum(probabilities, 1 - probabilities)
    return {
        "accuracy": Statistic(_counted(right), _mean, (0, 1), right),
        "f1_macro": Statistic(tallies, _f1_macro, (0, 1)),
        "roc_auc": _areas(probabilities, truth, "no tag is on some of these rows and off others"),
        "log_loss": Statistic(_counted(surprise), _mean, (0, np.inf)),
        "ece": Statistic(_gaps(confidence, same), _ece, (0, 1)),
    }


def of_numbers(
    answers: np.ndarray, targets: np.ndarray, *, spread: float | None = None
) -> dict[str, Statistic]:
    """Statistics of numbers (N,) or (N, h) against targets of that shape, in the target's own units.

    With `spread` also `mae_scaled` and `mse_scaled`, divided by it: the scale on which papers report.
    Rows without a finite target do not count.
    """
    n = len(targets)
    answers, targets = (np.asarray(x, np.float64) for x in (answers, targets))
    if targets.ndim == 1:
        answers, targets = answers[:, None], targets[:, None]
    known = np.asarray(np.isfinite(targets).all(1))
    missing = n - int(known.sum())
    caveat = f"{missing:,} rows without a target do not count" if missing else ""
    if not np.isfinite(answers[known]).all():
        caveat = "some answers are not finite numbers"
    error = np.where(known[:, None], answers - np.where(known[:, None], targets, 0), 0)
    centred = np.where(known[:, None], targets - _mean_of(targets[known]), 0)
    weight = known * float(targets.shape[1])
    absolute = np.column_stack([np.abs(error).sum(1), weight])
    squared = np.column_stack([(error**2).sum(1), weight])
    variance = np.column_stack([squared[:, 0], centred.sum(1), (centred**2).sum(1), weight])
    found = {
        "r2": Statistic(variance, _r2, (-np.inf, 1), None, caveat),
        "mae": Statistic(absolute, _mean, (0, np.inf), None, caveat),
        "mse": Statistic(squared, _mean, (0, np.inf), None, caveat),
    }
    if spread is not None:
        for name, power in (("mae", 1), ("mse", 2)):
            columns = found[name].columns * [spread**-power, 1.0]
            found[f"{name}_scaled"] = Statistic(columns, _mean, (0, np.inf), None, caveat)
    return found


def _counted(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones(len(values))])


def _one_hot(codes: np.ndarray, width: int, values: np.ndarray | None = None) -> Any:
    n = len(codes)
    data = np.ones(n) if values is None else values
    return sparse.csr_array((data, (np.arange(n), codes)), shape=(n, width))


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[:, 0] / sums[:, 1])


def _mean_of(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0


def _mean_where(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(D,) means over the last axis of what is there; NaN where nothing is."""
    return np.asarray(np.where(there, values, 0).sum(1) / there.sum(1))


def _balanced_accuracy(sums: np.ndarray) -> np.ndarray:
    truth, _, right = np.split(sums, 3, axis=1)
    return _mean_where(right / np.maximum(truth, 1), truth > 0)


def _f1_macro(sums: np.ndarray) -> np.ndarray:
    """Over classes that occur among truths or answers, as scikit-learn has it."""
    truth, answers, right = np.split(sums, 3, axis=1)
    both = truth + answers
    return _mean_where(2 * right / np.maximum(both, 1), both > 0)


def _r2(sums: np.ndarray) -> np.ndarray:
    residual, first, second, weight = sums.T
    total = second - first**2 / weight
    return np.where(total > 1e-12 * np.maximum(second, 1e-300), 1 - residual / total, np.nan)


def _gaps(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(N, BINS + 1): a row's confidence minus correctness, in the column of its bin; then how many cells."""
    n = len(confidence)
    if confidence.ndim == 1:
        confidence, right = confidence[:, None], right[:, None]
    bins = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    gaps = np.stack([np.where(bins == b, confidence - right, 0).sum(1) for b in range(BINS)], axis=1)
    return np.column_stack([gaps, np.full(n, float(confidence.shape[1]))])


def _ece(sums: np.ndarray) -> np.ndarray:
    """Expected calibration error over bins of equal width (Guo et al. 2017, equation 3)."""
    return np.asarray(np.abs(sums[:, :-1]).sum(1) / sums[:, -1])


def _roc_auc(probabilities: np.ndarray, targets: np.ndarray) -> Statistic:
    """Binary, or the mean over the classes present of each against the rest."""
    classes = [1] if probabilities.shape[1] == 2 else list(range(probabilities.shape[1]))
    truth = np.stack([targets == c for c in classes], axis=1)
    return _areas(probabilities[:, classes], truth, "only one class is present in these rows")


def _areas(scores: np.ndarray, truth: np.ndarray, otherwise: str) -> Statistic:
    """Mean area under the ROC curves of columns that hold both truths.

    Draws use DeLong's placements (DeLong, DeLong and Clarke-Pearson 1988): the area is linear in them to
    first order, so that no draw needs sorting.
    """
    both = truth.any(0) & ~truth.all(0)
    scores, truth = scores[:, both], truth[:, both]
    if not both.any():
        return Statistic(
            np.ones((len(truth), 1)), lambda sums: np.full(len(sums), np.nan), (0, 1), None, otherwise
        )
    places = np.stack([_placements(s, t) for s, t in zip(scores.T, truth.T, strict=True)], axis=1)
    areas = np.where(truth, places, 0).sum(0) / truth.sum(0)
    columns = np.hstack([np.where(truth, places, 0), truth, np.where(truth, 0, places), ~truth])
    return Statistic(columns, _areas_of(areas), (0, 1))


def _areas_of(areas: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def of(sums: np.ndarray) -> np.ndarray:
        on, ons, off, offs = np.split(sums, 4, axis=1)
        there = (ons > 0) & (offs > 0)
        drawn = on / np.maximum(ons, 1) + off / np.maximum(offs, 1) - areas
        return np.asarray(np.clip(_mean_where(drawn, there), 0, 1))

    return of


def _placements(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,): for an on row the share of off rows below it, ties half; for an off row that of on rows above."""
    places = np.empty(len(scores))
    for mine, others, sign in ((truth, ~truth, 1), (~truth, truth, -1)):
        ranked = np.sort(sign * scores[others])
        below = np.searchsorted(ranked, sign * scores[mine], "left")
        upto = np.searchsorted(ranked, sign * scores[mine], "right")
        places[mine] = (below + upto) / (2 * len(ranked))
    return places

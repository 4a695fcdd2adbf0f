"""How good the answers are on held-out data: metrics, where they err, whether confidence can be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

import numpy as np

from layerwise.figures import count, number, share
from layerwise.findings import Dots, Finding, Section
from layerwise.look.classes import class_findings
from layerwise.look.examples import Examples
from layerwise.look.held import Held
from layerwise.look.numbers import forecast_findings, number_findings
from layerwise.look.tags import tag_findings
from layerwise.look.words import NAMES, capital, plural
from layerwise.tasks.base import Metric, Task
from layerwise.tasks.intervals import wilson

__all__ = ["quality"]

MOST_GROUPS = 24  # in the chart; the table holds all

SENTENCES = {
    "accuracy": "accuracy: the share of held-out answers that are right.",
    "balanced_accuracy": "balanced accuracy: the same, with every class counting alike.",
    "f1_macro": "macro F1: precision and recall in one, every class or tag counting alike.",
    "roc_auc": "area under the ROC curve: how often a case is ranked above one of the rest.",
    "log_loss": "log loss in nats; less is better.",
    "ece": "calibration error: how far confidence lies from the share of right answers.",
    "r2": "R²: the share of the variance that the answers explain.",
    "mae": "mean absolute error, in the target's own units.",
    "mse": "mean squared error.",
    "mae_scaled": "mean absolute error in standard deviations of the training values.",
    "mse_scaled": "mean squared error in squared standard deviations of the training values.",
}
"""What stands behind the figure of each metric."""

SCORES = {
    "classify": ("share of right answers", 1.0),
    "tags": ("share of right tags", 1.0),
    "regress": ("mean squared error", -1.0),
    "forecast": ("mean squared error", -1.0),
}
"""What the mean score of some rows is, by the name of the task, and the sign that makes it so."""

CLOSER: Mapping[str, Callable[[Held, Examples | None], list[Finding]]] = {
    "classify": class_findings,
    "tags": tag_findings,
    "regress": number_findings,
    "forecast": forecast_findings,
}
"""What is looked at beyond the metrics, by the name of the task."""


def quality(
    task: Task,
    decoded: np.ndarray,
    *,
    targets: np.ndarray,
    groups: np.ndarray | None = None,
    group_word: str = "group",
    examples: Examples | None = None,
    seed: int = 0,
) -> Section:
    """Everything to be said about `decoded` held-out answers against encoded `targets` of the same rows.

    `examples` shows those rows, in the same order; without it no example is shown.
    """
    held = Held(task, decoded, targets, groups, seed)
    metrics = task.metrics(decoded, targets, groups=groups, seed=seed)
    findings = [_metric(m, plural(group_word)) for m in metrics.values()]
    if task.name in CLOSER and len(targets):
        findings += CLOSER[task.name](held, examples)
    if groups is not None and len(targets):
        findings.append(_by_group(held, group_word))
    return Section("quality", _heading(metrics[task.primary]), tuple(findings))


def _heading(m: Metric) -> str:
    name = NAMES.get(m.name, m.name)
    if not isfinite(m.value):
        return f"The held-out rows do not determine the {name}."
    return f"{capital(name)} on held-out data is {number(m.value, m.low, m.high)}."


def _metric(m: Metric, plural_of_groups: str) -> Finding:
    """The figure stands before the sentence."""
    known, name = isfinite(m.value), NAMES.get(m.name, m.name)
    return Finding(
        m.name,
        SENTENCES.get(m.name, f"{name}.") if known else f"{capital(name)} cannot be told.",
        m.value if known else None,
        m.low if isfinite(m.low) else None,
        m.high if isfinite(m.high) else None,
        n=m.n,
        method=f"drawn over {count(m.groups)} {plural_of_groups}" if m.groups else "",
        caveat=m.caveat,
    )


def _by_group(held: Held, group_word: str) -> Finding:
    """The mean score of each group, worst first."""
    assert held.groups is not None
    label, sign = SCORES.get(held.task.name, ("mean score", 1.0))
    scores = sign * held.task.scores(held.decoded, held.targets)
    good = np.isfinite(scores)
    names = np.unique(held.groups[good])
    rows = sorted(
        (_group_row(str(name), scores[good & (held.groups == name)]) for name in names),
        key=lambda r: sign * r[1],
    )
    shares = set(np.unique(scores[good])) <= {0.0, 1.0}
    worst = rows[0]
    said = share(worst[1]) if shares else number(worst[1], worst[2], worst[3])
    chart = Dots(
        rows[:MOST_GROUPS],
        label,
        f"{capital(label)} by {group_word}, worst first.",
    )
    return Finding(
        "groups",
        f"The worst of {count(len(rows))} {plural(group_word)} is {worst[0]}: {label} {said}.",
        n=int(good.sum()),
        method="95 % interval of each mean; small groups swing by chance",
        caveat=f"The chart shows the worst {MOST_GROUPS}." if len(rows) > MOST_GROUPS else "",
        pictures=(chart,),
    )


def _group_row(name: str, scores: np.ndarray) -> tuple[str, float, float, float]:
    n, mean = len(scores), float(scores.mean())
    if set(np.unique(scores)) <= {0.0, 1.0}:
        low, high = wilson(float(scores.sum()), n)
    else:
        half = 1.96 * float(scores.std(ddof=1)) / np.sqrt(n) if n > 1 else 0.0
        low, high = mean - half, mean + half
    return f"{name} (n {count(n)})", mean, low, high

"""What was not checked, what is thin, and what would help most: from numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, isfinite

import numpy as np
from scipy.stats import ks_2samp

from layerwise.errors import listed
from layerwise.figures import count, number, share
from layerwise.findings import Finding, Rows, Section
from layerwise.look.data import OtherSplit, Parts
from layerwise.look.labels import label_names
from layerwise.look.rivals import Comparison
from layerwise.look.words import NAMES, plural
from layerwise.tasks.base import Task

__all__ = ["doubts"]

THIN = 20  # held-out examples of a class
FEW_GROUPS = 10
SHIFT = 0.2  # largest difference of the two distribution functions that passes unmentioned


def doubts(
    task: Task,
    *,
    targets: np.ndarray,
    parts: Parts,
    comparison: Comparison,
    things: str,
    groups: np.ndarray | None = None,
    group_word: str = "group",
    left_out: int = 0,
    other_split: OtherSplit | None = None,
    facts: Mapping[str, np.ndarray] | None = None,
) -> Section:
    """What to doubt about a run. `targets`, `groups` and `facts` are of all stored rows."""
    findings = [
        *_thin(task, targets, parts),
        *_grouped(groups, parts, group_word, things),
        *_gap(other_split, group_word),
        *_shift(facts or {}, parts),
    ]
    if left_out and left_out / (left_out + len(targets)) >= 0.01:
        findings.append(
            Finding(
                "doubts.left_out",
                f"{share(left_out / (left_out + len(targets)))} of the data could not be used; what they held is not in any figure here.",
                n=left_out + len(targets),
            )
        )
    findings += [
        Finding("doubts.elsewhere", f"Not checked: {things} from other sources than these."),
        Finding(
            "doubts.one_run",
            "Not checked: how much the figures change with another seed. This is one training run.",
        ),
        *_helps(task, targets, parts, comparison, groups, group_word, things),
    ]
    found = len(findings)
    return Section("doubts", f"{found} things to keep in mind.", tuple(findings))


def _thin(task: Task, targets: np.ndarray, parts: Parts) -> list[Finding]:
    if task.name not in ("classify", "tags"):
        return []
    held = targets[parts.held]
    sizes = (
        held.sum(axis=0).astype(int)
        if held.ndim == 2
        else np.bincount(held[held >= 0], minlength=task.outputs)
    )
    names, word = label_names(task), "tags" if held.ndim == 2 else "classes"
    findings = []
    thin = [i for i in np.argsort(sizes, kind="stable") if sizes[i] < THIN]
    if thin:
        table = Rows(
            ["class", "held-out examples"],
            [(names[i], int(sizes[i])) for i in thin],
            f"{word} with few held-out examples.",
            fold=len(thin) > 10,
        )
        findings.append(
            Finding(
                "doubts.thin",
                f"{len(thin)} of {len(names)} {word} have fewer than {THIN} held-out examples: figures for them alone say little.",
                n=len(held),
                pictures=(table,),
            )
        )
    unseen = int((held < 0).sum()) if held.ndim == 1 else 0
    if unseen:
        findings.append(
            Finding(
                "doubts.unseen",
                f"{count(unseen)} held-out examples are of classes that training never saw; they count as wrong.",
                n=len(held),
            )
        )
    return findings


def _grouped(groups: np.ndarray | None, parts: Parts, word: str, things: str) -> list[Finding]:
    if groups is None:
        return [
            Finding(
                "doubts.groups",
                f"No groups were found or given. If several {things} come from one source, near-copies may stand on both sides"
                " and flatter every figure; --group names the column that tells sources apart.",
            )
        ]
    held = len(np.unique(groups[parts.held]))
    if held >= FEW_GROUPS:
        return []
    few = f"only {count(held)} {plural(word)}" if held != 1 else f"only one {word}"
    return [
        Finding("doubts.groups", f"The held-out {things} come from {few}: the intervals are rough.", n=held)
    ]


def _gap(other: OtherSplit | None, word: str) -> list[Finding]:
    if other is None or not isfinite(other.random.value - other.used.value):
        return []
    apart = other.random.low > other.used.high or other.random.high < other.used.low
    if not apart:
        return []
    return [
        Finding(
            "doubts.random_split",
            f"A random split would mislead: {other.rival} scores {number(other.random.value, other.random.low, other.random.high)}"
            f" there and {number(other.used.value, other.used.low, other.used.high)} on {plural(word)} kept whole."
            f" Figures of other work on these data may be of the random kind.",
        )
    ]


def _shift(facts: Mapping[str, np.ndarray], parts: Parts) -> list[Finding]:
    """Facts whose distribution differs between training and held-out rows (Kolmogorov-Smirnov)."""
    found = []
    train = np.concatenate(parts[:2])
    for name, values in facts.items():
        column = np.asarray(values)
        if column.ndim != 1 or column.dtype.kind not in "biuf":
            continue
        a, b = (column[rows][np.isfinite(column[rows])].astype(np.float64) for rows in (train, parts.held))
        if not len(a) or not len(b):
            continue
        distance, chance = ks_2samp(a, b, method="asymp")
        if distance > SHIFT and chance < 0.001:
            found.append(
                Finding(
                    f"doubts.shift.{name}",
                    f"Held-out examples differ in {name.replace('_', ' ')}: half of them lie below {number(float(np.median(b)))},"
                    f" half of the training examples below {number(float(np.median(a)))}.",
                    n=len(b),
                    method=f"Kolmogorov-Smirnov distance {distance:.2f}",
                )
            )
    return found


def _helps(
    task: Task,
    targets: np.ndarray,
    parts: Parts,
    comparison: Comparison,
    groups: np.ndarray | None,
    word: str,
    things: str,
) -> list[Finding]:
    """What would narrow the doubt, from the width of intervals and the counts of classes and groups."""
    findings = []
    ahead = comparison.ahead
    if comparison.winner == "nobody" and ahead is not None and abs(ahead.value) > 0:
        half = (ahead.high - ahead.low) / 2
        times = (half / abs(ahead.value)) ** 2
        unit = plural(word) if groups is not None else things
        size = ahead.groups or ahead.n
        findings.append(
            Finding(
                "doubts.more_held",
                f"To tell the network from {comparison.best}, if the difference in {NAMES.get(ahead.name, ahead.name)} stays as it is, would take"
                f" about {count(_round_up(times * size))} held-out {unit} instead of {count(size)}.",
                method="intervals narrow with the square root of the number",
            )
        )
    if task.name == "classify":
        train = np.concatenate(parts[:2])
        sizes = np.bincount(targets[train], minlength=task.outputs)
        rare = [i for i in np.argsort(sizes, kind="stable") if sizes[i] < 0.2 * sizes.max()][:5]
        if rare:
            names = label_names(task)
            findings.append(
                Finding(
                    "doubts.more_rare",
                    f"The rarest classes have less than a fifth of the commonest's {count(int(sizes.max()))} training examples:"
                    f" {listed(f'{names[i]} ({count(int(sizes[i]))})' for i in rare)}. More of these come first.",
                )
            )
    return findings


def _round_up(n: float) -> int:
    """Two significant digits, upwards: an estimate that claims no more."""
    if n < 100:
        return ceil(n)
    scale = int(10 ** (len(str(int(n))) - 2))
    return ceil(n / scale) * scale

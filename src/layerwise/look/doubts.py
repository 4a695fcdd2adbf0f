"""What was not checked, what is thin, and what would help most: from numbers only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil

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

__all__ = ["doubts", "doubts_of_features"]

THIN = 20  # held-out examples of a class
FEW_GROUPS = 10
SHIFT = 0.2  # largest difference of the two distribution functions that passes unmentioned
RARE = 0.2  # of the commonest class
MUCH_LEFT_OUT = 0.01


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
    start: str | None = None,
) -> Section:
    """What to doubt about a run. `targets`, `groups` and `facts` are of all stored rows; `start` is the folder of
    the levels that the network began with."""
    findings = [
        *_thin(task, targets[parts.held]),
        *_grouped(groups, parts, group_word, things),
        *_other_split(other_split, group_word),
        *_shifted(facts or {}, parts),
        *_left_out(left_out, len(targets)),
        *_begun(start, things),
        *_unchecked(things),
        *_more_held_out(comparison, plural(group_word) if groups is not None else things),
        *_more_of_the_rare(task, targets[np.concatenate(parts[:2])]),
    ]
    return Section("doubts", f"{len(findings)} things to keep in mind.", tuple(findings))


def doubts_of_features(
    *,
    parts: Parts,
    things: str,
    judged: bool,
    groups: np.ndarray | None = None,
    group_word: str = "group",
    left_out: int = 0,
    facts: Mapping[str, np.ndarray] | None = None,
) -> Section:
    """What to doubt about features that were learned without labels; `judged`: whether some labels were known."""
    findings = [
        *_grouped(groups, parts, group_word, things),
        *_shifted(facts or {}, parts),
        *_left_out(left_out, sum(len(rows) for rows in parts[:3])),
    ]
    if not judged:
        findings.append(
            Finding(
                "doubts.use",
                "Not checked: whether these features serve a purpose of yours. Label a few hundred examples and"
                " run layerwise fit on them with --from; or name the labels with --target here, and the page says"
                " how well they can be read off each level.",
            )
        )
    findings += _unchecked(things)
    return Section("doubts", f"{len(findings)} things to keep in mind.", tuple(findings))


def _begun(start: str | None, things: str) -> Iterator[Finding]:
    if start is not None:
        yield Finding(
            "doubts.begun",
            f"Not checked: whether the levels from {start} were learned from some of the held-out {things} too."
            " If so, and with their labels, the figures flatter.",
        )


def _unchecked(things: str) -> Iterator[Finding]:
    yield Finding("doubts.elsewhere", f"Not checked: {things} from other sources than these.")
    yield Finding(
        "doubts.one_run",
        "Not checked: how much the figures change with another seed. This is one training run.",
    )


def _thin(task: Task, held: np.ndarray) -> Iterator[Finding]:
    """Classes or tags with few held-out examples, and classes that training never saw."""
    if task.name not in ("classify", "tags"):
        return
    one = held.ndim == 1
    sizes = np.bincount(held[held >= 0], minlength=task.outputs) if one else held.sum(axis=0).astype(int)
    names, word = label_names(task), "classes" if one else "tags"
    thin = [i for i in np.argsort(sizes, kind="stable") if sizes[i] < THIN]
    if thin:
        rows = [(names[i], int(sizes[i])) for i in thin]
        header = [word, "held-out examples"]
        yield Finding(
            "doubts.thin",
            f"{len(thin)} of {len(names)} {word} have fewer than {THIN} held-out examples: figures for them"
            " alone say little.",
            n=len(held),
            pictures=(Rows(header, rows, f"The thinnest {word}.", fold=len(thin) > 10),),
        )
    unseen = int((held < 0).sum()) if one else 0
    if unseen:
        were = "example is of a class" if unseen == 1 else "examples are of classes"
        yield Finding(
            "doubts.unseen",
            f"{count(unseen)} held-out {were} that training never saw, and counts as wrong.",
            n=len(held),
        )


def _grouped(groups: np.ndarray | None, parts: Parts, word: str, things: str) -> Iterator[Finding]:
    if groups is None:
        yield Finding(
            "doubts.groups",
            f"No groups were found or given. If several {things} come from one source, near-copies may stand"
            " on both sides and flatter every figure; --group names the column that tells sources apart.",
        )
        return
    held = len(np.unique(groups[parts.held]))
    if held < FEW_GROUPS:
        few = f"only {count(held)} {plural(word)}" if held != 1 else f"only one {word}"
        said = f"The held-out {things} come from {few}: the intervals are rough."
        yield Finding("doubts.groups", said, n=held)


def _other_split(other: OtherSplit | None, word: str) -> Iterator[Finding]:
    """A random split that scores better or worse than chance explains."""
    if other is None:
        return
    used, random = other.used, other.random
    if random.low > used.high or random.high < used.low:
        there, here = (number(m.value, m.low, m.high) for m in (random, used))
        yield Finding(
            "doubts.random_split",
            f"A random split would mislead: {other.rival} scores {there} there and {here} where"
            f" {plural(word)} are kept whole. Figures of other work on these data may be of the random kind.",
        )


def _shifted(facts: Mapping[str, np.ndarray], parts: Parts) -> Iterator[Finding]:
    """Facts whose distribution differs between training and held-out rows."""
    train = np.concatenate(parts[:2])
    for name, values in facts.items():
        column = np.asarray(values)
        if column.ndim != 1 or column.dtype.kind not in "biuf":
            continue
        column = column.astype(np.float64)
        a, b = (column[rows][np.isfinite(column[rows])] for rows in (train, parts.held))
        if not len(a) or not len(b):
            continue
        distance, chance = ks_2samp(a, b, method="asymp")
        if distance > SHIFT and chance < 0.001:
            here, there = (number(float(np.median(values))) for values in (b, a))
            what = name.replace("_", " ")
            yield Finding(
                f"doubts.shift.{name}",
                f"Held-out examples differ in {what}: the middle one has {here}, that of the training"
                f" examples {there}.",
                n=len(b),
                method=f"Kolmogorov-Smirnov distance {distance:.2f}",
            )


def _left_out(left_out: int, kept: int) -> Iterator[Finding]:
    part = left_out / max(1, left_out + kept)
    if part >= MUCH_LEFT_OUT:
        said = f"{share(part)} of the data could not be used; no figure here says what they held."
        yield Finding("doubts.left_out", said, n=left_out + kept)


def _more_held_out(comparison: Comparison, units: str) -> Iterator[Finding]:
    """How many held-out examples or groups would tell the network from the best rival."""
    ahead = comparison.ahead
    if ahead is None or comparison.winner != "nobody" or not ahead.value:
        return
    half, size = (ahead.high - ahead.low) / 2, ahead.groups or ahead.n
    wanted = _rounded_up((half / abs(ahead.value)) ** 2 * size)
    if wanted > size:
        name = NAMES.get(ahead.name, ahead.name)
        yield Finding(
            "doubts.more_held",
            f"If the difference in {name} stays as it is, telling the network from"
            f" {comparison.best} would take about {count(wanted)} held-out {units} instead of {count(size)}.",
            method="intervals narrow with the square root of the number",
        )


def _more_of_the_rare(task: Task, fitted: np.ndarray) -> Iterator[Finding]:
    if task.name != "classify":
        return
    sizes, names = np.bincount(fitted, minlength=task.outputs), label_names(task)
    rare = [i for i in np.argsort(sizes, kind="stable") if sizes[i] < RARE * sizes.max()]
    if rare:
        few = listed((f"{names[i]} ({count(int(sizes[i]))})" for i in rare), 5)
        yield Finding(
            "doubts.more_rare",
            f"More examples of the rarest classes come first: {few} have less than a fifth of the commonest's"
            f" {count(int(sizes.max()))} training examples.",
        )


def _rounded_up(n: float) -> int:
    """Two significant digits, upwards: an estimate that claims no more."""
    if n < 100:
        return ceil(n)
    scale = int(10 ** (len(str(int(n))) - 2))
    return ceil(n / scale) * scale

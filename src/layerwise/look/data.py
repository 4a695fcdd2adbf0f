"""What the data are: how many of what, a fair draw, what was left out, how they were split and read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from layerwise.data.source import LeftOut
from layerwise.errors import shown
from layerwise.figures import count, number, share
from layerwise.findings import Bars, Dots, Finding, Gallery, Rows, Section, Tile
from layerwise.look.examples import Examples
from layerwise.look.labels import label_names, labels_of
from layerwise.look.words import NAMES, capital, plural, with_article
from layerwise.randomness import Randomness
from layerwise.tasks.base import Metric, Task

__all__ = ["OtherSplit", "Parts", "data"]

MOST_TILES = 24
MOST_BARS = 30


class Parts(NamedTuple):
    """Places in the store by what they are for, and how they came to be."""

    train: np.ndarray
    validation: np.ndarray
    held: np.ndarray
    why: str  # "by recording (77 groups): 503 train, 126 held out"


class OtherSplit(NamedTuple):
    """What the cheapest rival scores on the split that was used, and on a random one."""

    rival: str
    used: Metric
    random: Metric


def data(
    task: Task | None,
    *,
    targets: np.ndarray | None,
    parts: Parts,
    examples: Examples,
    groups: np.ndarray | None = None,
    group_word: str = "group",
    left_out: Sequence[LeftOut] = (),
    notes: Sequence[str] = (),
    reading: tuple[Mapping[str, Any], Mapping[str, str]] = ({}, {}),
    other_split: OtherSplit | None = None,
    role: str = "the answer is",
    seed: int = 0,
) -> Section:
    """What the data are.

    `targets` (N, ...) encoded, `groups` (N,) and `examples` are of all stored rows, in their order; `role` says
    what targets are for. Without `task` and `targets` nothing is said of answers. `reading` is what the reader
    chose, and why; `notes` are guesses, a sentence each.
    """
    things, n = examples.kind.plural, len(examples)
    if task is None or targets is None:
        said, findings = "learned from without labels", _unlabelled(parts, examples, seed)
    else:
        said = f"{role} {task.sentence}"
        findings = [_counts(task, targets, parts), _samples(task, targets, parts, examples, seed)]
    findings.append(Finding("data.split", f"Split {parts.why}.", method="split before anything was fitted"))
    if groups is not None:
        findings.append(_groups(groups, parts, group_word, things))
    if other_split is not None:
        findings.append(_other_split(other_split, group_word))
    findings.append(_left_out(left_out, n))
    findings += _facts(examples, parts)
    settings, why = reading
    if settings:
        rows = [(name, _text(value), why.get(name, "")) for name, value in settings.items()]
        table = Rows(["reading", "value", "reason"], rows, "How raw examples are read, and why.", fold=True)
        findings.append(
            Finding(
                "data.reading",
                "How raw examples were turned into numbers, fitted on training rows only.",
                pictures=(table,),
            )
        )
    if notes:
        findings.append(Finding("data.notes", " ".join(_sentence(note) for note in notes)))
    return Section("data", f"{count(n)} {things}; {said}.", tuple(findings))


def _unlabelled(parts: Parts, examples: Examples, seed: int) -> list[Finding]:
    """How many are for what, and a fair draw of the training rows."""
    drawn = Randomness(seed).numpy("samples shown").permutation(parts.train)[: MOST_TILES // 2]
    tiles = [Tile(examples.show(int(i)), "", shown(examples.ids[i], 60)[1:-1]) for i in drawn]
    gallery = Gallery(tiles, "Each with its name.", examples=True)
    said = "A fair draw from the training examples."
    return [
        Finding("data.counts", f"{capital(_sizes(parts))}.", n=len(examples)),
        Finding("data.samples", said, pictures=(gallery,)),
    ]


def _sizes(parts: Parts) -> str:
    """`503 train, 50 validation, 126 held out`."""
    places = {"train": parts.train, "validation": parts.validation, "held out": parts.held}
    return ", ".join(f"{count(len(rows))} {name}" for name, rows in places.items())


def _counts(task: Task, targets: np.ndarray, parts: Parts) -> Finding:
    places = {"train": parts.train, "validation": parts.validation, "held out": parts.held}
    sizes = _sizes(parts)
    fitted = targets[np.concatenate([parts.train, parts.validation])]
    if task.name in ("regress", "forecast"):
        return Finding("data.counts", f"{capital(sizes)}.", n=len(targets), pictures=(_histogram(fitted),))
    tally = fitted.sum(axis=0) if fitted.ndim == 2 else np.bincount(fitted, minlength=task.outputs)
    names = label_names(task)
    order = np.argsort(-tally, kind="stable")
    most, least = order[0], order[-1]
    bars = Bars(
        [(names[i], float(tally[i])) for i in order[:MOST_BARS]],
        "training examples",
        f"From {count(int(tally[most]))} training examples of {names[most]}"
        f" to {count(int(tally[least]))} of {names[least]}.",
    )
    rows = [(names[i], *(_of(targets[p], i) for p in places.values())) for i in order]
    table = Rows(
        ["class" if fitted.ndim == 1 else "tag", *places], rows, "Examples of each by part.", fold=True
    )
    caveat = f"The chart shows the {MOST_BARS} commonest of {len(names)}." if len(names) > MOST_BARS else ""
    return Finding("data.counts", f"{capital(sizes)}.", n=len(targets), caveat=caveat, pictures=(bars, table))


def _histogram(targets: np.ndarray) -> Bars:
    values = targets[np.isfinite(targets)]
    tally, edges = np.histogram(values, bins=min(20, max(1, len(values) // 5)))
    ends = [number(float(edge)) for edge in edges]
    low, middle, high = (number(float(q)) for q in np.quantile(values, (0, 0.5, 1)))
    return Bars(
        [(f"{a} to {b}", float(t)) for t, a, b in zip(tally, ends[:-1], ends[1:], strict=True)],
        "training values",
        f"Training values from {low} to {high}, half of them below {middle}.",
    )


def _of(targets: np.ndarray, i: int) -> int:
    return int(targets[:, i].sum()) if targets.ndim == 2 else int((targets == i).sum())


def _samples(task: Task, targets: np.ndarray, parts: Parts, examples: Examples, seed: int) -> Finding:
    """A fair draw: of each class in turn where there are classes, else of all training rows."""
    order = Randomness(seed).numpy("samples shown").permutation(parts.train)
    if task.name == "classify":
        rank = np.zeros(len(order), np.int64)
        for label in np.unique(targets[order]):
            own = np.flatnonzero(targets[order] == label)
            rank[own] = np.arange(len(own))
        first = order[np.lexsort((np.arange(len(order)), rank))][:MOST_TILES]
        drawn = first[np.argsort(targets[first], kind="stable")]
        said = "A fair draw from the training examples, class by class."
    else:
        drawn, said = order[: MOST_TILES // 2], "A fair draw from the training examples."
    tiles = [
        Tile(examples.show(int(i)), labels_of(task, targets[i : i + 1])[0], shown(examples.ids[i], 60)[1:-1])
        for i in drawn
    ]
    return Finding(
        "data.samples", said, pictures=(Gallery(tiles, "Each with its name and its label.", examples=True),)
    )


def _groups(groups: np.ndarray, parts: Parts, word: str, things: str) -> Finding:
    fitted = np.concatenate(parts[:2])
    sizes = np.unique(groups[np.concatenate([fitted, parts.held])], return_counts=True)[1]
    train, held = np.unique(groups[fitted]), np.unique(groups[parts.held])
    both = len(np.intersect1d(train, held))
    apart = f"{count(both)} {plural(word)} stand" if both else f"No {word} stands"
    return Finding(
        "data.groups",
        f"{count(len(sizes))} {plural(word)}, each of {count(int(sizes.min()))} to {count(int(sizes.max()))}"
        f" {things}: {count(len(train))} to train on, {count(len(held))} held out. {apart} on both sides.",
        n=len(sizes),
    )


def _other_split(other: OtherSplit, word: str) -> Finding:
    name, used, random = NAMES.get(other.used.name, other.used.name), other.used, other.random
    dots = Dots(
        [
            (f"split by {word}", used.value, used.low, used.high),
            ("random split", random.value, random.low, random.high),
        ],
        f"{name} of {other.rival}",
        f"{capital(name)} of {other.rival} on either split.",
        strong=(f"split by {word}",),
    )
    here, there = (number(m.value, m.low, m.high) for m in (used, random))
    return Finding(
        "data.random_split",
        f"{capital(other.rival)} reaches {with_article(name)} of {here} on this split and of {there} on a random one,"
        f" which lets examples of one {word} stand on both sides.",
        n=used.n,
        pictures=(dots,),
    )


def _left_out(left_out: Sequence[LeftOut], kept: int) -> Finding:
    if not left_out:
        return Finding("data.quarantine", "No example was left out.")
    rows = [(shown(one.path, 200)[1:-1], one.reason) for one in left_out]
    table = Rows(["path", "reason"], rows, "Everything that was left out, and why.", fold=True)
    whole = len(left_out) + kept
    were = "was" if len(left_out) == 1 else "were"
    said = f"{count(len(left_out))} of {count(whole)} {were} left out ({share(len(left_out) / whole)})."
    return Finding("data.quarantine", said, n=whole, pictures=(table,))


def _facts(examples: Examples, parts: Parts) -> list[Finding]:
    """Lowest, middle and highest of every fact that is a number, for training and held-out rows."""
    rows: list[list[str | float | int | None]] = []
    train = np.concatenate(parts[:2])
    for name, values in examples.store.facts.items():
        column = np.asarray(values)
        if column.ndim != 1 or column.dtype.kind not in "biuf" or not len(column):
            continue
        row: list[str | float | int | None] = [name.replace("_", " ")]
        for part in (train, parts.held):
            known = column[part][np.isfinite(column[part])]
            row += [number(float(q)) for q in np.quantile(known, (0, 0.5, 1))] if len(known) else ["", "", ""]
        rows.append(row)
    if not rows:
        return []
    header = ["fact", "train: lowest", "middle", "highest", "held out: lowest", "middle", "highest"]
    table = Rows(header, rows, "Facts of the raw examples in training and held-out rows.")
    return [
        Finding(
            "data.facts",
            "What the raw examples are like; the network does not see these facts.",
            pictures=(table,),
        )
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."

"""Where a classifier errs, and whether its confidence can be believed."""

from __future__ import annotations

import numpy as np

from layerwise.errors import shown
from layerwise.figures import count, share
from layerwise.findings import Curves, Dots, Finding, Gallery, Heat, Rows, Tile
from layerwise.look.examples import Examples
from layerwise.look.held import Held
from layerwise.look.labels import label_names
from layerwise.tasks.intervals import wilson

__all__ = ["class_findings"]

MOST_CLASSES = 20  # in the picture of the confusion and of the recall
MOST_TILES = 12
BINS = 10


def class_findings(held: Held, examples: Examples | None) -> list[Finding]:
    """Confusion, recall by class, reliability, and the worst mistakes as they are."""
    known = held.targets >= 0
    truth, answers = held.targets[known], held.decoded[known].argmax(axis=1)
    names = label_names(held.task)
    if not len(truth):
        return []
    table = np.zeros((len(names), len(names)), np.int64)
    np.add.at(table, (truth, answers), 1)
    findings = [_confusion(table, names), _recall(table, names), _reliability(held)]
    return findings + ([_mistakes(held, names, examples)] if examples is not None else [])


def _confusion(table: np.ndarray, names: list[str]) -> Finding:
    """Classes with the most errors first, made or suffered, so that what goes wrong stands in one corner."""
    off = table * (1 - np.eye(len(table), dtype=np.int64))
    wrong = int(off.sum())
    order = np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:MOST_CLASSES]
    heat = Heat(
        table[np.ix_(order, order)].tolist(),
        [names[i] for i in order],
        [names[i] for i in order],
        "truth",
        "answer",
        "How often each class was answered with which; classes with most errors first.",
    )
    pairs = sorted(((int(off[i, j]), i, j) for i, j in np.argwhere(off)), key=lambda p: (-p[0], p[1], p[2]))[
        :10
    ]
    rows = [(names[i], names[j], n, share(n / table[i].sum())) for n, i, j in pairs]
    listing = Rows(
        ["truth", "answer", "times", "of that class"],
        rows,
        "The commonest errors, most frequent first.",
        fold=True,
    )
    if not wrong:
        sentence = f"None of {count(int(table.sum()))} answers is wrong."
    else:
        n, i, j = pairs[0]
        sentence = (
            f"{count(wrong)} of {count(int(table.sum()))} answers {'is' if wrong == 1 else 'are'} wrong;"
            f" most often {names[i]} is taken for {names[j]} ({count(n)} of {count(int(table[i].sum()))})."
        )
    caveat = (
        f"The picture shows the {MOST_CLASSES} classes with most errors of {len(names)}."
        if len(names) > MOST_CLASSES
        else ""
    )
    return Finding(
        "confusion",
        sentence,
        n=int(table.sum()),
        caveat=caveat,
        pictures=(heat, listing) if pairs else (heat,),
    )


def _recall(table: np.ndarray, names: list[str]) -> Finding:
    sizes, right = table.sum(axis=1), np.diag(table)
    rows = [
        (
            f"{names[i]} (n {count(int(sizes[i]))})",
            float(right[i] / sizes[i]),
            *wilson(float(right[i]), int(sizes[i])),
        )
        for i in np.flatnonzero(sizes)
    ]
    rows.sort(key=lambda row: row[1])
    chart = Dots(
        rows[:MOST_CLASSES],
        "recall: share of the class that is found",
        "Recall of each class with its interval, worst first.",
    )
    caveats = (
        [f"The chart shows the worst {MOST_CLASSES} of {len(rows)} classes."]
        if len(rows) > MOST_CLASSES
        else []
    )
    thin = int(((sizes > 0) & (sizes < 20)).sum())
    if thin:
        caveats.append(
            f"{thin} classes have fewer than 20 held-out examples."
            if thin > 1
            else "One class has fewer than 20 held-out examples."
        )
    worst = rows[0]
    return Finding(
        "recall",
        f"Least is found of {worst[0]}: {share(worst[1])}.",
        n=int(sizes.sum()),
        method="Wilson's 95 % intervals",
        caveat=" ".join(caveats),
        pictures=(chart,),
    )


def _reliability(held: Held) -> Finding:
    """Confidence against correctness in bins of equal numbers of answers."""
    confidence = held.decoded.max(axis=1)
    right = (held.decoded.argmax(axis=1) == held.targets).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, max(1, min(BINS, len(order) // 20)))
    x = [float(confidence[b].mean()) for b in bins]
    hit = [float(right[b].mean()) for b in bins]
    ends = [wilson(float(right[b].sum()), len(b)) for b in bins]
    mean, truth = float(confidence.mean()), float(right.mean())
    low, high = wilson(float(right.sum()), len(right))
    if low <= mean <= high:
        said = f"the two agree as far as {count(len(right))} answers can show"
    else:
        said = "it is too sure of itself" if mean > truth else "it is less sure than it could be"
    chart = Curves(
        x,
        {"right": hit},
        "confidence",
        "share that is right",
        "On the dashed line confidence is the share of right answers.",
        bands={"right": ([e[0] for e in ends], [e[1] for e in ends])},
        diagonal=True,
    )
    return Finding(
        "reliability",
        f"On average it is {share(mean)} sure and right in {share(truth)}; {said}.",
        n=len(right),
        method=f"{len(bins)} bins of equal numbers of answers, Wilson's 95 % intervals",
        pictures=(chart,),
    )


def _mistakes(held: Held, names: list[str], examples: Examples) -> Finding:
    """The most confident wrong answers."""
    confidence, answers = held.decoded.max(axis=1), held.decoded.argmax(axis=1)
    wrong = np.flatnonzero(answers != held.targets)
    if not len(wrong):
        return Finding("mistakes", "There is no wrong answer to show.", n=len(answers))
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST_TILES]
    tiles = [
        Tile(
            examples.show(int(i)),
            f"said {names[answers[i]]} ({share(float(confidence[i]))}),"
            f" is {names[held.targets[i]] if held.targets[i] >= 0 else 'of a class unseen in training'}",
            shown(examples.ids[i], 60)[1:-1],
        )
        for i in worst
    ]
    few = len(wrong) <= len(worst)
    every = "The one wrong answer." if len(wrong) == 1 else f"All {len(wrong)} wrong answers, surest first."
    return Finding(
        "mistakes",
        every if few else f"The {len(worst)} surest of {count(len(wrong))} wrong answers.",
        n=len(answers),
        caveat="" if few else "Chosen for being surest: other mistakes look less strange.",
        pictures=(Gallery(tiles, "What was said, how sure it was, and what is true.", examples=True),),
    )

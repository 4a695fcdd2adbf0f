"""Which tags are found, and the worst mistakes among them."""

from __future__ import annotations

import numpy as np

from layerwise.errors import listed, shown
from layerwise.figures import count, number
from layerwise.findings import Dots, Finding, Gallery, Tile
from layerwise.look.examples import Examples
from layerwise.look.held import Held
from layerwise.look.labels import label_names
from layerwise.tasks.intervals import Statistic, measure

__all__ = ["tag_findings"]

MOST_TAGS = 24
MOST_TILES = 12


def tag_findings(held: Held, examples: Examples | None) -> list[Finding]:
    """F1 of each tag with its interval, and the rows with most tags wrong."""
    truth, answers = held.targets > 0.5, held.decoded >= 0.5
    names = label_names(held.task)
    findings = [_by_tag(held, truth, answers, names)]
    return findings + ([_mistakes(held, truth, answers, names, examples)] if examples is not None else [])


def _by_tag(held: Held, truth: np.ndarray, answers: np.ndarray, names: list[str]) -> Finding:
    columns = {
        name: np.column_stack([truth[:, i], answers[:, i], truth[:, i] & answers[:, i]]).astype(np.float64)
        for i, name in enumerate(names)
    }
    figures = measure(
        {name: Statistic(c, _f1, (0, 1)) for name, c in columns.items()},
        n=len(truth),
        groups=held.task.units(len(truth), held.groups),
        seed=held.seed,
    )
    rows = sorted(
        (
            (f"{name} (n {count(int(columns[name][:, 0].sum()))})", m.value, m.low, m.high)
            for name, m in figures.items()
            if np.isfinite(m.value)
        ),
        key=lambda row: row[1],
    )
    if not rows:
        return Finding("by_tag", "No tag occurs among the held-out rows or their answers.", n=len(truth))
    chart = Dots(
        rows[:MOST_TAGS],
        "F1",
        "F1 of each tag with its interval, worst first.",
    )
    return Finding(
        "by_tag",
        f"The tag found least well is {rows[0][0]}: F1 {number(*rows[0][1:])}.",
        n=len(truth),
        method="n is how many rows have the tag; 95 % bootstrap intervals",
        caveat=f"The chart shows the worst {MOST_TAGS} of {len(rows)}." if len(rows) > MOST_TAGS else "",
        pictures=(chart,),
    )


def _f1(sums: np.ndarray) -> np.ndarray:
    truth, answers, both = sums.T
    return np.where(truth + answers > 0, 2 * both / np.maximum(truth + answers, 1), np.nan)


def _mistakes(
    held: Held, truth: np.ndarray, answers: np.ndarray, names: list[str], examples: Examples
) -> Finding:
    surprise = np.where(truth, 1 - held.decoded, held.decoded)
    wrong = np.flatnonzero((truth != answers).any(axis=1))
    if not len(wrong):
        return Finding("mistakes", "Every tag of every row is right.", n=len(truth))
    worst = wrong[np.argsort(-surprise[wrong].sum(axis=1), kind="stable")][:MOST_TILES]

    def said(row: np.ndarray) -> str:
        return listed([name for name, on in zip(names, row, strict=True) if on]) or "nothing"

    tiles = [
        Tile(
            examples.show(int(i)),
            f"said {said(answers[i])}; is {said(truth[i])}",
            shown(examples.ids[i], 60)[1:-1],
        )
        for i in worst
    ]
    return Finding(
        "mistakes",
        f"The {len(worst)} worst of {count(len(wrong))} rows with a wrong tag.",
        n=len(truth),
        caveat="Chosen for being worst.",
        pictures=(Gallery(tiles, "Rows with wrong tags.", examples=True),),
    )

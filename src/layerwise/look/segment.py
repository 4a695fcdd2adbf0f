"""One segment on the page: how large it is, what sets it apart, its most typical rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerwise.figures import count, number, share
from layerwise.findings import Finding, Gallery, Rows, Section, Tile
from layerwise.look.examples import Examples
from layerwise.look.segment_words import Mark, Table, cells_of, marks_of
from layerwise.segments import Cut
from layerwise.tasks.intervals import wilson

__all__ = ["called", "segment_part", "typical"]

TOLD = 3  # marks in a sentence
TYPICAL = 6  # rows of a segment
BESIDE = 5  # columns of a typical row


def called(segment: int, *, capital: bool = False) -> str:
    """What a segment, counted from 0, is called."""
    return f"{'S' if capital else 's'}egment {segment + 1}"


def segment_part(cut: Cut, labels: np.ndarray, segment: int, rows: Table | Examples) -> Section:
    """What there is to say of that segment; `labels` (N,) are the rows' own."""
    n, size = len(labels), int((labels == segment).sum())
    marks = marks_of(rows, labels, segment) if isinstance(rows, Table) else []
    told = ", ".join(m.words for m in marks[:TOLD])
    heading = f"{called(segment, capital=True)}, {share(size / n)} of rows{': ' + told if told else ''}."
    low, high = wilson(size, n)
    findings = [
        Finding(
            f"segments.{segment + 1}",
            f"{count(size)} rows.",
            size / n,
            low,
            high,
            n=n,
            method="share of all rows",
            caveat=_caveat(marks, isinstance(rows, Table)),
            pictures=(_table(marks),) if marks else (),
        ),
        _typical(cut, labels, segment, marks, rows),
    ]
    return Section(f"segments.{segment + 1}", heading, tuple(findings))


def _caveat(marks: Sequence[Mark], table: bool) -> str:
    if marks:
        return (
            "The segments were made from these columns, so the differences are no tests; they say what it is."
        )
    return "No single column sets it apart; columns together do." if table else ""


def _table(marks: Sequence[Mark]) -> Rows:
    rows = [(m.words, m.effect) for m in marks]
    columns = (
        "The column in which it differs" if len(rows) == 1 else f"All {len(rows)} columns in which it differs"
    )
    words = f"{columns}; the effect is Cliff's delta: 1 where every row of it is higher than every other."
    return Rows(["what sets it apart", "effect"], rows, words, fold=len(rows) > 2 * TOLD)


def _typical(
    cut: Cut, labels: np.ndarray, segment: int, marks: Sequence[Mark], rows: Table | Examples
) -> Finding:
    """The rows nearest the middle of the segment on all principal axes; of a table, what sets it apart in them."""
    chosen, words = typical(cut, labels, segment), "Those nearest its middle."
    sure = [float(cut.probabilities[i, segment]) for i in chosen]
    ids = [rows.ids[i] for i in chosen]
    picture: Rows | Gallery
    if isinstance(rows, Table):
        cells, shown = cells_of(rows, chosen), [mark.column for mark in marks[:BESIDE]]
        named = list(zip(ids, sure, *(cells[column] for column in shown), strict=True))
        picture = Rows(["row", "probability", *shown], named, words)
    else:
        tiles = [Tile(rows.show(i), number(p), name) for i, p, name in zip(chosen, sure, ids, strict=True)]
        picture = Gallery(tiles, f"{words} Below each how surely it belongs there.", examples=True)
    return Finding(f"segments.{segment + 1}.typical", "Its most typical rows.", pictures=(picture,))


def typical(cut: Cut, labels: np.ndarray, segment: int) -> list[int]:
    """Up to six rows of the segment, those nearest its middle first."""
    inside = np.flatnonzero(labels == segment)
    scores = cut.traits.scores[inside]
    off = scores - np.median(scores, axis=0) if len(inside) else scores
    order = np.argsort((off**2).sum(1), kind="stable")[:TYPICAL]
    return [int(i) for i in inside[order]]

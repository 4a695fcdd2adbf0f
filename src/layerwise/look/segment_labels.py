"""What labels that were not looked at say of segments."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import sem
from scipy.stats import t as student

from layerwise.errors import shown
from layerwise.figures import number, share
from layerwise.findings import Dots, Finding, Rows
from layerwise.tasks.intervals import wilson

__all__ = ["labels_by_segment"]

CLASSES = 8  # that have a column of their own


def labels_by_segment(name: str, column: np.ndarray, labels: np.ndarray, segments: int) -> Finding:
    """How a label differs between segments: its mean where it is a number, its shares where it is a class.

    `column` (N,) holds floats, NaN where unknown, or classes as text, None where unknown; `labels` (N,) the
    segment of each row.
    """
    name = shown(name, 40)[1:-1]
    if column.dtype.kind == "f":
        return _numbers(name, column, labels, segments)
    return _classes(name, column, labels, segments)


def _numbers(name: str, column: np.ndarray, labels: np.ndarray, segments: int) -> Finding:
    known = np.isfinite(column)
    rows = []
    for segment in range(segments):
        own = column[known & (labels == segment)]
        if len(own):
            half = student.ppf(0.975, len(own) - 1) * sem(own) if len(own) > 1 else None
            mean = float(own.mean())
            ends = (None, None) if half is None else (mean - float(half), mean + float(half))
            rows.append((f"segment {segment + 1}", mean, *ends))
    rows.sort(key=lambda row: -row[1])
    (most, highest, *_), (least, lowest, *_) = rows[0], rows[-1]
    sentence = (
        f"{name} is highest on average in {most} ({number(highest)}), lowest in {least} ({number(lowest)})."
    )
    words = f"The mean of {name} in each segment, with its 95 % interval."
    return _finding(name, sentence, int(known.sum()), Dots(rows, name, words))


def _classes(name: str, column: np.ndarray, labels: np.ndarray, segments: int) -> Finding:
    known = np.array([value is not None for value in column])
    common = [value for value, _ in Counter(column[known].tolist()).most_common(CLASSES)]
    counts = np.array([(known & (labels == s)).sum() for s in range(segments)])
    inside = np.array([[((column == c) & (labels == s)).sum() for c in common] for s in range(segments)])
    shares = inside / np.maximum(counts, 1)[:, None]
    spread = np.where(counts[:, None] > 0, shares, np.nan)
    apart = int(np.nanargmax(np.nanmax(spread, 0) - np.nanmin(spread, 0)))
    told = 1 if len(common) == 2 else apart  # of two classes the rarer one: so many that failed
    value = shown(str(common[told]), 40)[1:-1]
    rows = [
        (f"segment {s + 1}", float(shares[s, told]), *wilson(int(inside[s, told]), int(counts[s])))
        for s in range(segments)
        if counts[s]
    ]
    rows.sort(key=lambda row: -row[1])
    sentence = f"{name} is {value} in {share(rows[0][1])} of {rows[0][0]} and in {share(rows[-1][1])} of {rows[-1][0]}."
    words = f"How often {name} is {value} in each segment, with 95 % intervals."
    found = _finding(name, sentence, int(known.sum()), Dots(rows, f"share of {value}", words))
    if len(common) == 2:
        return found
    header = ["segment", "rows", *(shown(str(c), 24)[1:-1] for c in common)]
    cells: list[list[str | int]] = [
        [f"segment {s + 1}", int(counts[s]), *map(share, shares[s].tolist())] for s in range(segments)
    ]
    table = Rows(header, cells, f"Shares of the {len(common)} commonest values of {name}.")
    return Finding(
        found.name, found.sentence, n=found.n, method=found.method, pictures=(*found.pictures, table)
    )


def _finding(name: str, sentence: str, n: int, picture: Dots) -> Finding:
    return Finding(
        "segments.labels",
        sentence,
        n=n,
        method=f"{name} was not looked at when the segments were made",
        pictures=(picture,),
    )

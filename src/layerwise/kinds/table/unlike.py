"""Rows that are unlike all that were learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from layerwise.errors import shown
from layerwise.figures import number
from layerwise.kinds.base import Values
from layerwise.kinds.table.reader import CATEGORIES, NUMBERS
from layerwise.spec import Spec

__all__ = ["unlike"]

FAR = 1.0  # ranges of the training values beyond their ends


def unlike(values: Values, spec: Spec) -> Mapping[int, str]:
    """Rows of which nothing is known, or where a number lies further from the training values than they spread.

    By their place among the rows, each with the first reason and how many more there are. A category that
    training did not have is read as rare ones are, which a network knows how to take, and so is no reason.
    """
    found: dict[int, str] = {}
    more: Counter[int] = Counter()
    n = len(next(iter(values.values())))
    known = np.zeros(n, bool)
    for field, own in spec.columns.items():
        if field == NUMBERS:
            columns = np.asarray(values[field], np.float64)
            known |= np.isfinite(columns).any(1)
            for name, edges, column in zip(own.names, own.edges, columns.T, strict=True):
                low, high = edges[0], edges[-1]
                width = FAR * (high - low)
                for row in np.flatnonzero((column < low - width) | (column > high + width)):
                    told = f"{shown(name, 40)[1:-1]} is {number(float(column[row]))}"
                    if int(row) in found:
                        more[int(row)] += 1
                    found.setdefault(int(row), f"{told}, {number(low)} to {number(high)} in training")
        elif field == CATEGORIES:
            known |= (np.asarray(values[field]) != 0).any(1)
        else:
            known[:] = True
    for place, others in more.items():
        found[place] += f", and {others:,} {'column' if others == 1 else 'columns'} more"
    return {**found, **{int(row): "all its cells are empty or unknown" for row in np.flatnonzero(~known)}}

"""The look of number columns: their spread, and the bins of a piecewise-linear encoding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerwise.spec import Spec

__all__ = ["numbers_spec"]


def numbers_spec(numbers: np.ndarray, names: Sequence[str], bins: int) -> Spec:
    edges, centre, spread = [], [], []
    for feature in numbers.T:
        known = feature[np.isfinite(feature)]
        edges.append(_edges(known, bins))
        wide = known.astype(np.float64)
        centre.append(float(wide.mean()) if len(wide) else 0.0)
        spread.append((float(wide.std()) if len(wide) else 0.0) or 1.0)
    return Spec(
        ("feature",),
        (len(names),),
        names=tuple(names),
        centre=tuple(centre),
        spread=tuple(spread),
        edges=tuple(edges),
    )


def _edges(known: np.ndarray, bins: int) -> tuple[float, ...]:
    """Rising edges of at most `bins` bins: the values themselves where few, else quantiles of them.

    A value counts for one bin at most, so that one which fills half the column takes no bins from the rest.
    """
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) < 2:
        middle = float(distinct[0]) if len(distinct) else 0.0
        return middle - max(1.0, abs(middle)), middle + max(1.0, abs(middle))
    if len(distinct) > bins + 1:
        mass = counts.astype(np.float64)
        for _ in range(4):
            mass = np.minimum(mass, mass.sum() / bins)
        reached = np.cumsum(mass) - mass / 2
        places = np.searchsorted(reached, np.linspace(0, mass.sum(), bins + 1)[1:-1])
        distinct = distinct[np.unique([0, *places, len(distinct) - 1])]
    return tuple(float(e) for e in distinct)

"""Figures with 95 % intervals, and differences of figures on the same rows.

Every figure here is a function of sums over rows (`Statistic`), so a bootstrap draw is one product of
the draw's counts with those sums: rows that hang together are summed into one unit first, and large
sets into many random units, which leaves the spread of the draws the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

__all__ = ["Metric", "Statistic", "contrast", "measure", "stretches", "wilson"]

DRAWS = 1000
MOST_UNITS = 10_000  # more rows are summed into this many random units
CHUNK = 100  # draws at a time: their counts stay in the processor's cache
FEW_GROUPS = 10
NOISE = 3.0  # standard errors of the mean of the draws
Z = 1.959964  # of 95 %


class Metric(NamedTuple):
    """A figure with its 95 % interval. `groups` counts the groups that the interval is drawn over.

    A figure that the rows do not determine (one class only, no rows) is NaN, and `caveat` says why.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    groups: int | None = None
    caveat: str = ""

    def to_json(self) -> dict[str, Any]:
        """`value`, `low`, `high`, `n`, and `groups` and `caveat` where there are any; NaN becomes None."""
        plain: dict[str, Any] = {
            k: float(v) if isfinite(v) else None
            for k, v in (("value", self.value), ("low", self.low), ("high", self.high))
        }
        plain["n"] = self.n
        if self.groups is not None:
            plain["groups"] = self.groups
        return {**plain, "caveat": self.caveat} if self.caveat else plain


class Statistic(NamedTuple):
    """A figure as a function of sums over rows.

    `columns` (N, m), dense or sparse, hold what is summed; `of` turns sums (D, m) into D figures, NaN
    where the sums determine none. `share` (N,) holds 0 and 1 where the figure is a plain share of rows.
    """

    columns: Any
    of: Callable[[np.ndarray], np.ndarray]
    bounds: tuple[float, float] = (-np.inf, np.inf)
    share: np.ndarray | None = None
    caveat: str = ""


def measure(
    statistics: Mapping[str, Statistic], *, n: int, groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, Metric]:
    """Each figure with its interval, all from the same draws.

    Percentile bootstrap (Efron 1979), moved by the mean distance of the draws from the figure where that is
    more than their noise, which matters for figures that resampling flatters or harms (calibration error).
    Where `groups` (N,) are given whole groups are drawn (cluster bootstrap). A plain share of rows without
    groups has Wilson's interval (1927), which stays honest at 0 and 1.
    """
    if n == 0:
        nan = float("nan")
        return {k: Metric(k, nan, nan, nan, 0, caveat="there are no rows to judge by") for k in statistics}
    codes, units = _units(n, groups, seed)
    values = {k: _figure(s, np.ones((1, n)))[0] for k, s in statistics.items()}
    draws = _draws(
        {k: _summed(codes, units, s.columns) for k, s in statistics.items()}, statistics, units, seed
    )
    count = None if groups is None else units
    return {k: _metric(k, s, float(values[k]), draws[k], n, count) for k, s in statistics.items()}


def contrast(
    a: Statistic, b: Statistic, *, n: int, groups: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float, float]:
    """(a - b, low, high): the difference of two figures of the same rows, drawn together.

    Two plain shares of rows without groups have the interval of Bonett and Price (2012), which does not take
    a handful of rows that all differ in one direction for more than it is.
    """
    if groups is None and a.share is not None and b.share is not None and n:
        return _of_shares(a.share, b.share)
    width = a.columns.shape[1]
    both = Statistic(
        _beside(a.columns, b.columns),
        lambda sums: a.of(sums[:, :width]) - b.of(sums[:, width:]),
    )
    difference = measure({"difference": both}, n=n, groups=groups, seed=seed)["difference"]
    return difference.value, difference.low, difference.high


def wilson(right: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `n` (Wilson 1927)."""
    p = right / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _of_shares(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data": one more row for each direction."""
    n = len(a)
    more, fewer = float(np.sum(a > b)), float(np.sum(a < b))
    p, q = (more + 1) / (n + 2), (fewer + 1) / (n + 2)
    half = Z * sqrt((p + q - (p - q) ** 2) / (n + 2))
    value = (more - fewer) / n
    return value, max(-1.0, min(value, p - q - half)), min(1.0, max(value, p - q + half))


def stretches(n: int, length: int) -> np.ndarray:
    """(N,) group numbers: rows in order, `length` in a row to a group, but at least ten groups."""
    return np.arange(n) // max(1, min(length, n // FEW_GROUPS))


def _units(n: int, groups: np.ndarray | None, seed: int) -> tuple[np.ndarray, int]:
    """(N,) unit of each row, and how many units there are."""
    if groups is not None:
        names, codes = np.unique(np.array([str(g) for g in groups]), return_inverse=True)
        return codes.reshape(-1), len(names)
    if n <= MOST_UNITS:
        return np.arange(n), n
    return np.random.default_rng([seed, 1]).permutation(n) % MOST_UNITS, MOST_UNITS


def _summed(codes: np.ndarray, units: int, columns: Any) -> Any:
    """Columns (N, m) summed into (units, m)."""
    n = len(codes)
    if units == n and np.array_equal(codes, np.arange(n)):
        return columns
    return sparse.csr_array((np.ones(n), (codes, np.arange(n))), shape=(units, n)) @ columns


def _draws(
    sums: Mapping[str, Any], statistics: Mapping[str, Statistic], units: int, seed: int
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, 0])
    found: dict[str, list[np.ndarray]] = {k: [] for k in statistics}
    offsets = np.arange(CHUNK, dtype=np.int64)[:, None] * units
    for _ in range(DRAWS // CHUNK):
        drawn = rng.integers(0, units, (CHUNK, units), dtype=np.int64) + offsets
        counts = np.bincount(drawn.reshape(-1), minlength=CHUNK * units).reshape(CHUNK, units)
        counts = counts.astype(np.float64)
        for k, s in statistics.items():
            found[k].append(_figure(s._replace(columns=sums[k]), counts))
    return {k: np.concatenate(v) for k, v in found.items()}


def _figure(statistic: Statistic, counts: np.ndarray) -> np.ndarray:
    columns = statistic.columns
    sums = (columns.T @ counts.T).T if sparse.issparse(columns) else counts @ columns
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(statistic.of(sums), np.float64)


def _metric(
    name: str, statistic: Statistic, value: float, draws: np.ndarray, n: int, groups: int | None
) -> Metric:
    nan = float("nan")
    good = draws[np.isfinite(draws)]
    if not isfinite(value) or not len(good):
        return Metric(name, value if isfinite(value) else nan, nan, nan, n, groups, _undetermined(statistic))
    bias = good.mean() - value
    if abs(bias) <= NOISE * good.std() / sqrt(len(good)):
        bias = 0.0
    low, high = np.quantile(good, [0.025, 0.975]) - bias
    low, high = max(float(low), statistic.bounds[0]), min(float(high), statistic.bounds[1])
    caveat = [statistic.caveat] if statistic.caveat else []
    alike = bool(np.ptp(good) < 1e-12)
    if statistic.share is not None and (groups is None or alike):
        whole = n if groups is None else groups
        low, high = wilson(value * whole, whole)
    elif alike:
        caveat.append("every draw gives the same figure, so the interval says too little")
    if groups is not None and groups < FEW_GROUPS:
        caveat.append(f"only {groups} group{'s' if groups > 1 else ''}, so the interval is rough")
    return Metric(name, value, min(low, value), max(high, value), n, groups, "; ".join(caveat))


def _undetermined(statistic: Statistic) -> str:
    return statistic.caveat or "these rows do not determine it"


def _beside(a: Any, b: Any) -> Any:
    if sparse.issparse(a) or sparse.issparse(b):
        return sparse.hstack([sparse.csr_array(a), sparse.csr_array(b)], format="csr")
    return np.hstack([a, b])

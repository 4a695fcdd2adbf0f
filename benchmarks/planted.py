"""Tables with planted segments, of which the true model is known, and tables without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax
from scipy.stats import poisson
from sklearn.metrics import adjusted_rand_score

Table = dict[str, list[float | str | None]]
LETTERS = ("red", "green", "blue", "black", "white", "grey")


@dataclass(frozen=True)
class Planted:
    """A table, the segment of each row (N,), and the adjusted Rand index that the true model reaches."""

    table: Table
    segments: np.ndarray
    ceiling: float
    words: Mapping[str, int | float | str] = field(default_factory=dict)


def planted(seed: int, *, small: bool = False) -> Planted:
    """2 to 6 segments of unequal size in 500 to 5,000 rows and 4 to 20 columns; `small`: 2 to 4 in 200 to 500.

    Numbers are normal with a mean and a spread for each segment and, in every other table, a factor that they
    share within segments; amounts are the exponentials of such; counts are Poisson; categories have their own
    probabilities in each segment. Other columns are noise. Cells are missing at random in two of three tables.
    The segments are moved apart until the true model, which knows all of this, reaches what was drawn for it.
    """
    rng = np.random.default_rng([seed, 1])
    k = 2 + seed % (3 if small else 5)
    least, most = (200, 500) if small else (500, 5000)
    n = int(np.exp(rng.uniform(np.log(max(least, 100 * k)), np.log(most))))
    shares = _shares(k, max(0.06, 30 / n), rng)
    segments = rng.permutation(np.repeat(np.arange(k), _counts(n, shares)))
    width = int(rng.integers(max(4, k), 21))
    telling = max(k + 1, int(np.ceil(width * rng.uniform(0.5, 0.9))))
    telling = min(telling, width)
    categories = int(rng.integers(0, telling // 2 + 1))
    counts = int(rng.integers(0, 2))
    numbers = telling - categories - counts
    loading = rng.normal(0, 0.6, numbers) * (seed % 2)
    draws = {
        "means": _means(k, numbers, rng),
        "spreads": rng.uniform(0.7, 1.35, (k, numbers)),
        "rates": rng.uniform(-1, 1, (k, counts)),
        "codes": [rng.normal(0, 1, (k, int(rng.integers(2, 7)))) for _ in range(categories)],
    }
    noise = (rng.normal(size=n), rng.normal(size=(n, numbers)), rng.uniform(size=(n, counts + categories)))
    there = rng.uniform(size=(n, telling)) >= (0.0, 0.03, 0.08)[seed % 3]
    wanted = float(rng.uniform(0.9, 0.98))
    low, high = 0.05, 12.0
    for _ in range(18):
        middle = (low * high) ** 0.5
        drawn, logs = _draw(draws, middle, segments, np.log(shares), loading, noise, there)
        reached = adjusted_rand_score(segments, logs.argmax(1))
        low, high = (middle, high) if reached < wanted else (low, middle)
    drawn, logs = _draw(draws, high, segments, np.log(shares), loading, noise, there)
    reached = adjusted_rand_score(segments, logs.argmax(1))
    table = _named(drawn, numbers, counts, there, rng)
    table |= _noise(n, width - telling, there.mean(), rng)
    names = list(table)
    table = {names[i]: table[names[i]] for i in rng.permutation(len(names))}
    words = {"segments": k, "rows": n, "columns": width, "noise": width - telling, "categories": categories,
             "counts": counts, "missing": round(1 - float(there.mean()), 3), "smallest": float(shares.min()),
             "certainty": float(softmax(logs, 1).max(1).mean())}  # fmt: skip
    return Planted(table, segments, float(reached), words)


def _shares(k: int, least: float, rng: np.random.Generator) -> np.ndarray:
    return least + (1 - k * least) * rng.dirichlet(np.full(k, 4.0))


def _counts(n: int, shares: np.ndarray) -> np.ndarray:
    ends = np.round(np.cumsum(shares) * n).astype(int)
    return np.diff([0, *ends])


def _means(k: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(k, width): no two segments close to one another, so that none is planted that is none."""
    best = max((rng.normal(size=(k, width)) for _ in range(50)), key=_nearest)
    return best - best.mean(0)


def _nearest(means: np.ndarray) -> float:
    if not means.shape[1]:
        return 0.0
    gaps = ((means[:, None] - means) ** 2).sum(2)
    return float(gaps[np.triu_indices(len(means), 1)].min())


def _draw(
    draws: Mapping[str, np.ndarray | list[np.ndarray]],
    scale: float,
    segments: np.ndarray,
    logs: np.ndarray,
    loading: np.ndarray,
    noise: tuple[np.ndarray, np.ndarray, np.ndarray],
    there: np.ndarray,
) -> tuple[list[np.ndarray], np.ndarray]:
    """The telling columns, and (N, k) the log of the true model's joint probability of row and segment."""
    means, spreads = scale * np.asarray(draws["means"]), np.asarray(draws["spreads"])
    factor, normal, uniform = noise
    x = means[segments] + spreads[segments] * normal + factor[:, None] * loading
    width = x.shape[1]
    columns = list(x.T)
    joint = logs + _normal(x, there[:, :width], means, spreads, loading)
    at = 0
    for rates in np.exp(1.5 + min(scale, 1.5) * np.asarray(draws["rates"])).T:
        column = poisson.ppf(uniform[:, at], rates[segments])
        columns.append(column)
        joint = joint + there[:, width + at, None] * poisson.logpmf(column[:, None], rates)
        at += 1
    for codes in draws["codes"]:
        shares = softmax(min(scale, 2.0) * codes, 1)
        column = (uniform[:, at, None] > np.cumsum(shares, 1)[segments]).sum(1).clip(0, shares.shape[1] - 1)
        columns.append(column)
        joint = joint + there[:, width + at, None] * np.log(shares.T[column])
        at += 1
    return columns, joint


def _normal(
    x: np.ndarray, there: np.ndarray, means: np.ndarray, spreads: np.ndarray, loading: np.ndarray
) -> np.ndarray:
    """(N, k) log density of the cells that are there: diagonal plus one factor (Woodbury)."""
    weights = there[:, None] / spreads**2
    off = np.where(there[:, None], x[:, None] - means, 0.0)
    inner = 1 + (weights * loading**2).sum(2)
    squares = (weights * off**2).sum(2) - (weights * off * loading).sum(2) ** 2 / inner
    sizes = (there[:, None] * np.log(spreads**2)).sum(2) + np.log(inner)
    return -0.5 * (squares + sizes)


def _named(
    columns: list[np.ndarray], numbers: int, counts: int, there: np.ndarray, rng: np.random.Generator
) -> Table:
    table: Table = {}
    for i, column in enumerate(columns):
        if i < numbers and rng.uniform() < 0.35:
            name, cells = f"amount {i}", np.exp(np.log(500) + 0.6 * column)
        elif i < numbers:
            name, cells = f"number {i}", float(rng.normal(0, 50)) + float(rng.uniform(0.1, 30)) * column
        elif i < numbers + counts:
            name, cells = f"count {i}", column
        else:
            name, cells = f"kind {i}", np.array(LETTERS)[column]
        table[name] = _cells(cells, there[:, i])
    return table


def _cells(values: np.ndarray, there: np.ndarray) -> list[float | str | None]:
    return [v if known else None for v, known in zip(values.tolist(), there.tolist(), strict=True)]


def _noise(n: int, width: int, known: float, rng: np.random.Generator) -> Table:
    """Columns that say nothing of the segments; numbers among them may share a factor."""
    table: Table = {}
    factor = rng.normal(size=n)
    for i in range(width):
        what = rng.integers(4)
        x = rng.normal(size=n) + float(rng.choice([0.0, 0.7])) * factor
        there = rng.uniform(size=n) < known
        if what == 0:
            table[f"noise amount {i}"] = _cells(np.exp(3 + 0.8 * x), there)
        elif what == 1:
            letters = np.array(LETTERS)[rng.choice(4, n, p=rng.dirichlet(np.full(4, 2.0)))]
            table[f"noise kind {i}"] = _cells(letters, there)
        else:
            table[f"noise number {i}"] = _cells(x, there)
    return table


def structureless(seed: int) -> tuple[str, Table]:
    """What kind of a table without segments it is, and the table: 200 to 5,000 rows."""
    rng = np.random.default_rng([seed, 2])
    n = int(np.exp(rng.uniform(np.log(200), np.log(5000))))
    width = int(rng.integers(3, 16))
    name, make = KINDS[seed % len(KINDS)]
    columns = make(n, width, rng)
    return name, {f"column {i}": c.tolist() for i, c in enumerate(columns)}


def _normals(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(n, width))


def _correlated(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Normal, with up to three factors that all columns share."""
    factors = int(rng.integers(1, 4))
    return rng.normal(size=(n, factors)) @ rng.normal(size=(factors, width)) + rng.normal(size=(n, width))


def _elongated(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(n, 1)) * np.linspace(1, 3, width) + 0.3 * rng.normal(size=(n, width))


def _ball(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(size=(n, width))
    return x / np.linalg.norm(x, axis=1, keepdims=True) * rng.uniform(size=(n, 1)) ** (1 / width)


def _plane(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform on a square that lies askew among the columns."""
    return rng.uniform(-1, 1, (n, 2)) @ rng.normal(size=(2, width)) + 0.2 * rng.normal(size=(n, width))


def _heavy(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Student's t of three degrees of freedom, one scale for all of a row."""
    return _correlated(n, width, rng) / np.sqrt(rng.chisquare(3, (n, 1)) / 3)


def _outliers(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    x = _correlated(n, width, rng)
    wild = rng.uniform(size=x.shape) < 0.01
    return np.where(wild, x * rng.uniform(5, 30, x.shape), x)


def _likert(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Answers from 1 to 5 to questions that share a factor."""
    x = 0.8 * rng.normal(size=(n, 1)) + rng.normal(size=(n, width))
    return np.digitize(x, [-1.5, -0.5, 0.5, 1.5]) + 1


def _letters(n: int, width: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Categories, each column by itself."""
    return [
        np.array(LETTERS)[rng.choice(m, n, p=rng.dirichlet(np.full(m, 3.0)))]
        for m in rng.integers(2, 7, width)
    ]


def _mixed(n: int, width: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Correlated normals, amounts of them, truth values and categories."""
    x = _correlated(n, width, rng)
    cuts = rng.integers(4, size=width)
    making: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
        lambda c: c, np.exp, lambda c: (c > 0.5).astype(int), lambda c: np.array(LETTERS)[_mod(c, rng)],
    )  # fmt: skip
    return [making[cut](column) for cut, column in zip(cuts, x.T, strict=True)]


def _mod(column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(4, size=len(column))


KINDS: tuple[tuple[str, Callable[[int, int, np.random.Generator], np.ndarray | list[np.ndarray]]], ...] = (
    ("normal", lambda n, w, rng: list(_normals(n, w, rng).T)),
    ("correlated", lambda n, w, rng: list(_correlated(n, w, rng).T)),
    ("uniform", lambda n, w, rng: list(rng.uniform(size=(w, n)))),
    ("log-normal", lambda n, w, rng: list(np.exp(_correlated(n, w, rng)).T)),
    ("heavy tails", lambda n, w, rng: list(_heavy(n, w, rng).T)),
    ("outliers", lambda n, w, rng: list(_outliers(n, w, rng).T)),
    ("answers 1 to 5", lambda n, w, rng: list(_likert(n, w, rng).T)),
    ("categories", _letters),
    ("mixed", _mixed),
    ("one long axis", lambda n, w, rng: list(_elongated(n, w, rng).T)),
    ("ball", lambda n, w, rng: list(_ball(n, w, rng).T)),
    ("tilted square", lambda n, w, rng: list(_plane(n, w, rng).T)),
    ("skewed, independent", lambda n, w, rng: list(rng.gamma(0.7, size=(w, n)))),
    ("counts", lambda n, w, rng: list(rng.poisson(np.exp(0.8 + 0.4 * _correlated(n, w, rng) / 2)).T)),
)

"""Segments as a mixture: in each, numbers are normal and categories have their own frequencies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import logsumexp
from sklearn.cluster import KMeans

from layerwise.randomness import Randomness
from layerwise.segments.traits import Traits

__all__ = ["TINY", "Covariance", "Mixture", "encoded", "fitted"]

Covariance: TypeAlias = Literal["own", "shared"]

RIDGE = 0.02  # added to variances of 1
WORTH = 5.0  # rows that speak for the pooled variance, and twice 1 for a category's frequency overall
SHORT, LONG = 15, 150  # steps of expectation and maximisation
CLOSE = 1e-5  # nats a row
TINY = 1e-12
LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Mixture:
    """log p(row, segment) = encoded row (N, P) @ `weights` (P, k) + `bias` (k,) + a term of the row alone.

    "own": each segment has variances of its own and columns are independent within it; what is missing is
    left out. "shared": one full covariance for all, so that segments may not be made of columns that merely
    go together; what is missing counts as the mean. Categories are independent within a segment in both.
    """

    covariance: Covariance
    weights: np.ndarray
    bias: np.ndarray
    within: np.ndarray  # (F, F), of "shared"

    @property
    def number(self) -> int:
        """How many segments."""
        return len(self.bias)

    def logits(self, traits: Traits) -> np.ndarray:
        """(N, k), of which softmax is the probability of each segment."""
        y: np.ndarray = encoded(traits, self.covariance) @ self.weights + self.bias
        return y

    def by_size(self, traits: Traits) -> Mixture:
        """The same, the segments with most of these rows first."""
        rows = np.bincount(self.logits(traits).argmax(1), minlength=self.number)
        order = np.argsort(-rows, kind="stable")
        return replace(self, weights=self.weights[:, order], bias=self.bias[order])

    def density(self, traits: Traits) -> np.ndarray:
        """(N,) log density of each row."""
        found: np.ndarray = logsumexp(self.logits(traits), axis=1)
        if self.covariance == "own" or not len(self.within):
            return found
        x = np.nan_to_num(traits.numbers)
        inner = np.einsum("nf,fn->n", x, np.linalg.solve(self.within, x.T))
        size = np.linalg.slogdet(self.within)[1] + len(self.within) * LOG_2_PI
        of_rows: np.ndarray = found - 0.5 * (inner + size)
        return of_rows


def encoded(traits: Traits, covariance: Covariance) -> np.ndarray:
    """(N, P) what the logits of such a mixture are linear in."""
    x = np.nan_to_num(traits.numbers)
    ones = [c[:, None] == np.arange(s) for c, s in zip(traits.categories.T, traits.sizes, strict=True)]
    if covariance == "shared":
        return np.hstack([x, *ones]).astype(float)
    return np.hstack([np.isfinite(traits.numbers), x, x * x, *ones]).astype(float)


def fitted(traits: Traits, number: int, covariance: Covariance, *, rng: Randomness, starts: int) -> Mixture:
    """The likeliest of mixtures that begin with k-means on the principal axes, from few of them to all.

    Expectation and maximisation (Dempster, Laird and Rubin 1977), short runs from each start and a long one
    from the best (Biernacki, Celeux and Govaert 2003).
    """
    rows = encoded(traits, covariance)
    begun = [_Fit(traits, rows, covariance).after(r, SHORT) for r in _starts(traits, number, rng, starts)]
    _, shares, _ = max(begun, key=lambda fit: fit[2])
    return _Fit(traits, rows, covariance).after(shares, LONG)[0]


def _starts(traits: Traits, number: int, rng: Randomness, count: int) -> list[np.ndarray]:
    n, axes = traits.scores.shape
    if number == 1:
        return [np.ones((n, 1))]
    some = min(axes, max(2, traits.shared))
    depths = (some, axes, min(axes, max(1, traits.shared)), min(axes, 2 * some + 2))
    shares = []
    for i in range(count):
        x = traits.scores[:, : depths[i % len(depths)]]
        if i >= len(depths):
            x = x / x.std(0)
        seed = rng.at(i).number("k-means") >> 33
        labels = KMeans(number, n_init=2, max_iter=30, random_state=seed).fit_predict(x)
        start = np.full((n, number), 0.1 / number)
        start[np.arange(n), labels] += 0.9
        shares.append(start)
    return shares


class _Fit:
    """Expectation and maximisation on some rows. As encoded, both steps are matrix products."""

    def __init__(self, traits: Traits, rows: np.ndarray, covariance: Covariance) -> None:
        self.rows, self.covariance, self.sizes = rows, covariance, traits.sizes
        self.n, self.f = traits.numbers.shape
        x = np.nan_to_num(traits.numbers)
        self.moments = x.T @ x / self.n
        self.floors = traits.floors + RIDGE / 10
        self.least = np.diag(np.maximum(RIDGE, traits.floors))
        at = self.f * (3 if covariance == "own" else 1)
        self.shares_of_all = rows[:, at:].mean(0)

    def after(self, shares: np.ndarray, steps: int) -> tuple[Mixture, np.ndarray, float]:
        """The mixture, shares (N, k) and mean log likelihood after at most so many steps."""
        last = -np.inf
        for _ in range(steps):
            mixture, constant = self._maximised(shares)
            logits = self.rows @ mixture.weights + mixture.bias
            top = logits.max(1, keepdims=True)
            shares = np.exp(logits - top)
            total = shares.sum(1, keepdims=True)
            shares /= total
            likelihood = float((top + np.log(total)).mean()) + constant
            if likelihood - last < CLOSE:
                break
            last = likelihood
        return mixture, shares, likelihood

    def _maximised(self, shares: np.ndarray) -> tuple[Mixture, float]:
        """The mixture that suits the shares, and the mean of what its logits leave out."""
        sums, sizes = self.rows.T @ shares, shares.sum(0) + TINY
        own = self.covariance == "own"
        blocks = self._own(sums) if own else self._shared(sums, sizes)
        bias = np.log(sizes / self.n) + blocks.bias
        at = self.f * (3 if own else 1)
        rows = [blocks.weights]
        start = 0
        for size in self.sizes:
            prior = 2 * self.shares_of_all[start : start + size, None]
            counts = sums[at + start : at + start + size]
            rows.append(np.log(np.maximum((counts + prior) / (sizes + 2), TINY)))
            start += size
        return Mixture(self.covariance, np.vstack(rows), bias, blocks.within), blocks.constant

    def _own(self, sums: np.ndarray) -> _Numbers:
        there, totals, squares = np.split(sums[: 3 * self.f], 3)
        there = there + TINY
        mean = totals / there
        variance = np.maximum(squares / there - mean**2, 0)
        pooled = (variance * there).sum(1, keepdims=True) / there.sum(1, keepdims=True)
        variance = (variance * there + WORTH * pooled) / (there + WORTH) + self.floors[:, None]
        first = -0.5 * (mean**2 / variance + np.log(variance) + LOG_2_PI)
        weights = np.vstack([first, mean / variance, -0.5 / variance])
        return _Numbers(weights, np.zeros(sums.shape[1]), np.empty((0, 0)), 0.0)

    def _shared(self, sums: np.ndarray, sizes: np.ndarray) -> _Numbers:
        mean = sums[: self.f] / sizes
        within = self.moments - (mean * sizes / self.n) @ mean.T + self.least
        if not self.f:
            return _Numbers(mean, np.zeros(len(sizes)), within, 0.0)
        solved = np.linalg.solve(within, np.hstack([mean, self.moments]))
        weights, rest = solved[:, : len(sizes)], solved[:, len(sizes) :]
        constant = -0.5 * (np.trace(rest) + np.linalg.slogdet(within)[1] + self.f * LOG_2_PI)
        return _Numbers(weights, -0.5 * (mean * weights).sum(0), within, float(constant))


@dataclass(frozen=True)
class _Numbers:
    """What the numbers add to a mixture."""

    weights: np.ndarray
    bias: np.ndarray
    within: np.ndarray
    constant: float

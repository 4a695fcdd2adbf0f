"""Segments as a mixture: in each, numbers are normal and categories have their own frequencies."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from layerwise.randomness import Randomness
from layerwise.segments.traits import Traits

__all__ = ["Mixture", "fitted", "indicators"]

WORTH = 10.0  # rows that speak for the pooled variance
OVERALL = 5.0  # rows that speak for a category's frequency overall
LEAST = 0.002  # variance, where all rows have 1
CHANCE = 2.0  # times what chance adds to squared correlations is taken from them
SHORT, LONG = 15, 150  # steps of expectation and maximisation
CLOSE = 1e-5  # nats a row
TINY = 1e-12
LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Mixture:
    """k segments, in each of which numbers are normal and categories independent.

    `shares` (k,) are logs, as are the `frequencies` (categories, k) in the order of `indicators`. `means` and
    `variances` (k, F) are each segment's own, or the variances are of all; the `correlations` (F, F) within
    segments are of all, so that segments may not be made of columns that merely go together. A number that is
    missing counts as the mean of the segment and adds nothing but correlation.
    """

    shares: np.ndarray
    frequencies: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    correlations: np.ndarray

    @property
    def number(self) -> int:
        """How many segments."""
        return len(self.shares)

    def logits(self, traits: Traits) -> np.ndarray:
        """(N, k) the log density of each row and segment together, in nats."""
        there, x = np.isfinite(traits.numbers).astype(float), np.nan_to_num(traits.numbers)
        found: np.ndarray = self.shares + indicators(traits) @ self.frequencies
        root = np.linalg.cholesky(np.linalg.inv(self.correlations))
        size = np.linalg.slogdet(self.correlations)[1]
        for own, mean, variance in zip(found.T, self.means, self.variances, strict=True):
            off = ((x - mean) * (there / np.sqrt(variance))) @ root
            own -= 0.5 * (np.einsum("nf,nf->n", off, off) + there @ (np.log(variance) + LOG_2_PI) + size)
        return found

    def pooled(self) -> Mixture:
        """The same with variances of all, so that the log odds of two segments are linear in the numbers."""
        shared = np.exp(self.shares) @ self.variances
        return replace(self, variances=np.tile(shared, (self.number, 1)))

    def density(self, traits: Traits) -> np.ndarray:
        """(N,) log density of each row, in nats."""
        found: np.ndarray = logsumexp(self.logits(traits), axis=1)
        return found


def indicators(traits: Traits) -> np.ndarray:
    """(N, categories) which category of each column a row is in."""
    ones = [c[:, None] == np.arange(s) for c, s in zip(traits.categories.T, traits.sizes, strict=True)]
    return np.hstack([np.empty((len(traits), 0)), *ones])


def fitted(traits: Traits, number: int, *, own: bool, rng: Randomness, starts: int) -> Mixture:
    """The likeliest of mixtures that begin with k-means on the principal axes, from few of them to all.

    `own`: variances are each segment's own. Expectation and maximisation (Dempster, Laird and Rubin 1977),
    short runs from each start and a long one from the best (Biernacki, Celeux and Govaert 2003).
    """
    begun = [_climbed(traits, shares, SHORT, own=own) for shares in _starts(traits, number, rng, starts)]
    best = max(begun, key=lambda found: found[1])[0]
    return _climbed(traits, softmax(best.logits(traits), axis=1), LONG, own=own)[0]


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
        with warnings.catch_warnings():  # of rows that are all copies of fewer there are fewer clusters
            warnings.simplefilter("ignore", ConvergenceWarning)
            labels = KMeans(number, n_init=1, max_iter=30, random_state=seed).fit_predict(x)
        start = np.full((n, number), 0.1 / number)
        start[np.arange(n), labels] += 0.9
        shares.append(start)
    return shares


def _climbed(traits: Traits, shares: np.ndarray, steps: int, *, own: bool) -> tuple[Mixture, float]:
    """The mixture and its mean log likelihood after at most so many steps from shares (N, k)."""
    last, ones = -np.inf, indicators(traits)
    for _ in range(steps):
        mixture = _maximised(traits, ones, shares, own)
        logits = mixture.logits(traits)
        total = logsumexp(logits, axis=1)
        shares = np.exp(logits - total[:, None])
        likelihood = float(total.mean())
        if likelihood - last < CLOSE:
            break
        last = likelihood
    return mixture, likelihood


def _maximised(traits: Traits, ones: np.ndarray, shares: np.ndarray, own: bool) -> Mixture:
    """The mixture that suits shares (N, k); what few rows say is mixed with what all say."""
    sizes = shares.sum(0) + TINY
    smoothed = (ones.T @ shares + OVERALL * ones.mean(0)[:, None]) / (sizes + OVERALL)
    there, x = np.isfinite(traits.numbers), np.nan_to_num(traits.numbers)
    counts = shares.T @ there + TINY
    means = shares.T @ x / counts
    variances = np.maximum(shares.T @ (x * x) / counts - means**2, 0)
    pooled = (variances * counts).sum(0) / counts.sum(0)
    worth = WORTH if own else np.inf
    kept = counts / (counts + worth)
    variances = kept * variances + (1 - kept) * pooled + traits.floors + LEAST
    together = _together(x, there, shares, means, variances)
    frequencies = np.log(np.maximum(smoothed, TINY))
    return Mixture(np.log(sizes / len(traits)), frequencies, means, variances, together)


def _together(
    x: np.ndarray, there: np.ndarray, shares: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """(F, F) the correlations within segments, those of each column shrunk by its share that chance explains.

    After Schaefer and Strimmer (2005), who shrink all alike; a correlation of chance varies by (1 - r^2)^2 / n.
    """
    products = np.zeros((x.shape[1], x.shape[1]))
    for own, mean, variance in zip(shares.T, means, variances, strict=True):
        off = (x - mean) * (there / np.sqrt(variance))
        products += (off * own[:, None]).T @ off
    spread = np.sqrt(np.diag(products)) + TINY
    found: np.ndarray = products / np.outer(spread, spread)
    np.fill_diagonal(found, 0.0)
    squares = found**2
    chance = ((1 - squares) ** 2).sum(0) - 1  # the diagonal counts 1
    kept = np.maximum(1 - CHANCE * chance / np.maximum(len(x) * squares.sum(0), TINY), 0.0)
    found *= (1 - LEAST) * np.sqrt(np.outer(kept, kept))
    np.fill_diagonal(found, 1.0)
    return found

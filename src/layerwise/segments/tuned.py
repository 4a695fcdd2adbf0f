"""The last word on which row is in which segment: variances of each segment's own, correlations shared."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression

from layerwise.segments.mixture import TINY, Mixture, encoded
from layerwise.segments.traits import Traits

__all__ = ["tuned"]

STEPS = 60
CLOSE = 1e-6  # nats a row
WORTH = 5.0  # rows that speak for the pooled variance
LEAST = 0.002  # variance
SHRUNK = 2.0  # correlations are shrunk by this times columns over rows
TAUGHT = 5_000  # rows
STRENGTH = 10.0  # inverse of the penalty on weights


def tuned(mixture: Mixture, traits: Traits) -> Mixture:
    """The mixture after more steps under richer covariances, of "own" form: each column adds by itself.

    Numbers have variances of each segment's own, and correlations within segments that all share. Logistic
    regression on what "own" is linear in is then taught the probabilities that come out, as terms of two
    columns at once hardly differ between segments. Its logits are no joint densities.
    """
    shares = _maximised(traits, softmax(mixture.logits(traits), axis=1))
    if np.bincount(shares.argmax(1), minlength=mixture.number).min() == 0:
        return mixture
    every = max(1, -(-len(traits) // TAUGHT))
    rows, soft = encoded(traits, "own")[::every], shares[::every]
    n, k = soft.shape
    spread = rows.std(0)
    scale = np.where(spread > TINY, spread, 1.0)
    learner = LogisticRegression(C=STRENGTH, max_iter=1000)
    learner.fit(np.tile(rows / scale, (k, 1)), np.repeat(np.arange(k), n), sample_weight=soft.T.ravel())
    weights, bias = learner.coef_.T / scale[:, None], learner.intercept_
    if k == 2:  # scikit-learn keeps but the log odds
        weights, bias = np.hstack([-weights, weights]) / 2, np.array([-bias[0], bias[0]]) / 2
    return Mixture("own", weights, bias, np.empty((0, 0)))


def _maximised(traits: Traits, shares: np.ndarray) -> np.ndarray:
    """(N, k) the shares after expectation and maximisation."""
    there = np.isfinite(traits.numbers)
    ones = [c[:, None] == np.arange(s) for c, s in zip(traits.categories.T, traits.sizes, strict=True)]
    categories = np.hstack([np.empty((len(traits), 0)), *ones])
    last = -np.inf
    for _ in range(STEPS):
        sizes = shares.sum(0) + TINY
        logits = np.log(sizes / len(traits)) + categories @ _frequencies(categories, shares, sizes)
        logits, constant = _with_numbers(logits, traits, there, shares)
        total = logsumexp(logits, axis=1)
        shares = np.exp(logits - total[:, None])
        likelihood = float(total.mean()) + constant
        if likelihood - last < CLOSE:
            break
        last = likelihood
    return shares


def _frequencies(ones: np.ndarray, shares: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(categories, k) log frequencies, smoothed by those overall, which count for two rows."""
    found: np.ndarray = np.log(np.maximum((ones.T @ shares + 2 * ones.mean(0)[:, None]) / (sizes + 2), TINY))
    return found


def _with_numbers(
    logits: np.ndarray, traits: Traits, there: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, float]:
    """The logits (N, k) with what numbers add, and a term that all rows and segments have in common.

    A missing number counts as the mean of the segment and adds nothing but correlation.
    """
    n, f = traits.numbers.shape
    if not f:
        return logits, 0.0
    x = np.nan_to_num(traits.numbers)
    counts = shares.T @ there + TINY
    mean = shares.T @ x / counts
    variance = np.maximum(shares.T @ (x * x) / counts - mean**2, 0)
    pooled = (variance * counts).sum(0) / counts.sum(0)
    variance = (variance * counts + WORTH * pooled) / (counts + WORTH) + traits.floors + LEAST
    off = [np.where(there, (x - m) / np.sqrt(v), 0.0) for m, v in zip(mean, variance, strict=True)]
    products = sum(((r * s[:, None]).T @ r for r, s in zip(off, shares.T, strict=True)), np.zeros((f, f)))
    spread = np.sqrt(np.diag(products)) + TINY
    shrunk = min(1.0, SHRUNK * f / n + LEAST)
    together = (1 - shrunk) * products / np.outer(spread, spread) + shrunk * np.eye(f)
    inverse = np.linalg.inv(together)
    added = [((r @ inverse) * r).sum(1) + there @ np.log(v) for r, v in zip(off, variance, strict=True)]
    return logits - 0.5 * np.column_stack(added), -0.5 * float(np.linalg.slogdet(together)[1])

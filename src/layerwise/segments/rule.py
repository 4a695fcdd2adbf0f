"""The rule that a network follows to say which segment a row is in: each column adds by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from layerwise.segments.mixture import Mixture, indicators
from layerwise.segments.traits import Traits

__all__ = ["Rule", "linear", "taught"]

TAUGHT = 5_000  # rows
STRENGTH = 10.0  # inverse of the penalty on weights
TINY = 1e-12


@dataclass(frozen=True)
class Rule:
    """Logits = encoded row (N, P) @ `weights` (P, k) + `bias` (k,), no joint densities.

    A row is encoded as its numbers and the indicators of its categories, where `squared` as which numbers are
    there, the numbers, their squares, and those indicators.
    """

    weights: np.ndarray
    bias: np.ndarray
    squared: bool

    @property
    def number(self) -> int:
        """How many segments."""
        return len(self.bias)

    def logits(self, traits: Traits) -> np.ndarray:
        """(N, k), of which softmax is the probability of each segment."""
        y: np.ndarray = _encoded(traits, self.squared) @ self.weights + self.bias
        return y

    def by_size(self, traits: Traits) -> Rule:
        """The same, the segments with most of these rows first."""
        rows = np.bincount(self.logits(traits).argmax(1), minlength=self.number)
        order = np.argsort(-rows, kind="stable")
        return replace(self, weights=self.weights[:, order], bias=self.bias[order])


def linear(mixture: Mixture) -> Rule:
    """The rule of a mixture with variances that all share, exact where nothing is missing."""
    spread = np.sqrt(mixture.variances[0])
    weights = np.linalg.solve(mixture.correlations * np.outer(spread, spread), mixture.means.T)
    bias = mixture.shares - 0.5 * (mixture.means.T * weights).sum(0)
    return Rule(np.vstack([weights, mixture.frequencies]), bias, squared=False)


def taught(mixture: Mixture, traits: Traits) -> Rule:
    """The squared rule that logistic regression learns from the mixture's probabilities.

    It cannot see terms of two columns at once, which hardly differ between segments that share correlations.
    """
    every = max(1, -(-len(traits) // TAUGHT))
    soft = softmax(mixture.logits(traits)[::every], axis=1)
    rows = _encoded(traits, squared=True)[::every]
    n, k = soft.shape
    spread = rows.std(0)
    scale = np.where(spread > TINY, spread, 1.0)
    learner = LogisticRegression(C=STRENGTH, max_iter=1000)
    learner.fit(np.tile(rows / scale, (k, 1)), np.repeat(np.arange(k), n), sample_weight=soft.T.ravel())
    weights, bias = learner.coef_.T / scale[:, None], learner.intercept_
    if k == 2:  # scikit-learn keeps but the log odds
        weights, bias = np.hstack([-weights, weights]) / 2, np.array([-bias[0], bias[0]]) / 2
    return Rule(weights, bias, squared=True)


def _encoded(traits: Traits, squared: bool) -> np.ndarray:
    """(N, P) what the logits are linear in."""
    x = np.nan_to_num(traits.numbers)
    numbers = [np.isfinite(traits.numbers), x, x * x] if squared else [x]
    return np.hstack([*numbers, indicators(traits)]).astype(float)

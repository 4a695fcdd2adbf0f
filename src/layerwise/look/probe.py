"""Linear probes: how much of the answer can be read off a level by a plane (Alain and Bengio 2016)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
from scipy.special import expit, log_softmax, softmax

from layerwise.randomness import Randomness

__all__ = ["PENALTIES", "Plane", "fit_plane", "fit_probe"]

PENALTIES = (1.0, 0.1, 0.01, 1e-3, 1e-4)  # on half the squared weights, beside the mean loss; strongest first

TRIAL_ROWS = 2000  # on which the penalty is chosen

Answer = Literal["classes", "tags", "numbers"]


class Plane(NamedTuple):
    """A fitted linear probe: weights (F, K), offsets (K,)."""

    weights: np.ndarray
    offsets: np.ndarray
    answer: Answer

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(N, K) probabilities of classes or tags, or numbers in the targets' own units."""
        raw = x.astype(np.float64) @ self.weights + self.offsets
        if self.answer == "numbers":
            return np.asarray(raw)
        return np.asarray(softmax(raw, axis=1) if self.answer == "classes" else expit(raw))

    def loss(self, x: np.ndarray, y: np.ndarray) -> float:
        """Mean over rows of the cross-entropy, or of half the squared error."""
        raw = x.astype(np.float64) @ self.weights + self.offsets
        return float(_losses(raw, y, self.answer)[0].mean())


def fit_probe(x: np.ndarray, y: np.ndarray, answer: Answer, *, seed: int) -> Plane:
    """The plane whose penalty did best on a fifth of (at most 2,000) rows, fitted again on all of them.

    `x` (N, F) standardised, `y` (N, K): one-hot classes, 0/1 tags or numbers.
    """
    order = Randomness(seed).numpy("probe split").permutation(len(x))[:TRIAL_ROWS]
    check, rest = order[: len(order) // 5], order[len(order) // 5 :]
    if len(check) == 0:
        return fit_plane(x, y, answer, PENALTIES[0])
    plane = best = None
    penalty, best_loss = PENALTIES[0], np.inf
    for weaker in PENALTIES:
        plane = fit_plane(x[rest], y[rest], answer, weaker, start=plane)
        loss = plane.loss(x[check], y[check])
        if loss > best_loss:
            break
        best, best_loss, penalty = plane, loss, weaker
    return fit_plane(x, y, answer, penalty, start=best)


def fit_plane(
    x: np.ndarray, y: np.ndarray, answer: Answer, penalty: float, *, start: Plane | None = None
) -> Plane:
    """The minimum of the mean loss plus `penalty` times half the squared weights; offsets are free.

    Classes: multinomial logistic regression; tags: one logistic regression each; numbers: ridge.
    """
    if answer == "numbers":
        return _ridge(x, y, penalty)
    n, wide, outputs = len(x), x.shape[1], y.shape[1]
    x = np.asarray(x, np.float32)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(wide + 1, outputs)
        losses, slopes = _losses(x @ w[:-1].astype(np.float32) + w[-1], y, answer)
        slopes = (slopes / n).astype(np.float32)
        gradient = np.empty_like(w)
        gradient[:-1] = x.T @ slopes + penalty * w[:-1]
        gradient[-1] = slopes.sum(axis=0)
        return float(losses.mean() + 0.5 * penalty * (w[:-1] ** 2).sum()), gradient.ravel()

    first = np.zeros((wide + 1, outputs)) if start is None else np.vstack([start.weights, start.offsets])
    found = scipy.optimize.minimize(
        objective,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200, "ftol": 1e-5, "gtol": 1e-4},
    )
    w = found.x.reshape(wide + 1, outputs)
    return Plane(w[:-1], w[-1], answer)


def _losses(raw: np.ndarray, y: np.ndarray, answer: Answer) -> tuple[np.ndarray, np.ndarray]:
    """(N,) losses of raw outputs (N, K), and their slopes (N, K)."""
    if answer == "classes":
        logs = log_softmax(raw, axis=1)
        return -(logs * y).sum(axis=1), np.exp(logs) - y
    if answer == "tags":
        return (np.logaddexp(0, raw) - raw * y).sum(axis=1), expit(raw) - y
    return 0.5 * ((raw - y) ** 2).sum(axis=1), raw - y


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> Plane:
    x = np.asarray(x, np.float64)
    middle, level = x.mean(axis=0), y.mean(axis=0)
    gram = (x - middle).T @ (x - middle) / len(x)
    gram[np.diag_indices_from(gram)] += penalty
    weights = scipy.linalg.solve(gram, (x - middle).T @ (y - level) / len(x), assume_a="pos")
    return Plane(weights, level - middle @ weights, "numbers")

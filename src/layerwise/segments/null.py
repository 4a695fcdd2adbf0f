"""Tables without segments that look like a given one."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from layerwise.randomness import Randomness
from layerwise.segments.traits import Traits, traits_of_columns

__all__ = ["structureless"]

MOST = 0.99  # correlation of two columns
LEAST = 0.1  # share of a column's normal scores that its values keep


def structureless(traits: Traits, *, rng: Randomness) -> Traits:
    """As many rows of one normal distribution of the same correlations: no structure but pairs of columns.

    Numbers that take few values take the same ones as often, and so do categories, which are set in order of
    their place on the first principal axis: a normal copula (Nelsen 2006, section 2.3) with correlations put
    right for the steps (Olsson, Drasgow and Dorans 1982, equation 8). Missing cells are missing again.
    """
    orders = [
        _order(c, s, traits.scores[:, 0]) for c, s in zip(traits.categories.T, traits.sizes, strict=True)
    ]
    ranks = [np.argsort(o)[c].astype(float) for o, c in zip(orders, traits.categories.T, strict=True)]
    columns = [*traits.numbers.T, *ranks]
    stepped = [bool(f) for f in traits.floors] + [True] * len(ranks)
    drawn = _latent(columns, stepped, rng.numpy("structureless"))
    made = [_like(d, c) if step else d for d, c, step in zip(drawn, columns, stepped, strict=True)]
    f, n = len(traits.floors), len(traits)
    numbers = np.where(np.isfinite(traits.numbers), np.array(made[:f]).reshape(f, n).T, np.nan)
    tokens = [o[m.astype(int)] for o, m in zip(orders, made[f:], strict=True)]
    categories = np.array(tokens, int).reshape(len(tokens), n).T
    return traits_of_columns(numbers, categories, traits.sizes, rng=rng)


def _order(column: np.ndarray, size: int, scores: np.ndarray) -> np.ndarray:
    """(size,) the categories in order of their rows' mean score, those without rows last."""
    totals, counts = np.bincount(column, scores, size), np.bincount(column, minlength=size)
    return np.argsort(np.where(counts > 0, totals / np.maximum(counts, 1), np.inf))


def _latent(columns: list[np.ndarray], stepped: list[bool], generator: np.random.Generator) -> np.ndarray:
    """(columns, N) drawn from one normal distribution of the columns' correlations."""
    scores, kept = np.empty((len(columns), len(columns[0]))), np.ones(len(columns))
    for i, (column, step) in enumerate(zip(columns, stepped, strict=True)):
        known = np.where(np.isfinite(column), column, np.nanmean(column))
        scores[i], kept[i] = _normal_scores(known, generator) if step else (known, 1.0)
    together = np.atleast_2d(np.corrcoef(scores)) / np.maximum(np.outer(kept, kept), LEAST**2)
    together = np.clip(np.nan_to_num(together), -MOST, MOST)
    np.fill_diagonal(together, 1.0)
    values, vectors = np.linalg.eigh(together)
    root = vectors * np.sqrt(np.maximum(values, 0))
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    drawn: np.ndarray = root @ generator.standard_normal((len(columns), scores.shape[1]))
    return drawn


def _normal_scores(column: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Ranks, ties broken by chance, as normal scores; and the share of their variance between values."""
    n = len(column)
    ranks = np.empty(n)
    ranks[np.lexsort((generator.random(n), column))] = np.arange(n)
    scores: np.ndarray = norm.ppf((ranks + 0.5) / n)
    _, which, counts = np.unique(column, return_inverse=True, return_counts=True)
    means = np.bincount(which, scores) / counts
    return scores, float((counts * means**2).sum() / (scores**2).sum())


def _like(drawn: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The values of the column, as often as there, in the order of what was drawn."""
    known = np.sort(column[np.isfinite(column)])
    ranks = np.argsort(np.argsort(drawn))
    values: np.ndarray = known[(ranks * len(known)) // len(ranks)]
    return values

"""The learners behind simple rivals: majority, linear, nearest neighbours, boosting, naive forecasts.

They see the training rows that the network sees and are judged on the same held-out rows. Settings are
chosen on training rows alone. Work is bounded by a fair draw of rows and by fewer features, so that a
rival takes seconds, not minutes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from layerwise.kinds.base import Rival, Values
from layerwise.kinds.features import Facts, principal
from layerwise.kinds.lesson import (
    TRIAL_ROWS,
    Learnt,
    Lesson,
    as_matrix,
    constant,
    dense,
    draw,
    folds,
    goals_of,
    imputed,
    known_rows,
    one_tag_each,
    standardised,
)
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["challenge"]

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of linear rivals: inverse penalties, the most cautious first
SPARSE_STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # the same for features that are not standardised
LINEAR_WORK = 2e8  # rows x features x outputs
NEIGHBOURS = (1, 3, 5, 10, 20, 50)
LEANS = (0.01, 0.03, 0.1, 0.3, 1.0)
WIDEST = 200  # features among which neighbours are sought; more become PARTS principal components
PARTS = 100
BOOST_FEATURES = 300
BOOST_WORK = 2e9  # rows x features x trees
ROUNDS = (20, 300)  # of boosting, at least and at most
CURVES = 8  # principal components of many outputs, which boosting learns one by one


def challenge(
    rival: Rival,
    task: Task,
    train_values: Values,
    train_facts: Facts,
    train_targets: np.ndarray,
    test_values: Values,
    test_facts: Facts,
    *,
    spec: Spec,
    seed: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """What `rival` answers for the test examples, laid out as the task's `decode` does.

    `train_targets` are encoded; rows whose target is unknown (-1 or NaN) are passed over. `weights` (N,)
    make training rows count more or less.
    """
    known = known_rows(train_targets)
    rows = known[draw(len(known), rival.most, seed)]
    y = np.asarray(train_targets)[rows]
    mass = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)[rows]
    lesson = Lesson(task, np.zeros((len(rows), 0)), y, goals_of(task, y), mass, seed)
    if rival.learner == "majority" or not _count(test_values):
        return _laid_out(task, constant(lesson)(np.zeros((_count(test_values), 0))))
    if rival.features is None:
        raise ValueError(f"the rival {rival.name!r} needs features")
    values, facts = _take(train_values, rows), {k: v[rows] for k, v in train_facts.items()}
    with threadpool_limits(torch.get_num_threads()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a rival that has not converged is a rival all the same
        see = rival.features(values, facts, spec)
        lesson = lesson._replace(x=as_matrix(see(values, facts)))
        answers = LEARNERS[rival.learner](lesson, as_matrix(see(test_values, test_facts)))
    return _laid_out(task, answers)


# The naive rival


def _naive(lesson: Lesson, test: Any) -> np.ndarray:
    """The last value, or the last season again; features are windows (N, T) in the target's own units.

    The period, 1 for the last value, is the one with the least squared error on training rows.
    """
    if lesson.task.name != "forecast":
        raise ValueError(f"the naive rival forecasts; the task is {lesson.task.name}")
    trial = lesson.thinned(1_000)
    windows, horizon = _filled(trial.x), lesson.goals.shape[1]

    def error(period: int) -> float:
        return float(np.square(_season(windows, period, horizon) - trial.goals).mean())

    return _season(_filled(test), min(range(1, windows.shape[1] + 1), key=error), horizon)


def _season(windows: np.ndarray, period: int, horizon: int) -> np.ndarray:
    last = windows[:, windows.shape[1] - period :]
    return np.asarray(last[:, np.arange(horizon) % period])


def _filled(windows: Any) -> np.ndarray:
    """Windows with gaps filled by the value before, else by the first value known, else 0."""
    x = np.asarray(windows, np.float64)
    known = np.isfinite(x)
    latest = np.maximum.accumulate(np.where(known, np.arange(x.shape[1]), -1), axis=1)
    source = np.where(latest < 0, known.argmax(1)[:, None], latest)
    return np.nan_to_num(np.take_along_axis(x, source, axis=1))


# The linear rival


def _linear(lesson: Lesson, test: Any) -> np.ndarray:
    """Logistic regression or ridge, its penalty chosen by cross-validation."""
    strengths: tuple[float, ...] = SPARSE_STRENGTHS
    if not sparse.issparse(lesson.x):
        strengths = STRENGTHS
        scaled = standardised(lesson.x)
        lesson, test = lesson._replace(x=scaled(lesson.x)), scaled(test)
    per_row = lesson.x.nnz / lesson.x.shape[0] if sparse.issparse(lesson.x) else lesson.x.shape[1]
    lesson = lesson.thinned(max(2_000, LINEAR_WORK / max(1, per_row * lesson.goals.shape[1])))
    learn = _logistic if lesson.task.labels else _ridge
    best, least = strengths[0], np.inf
    for strength in strengths:
        error = _tried(lesson, partial(learn, strength=strength))
        if error >= least:
            break
        best, least = strength, error
    return learn(lesson, best)(test)


def _tried(lesson: Lesson, learn: Callable[[Lesson], Learnt]) -> float:
    """Mean squared error (of probabilities: Brier's score) on rows that were not learnt from."""
    return float(np.mean([_error(check, learn(rest)(check.x)) for rest, check in folds(lesson)]))


def _error(check: Lesson, answers: np.ndarray) -> float:
    return _weighed(np.square(answers - check.goals).mean(1), check)


def _weighed(figures: np.ndarray, check: Lesson) -> float:
    mass = check.weights.sum()
    return float(figures @ check.weights / mass) if mass > 0 else 0.0


def _logistic(lesson: Lesson, strength: float) -> Learnt:
    """Multinomial for classes, one regression a tag for tags."""
    if lesson.task.name == "tags":
        each = [_logistic_of(one, strength) for one in one_tag_each(lesson)]
        return lambda x: np.column_stack([learnt(x)[:, 1] for learnt in each])
    return _logistic_of(lesson, strength)


def _logistic_of(lesson: Lesson, strength: float) -> Learnt:
    if len(np.unique(lesson.y)) < 2 or lesson.x.shape[1] == 0:
        return constant(lesson)
    model = LogisticRegression(C=strength, max_iter=100, tol=1e-3)
    return _spread(model.fit(lesson.x, lesson.y, sample_weight=lesson.mass), lesson.goals.shape[1])


def _ridge(lesson: Lesson, strength: float) -> Learnt:
    if lesson.x.shape[1] == 0:
        return constant(lesson)
    model = Ridge(alpha=1 / strength, random_state=lesson.seed)
    model.fit(lesson.x, lesson.goals, sample_weight=lesson.mass)
    return lambda x: np.asarray(model.predict(x)).reshape(x.shape[0], -1)


# The nearest neighbours


def _neighbours(lesson: Lesson, test: Any) -> np.ndarray:
    """The mean answer of the k nearest training rows.

    k and the measure of distance (as given, by angle, or standardised) are those that answer best on a part
    of the training rows, with the others as neighbours; so is how far the answer leans to the overall rates.
    """
    order = Randomness(lesson.seed).at("rivals").numpy("neighbours").permutation(len(lesson.y))
    asked, rest = np.split(order, [min(1_000, len(order) // 4)])
    check, pool = lesson.rows(asked), lesson.rows(rest)
    lean = 1.0 if lesson.task.labels else 0.0
    best: tuple[float, int, tuple[np.ndarray, np.ndarray], np.ndarray] | None = None
    for x, other in _spaces(lesson, test):
        near = _nearest(x[rest], x[asked], NEIGHBOURS[-1])
        for k in NEIGHBOURS:
            if k > max(1, len(rest) // 2):
                break
            answers = _laid_out(check.task, _votes(pool, near[:, :k], lean))
            score = _weighed(check.task.scores(answers, check.y), check)
            if best is None or score > best[0]:
                best = (score, k, (x, other), near[:, :k])
    assert best is not None  # k = 1 is always tried
    _, k, (x, other), near = best
    if lesson.task.labels and len(asked):
        lean = min(LEANS, key=lambda lean: _error(check, _votes(pool, near, lean)))
    return _votes(lesson, _nearest(x, other, k), lean)


def _distances(lesson: Lesson, test: Any) -> np.ndarray:
    """The mean answer of the k training rows that are nearest by the distances that the features are.

    k is the one that answers best for training rows, each of which is asked without itself.
    """
    lean = 1.0 if lesson.task.labels else 0.0
    others = np.array(lesson.x, np.float64)
    np.fill_diagonal(others, np.inf)
    near = np.argsort(others, axis=1, kind="stable")
    ks = [k for k in NEIGHBOURS if k < max(2, len(others) // 2)]

    def score(k: int) -> float:
        answers = _laid_out(lesson.task, _votes(lesson, near[:, :k], lean))
        return _weighed(lesson.task.scores(answers, lesson.y), lesson)

    return _votes(lesson, np.argsort(test, axis=1, kind="stable")[:, : max(ks, key=score)], lean)


def _spaces(lesson: Lesson, test: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and test features as given, by angle and standardised; wide ones as principal components."""
    if sparse.issparse(lesson.x):
        x, other = _latent(lesson, test)
        yield x, other
        yield _unit(x), _unit(other)
        return
    filled, scaled = imputed(lesson.x), standardised(lesson.x)
    x, other = _narrowed(filled(lesson.x), filled(test), lesson.seed)
    yield x, other
    yield _unit(x), _unit(other)
    yield _narrowed(scaled(lesson.x), scaled(test), lesson.seed)


def _narrowed(x: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if x.shape[1] <= WIDEST:
        return x, test
    parts = principal(x, PARTS, seed=seed)
    return parts(x), parts(test)


def _latent(lesson: Lesson, test: Any) -> tuple[np.ndarray, np.ndarray]:
    """Sparse features in their first singular directions (Deerwester et al. 1990)."""
    some = lesson.thinned(TRIAL_ROWS).x
    axes = randomized_svd(some, min(PARTS, *some.shape), random_state=lesson.seed % 2**32)[2].T
    return np.asarray(lesson.x @ axes, np.float32), np.asarray(test @ axes, np.float32)


def _unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def _nearest(x: np.ndarray, asked: np.ndarray, k: int) -> np.ndarray:
    """(N, k) rows of `x` nearest to each row of `asked`, the nearest first."""
    if not len(asked):
        return np.zeros((0, min(k, len(x))), np.int64)
    near = NearestNeighbors(n_neighbors=min(k, len(x)), algorithm="brute").fit(x)
    return np.asarray(near.kneighbors(asked, return_distance=False))


def _votes(lesson: Lesson, near: np.ndarray, lean: float) -> np.ndarray:
    """Mean goals of the neighbours; the overall rates count as `lean` neighbours more."""
    total = lean * constant(lesson)(near)
    mass = np.full((len(near), 1), lean)
    for place, column in enumerate(near.T):
        weight = lesson.weights[column][:, None] * (1 - 1e-6 * place)  # so that the nearest breaks ties
        total += weight * lesson.goals[column]
        mass += weight
    return np.asarray(total / np.maximum(mass, 1e-12))


# Boosting


def _boosting(lesson: Lesson, test: Any) -> np.ndarray:
    """Gradient-boosted trees on histograms (Ke et al. 2017), stopped early on a tenth of the rows.

    Many numbers at once are boosted as their first principal components.
    """
    telling = _telling(lesson)
    lesson, test = lesson._replace(x=dense(lesson.x[:, telling])), dense(test[:, telling])
    task, goals, k = lesson.task, lesson.goals, lesson.goals.shape[1]
    if not len(telling):
        return constant(lesson)(test)
    if task.name == "classify":
        return _boosted_classes(lesson, 1 if k == 2 else k)(test)
    if task.name == "tags":
        return np.column_stack([_boosted_classes(one, k)(test)[:, 1] for one in one_tag_each(lesson)])
    if k <= CURVES:
        return np.column_stack([_boosted_number(lesson, goal, k)(test) for goal in goals.T])
    curves = principal(goals, CURVES, seed=lesson.seed)
    heights = np.column_stack([_boosted_number(lesson, goal, CURVES)(test) for goal in curves(goals).T])
    return np.asarray(heights @ curves.axes.T + curves.mean)


def _telling(lesson: Lesson) -> np.ndarray:
    """The BOOST_FEATURES features, no constants, whose squared correlations with the goals sum to most."""
    trial = lesson.thinned(TRIAL_ROWS)
    x = trial.x if sparse.issparse(trial.x) else imputed(trial.x)(trial.x)
    goals = trial.goals - trial.goals.mean(0)
    goals = goals / np.maximum(goals.std(0), 1e-12)
    mean = np.asarray(x.mean(0)).ravel()
    spread = np.asarray((x**2).mean(0)).ravel() - mean**2
    told = np.square(x.T @ goals).sum(1) / np.maximum(spread, 1e-12)
    best = np.argsort(-told, kind="stable")[:BOOST_FEATURES]
    return np.sort(best[spread[best] > 0])


def _boosted_classes(lesson: Lesson, trees: int) -> Learnt:
    """`trees` a round, counting those of other tags."""
    lesson = _affordable(lesson, trees)
    found, counts = np.unique(lesson.y, return_counts=True)
    if len(found) < 2:
        return constant(lesson)
    enough = bool(counts.min() >= 2 and len(lesson.y) >= 10 * len(found))
    model = HistGradientBoostingClassifier(**_options(lesson, trees, enough))
    return _spread(model.fit(lesson.x, lesson.y, sample_weight=lesson.mass), lesson.goals.shape[1])


def _boosted_number(lesson: Lesson, goal: np.ndarray, trees: int) -> Learnt:
    lesson = _affordable(lesson._replace(y=goal), trees)
    if np.ptp(lesson.y) == 0:
        return lambda x: np.full(x.shape[0], lesson.y[0])
    model = HistGradientBoostingRegressor(**_options(lesson, trees, True))
    model.fit(lesson.x, lesson.y, sample_weight=lesson.mass)
    return lambda x: np.asarray(model.predict(x))


def _affordable(lesson: Lesson, trees: int) -> Lesson:
    """As many rows as the fewest rounds can afford."""
    return lesson.thinned(max(2_000, BOOST_WORK / (ROUNDS[0] * lesson.x.shape[1] * trees)))


def _options(lesson: Lesson, trees: int, enough: bool) -> dict[str, Any]:
    """Rounds that keep rows x features x trees within BOOST_WORK; early stopping where rows are `enough`."""
    n = len(lesson.y)
    rounds = int(np.clip(BOOST_WORK / (n * lesson.x.shape[1] * trees), *ROUNDS))
    stopping = enough and n >= 500
    return {
        "max_bins": 255 if lesson.mass is None else 63,  # weighted quantiles are slow
        "max_iter": rounds if stopping else min(rounds, 100),
        "learning_rate": float(np.clip(10 / rounds, 0.1, 0.3)),
        "early_stopping": stopping,
        "min_samples_leaf": int(np.clip(n // 50, 1, 20)),
        "random_state": lesson.seed % 2**32,
    }


# What the learners share


def _spread(model: Any, width: int) -> Learnt:
    """Probabilities in their columns; classes that were not learnt have 0."""

    def answers(x: Any) -> np.ndarray:
        full = np.zeros((x.shape[0], width))
        full[:, model.classes_] = model.predict_proba(x)
        return full

    return answers


def _laid_out(task: Task, answers: np.ndarray) -> np.ndarray:
    if task.name == "regress":
        return np.asarray(answers[:, 0])
    return np.clip(answers, 0, 1) if task.labels else answers


def _take(values: Values, rows: np.ndarray) -> Values:
    return {k: v[rows] if isinstance(v, np.ndarray) else [v[int(r)] for r in rows] for k, v in values.items()}


def _count(values: Values) -> int:
    return len(next(iter(values.values())))


LEARNERS: dict[str, Callable[[Lesson, Any], np.ndarray]] = {
    "linear": _linear,
    "neighbours": _neighbours,
    "distances": _distances,
    "boosting": _boosting,
    "naive": _naive,
}

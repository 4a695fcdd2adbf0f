"""`DeepClassifier` and `DeepRegressor`: layerwise as scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names, check_is_fitted, column_or_1d, validate_data

from layerwise.data import memory_source
from layerwise.estimators.inputs import kind_of, plain, varying
from layerwise.estimators.parameters import RandomState, check_parameters, seed_of
from layerwise.estimators.weights import arranged, checked_weights
from layerwise.model import Model
from layerwise.nn.options import Positive
from layerwise.tasks import Classify, Regress, Task
from layerwise.workflows import train_columns, train_more

__all__ = ["DeepClassifier", "DeepRegressor"]

MakeTask = Callable[[np.ndarray], Task]
ONE_PASS = {"training.epochs": 1.0, "training.schedule": "constant"}


class _Deep(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: inputs, weights, training."""

    def _learn(
        self, X: Any, y: np.ndarray, weights: np.ndarray | None, task: MakeTask, **settings: Any
    ) -> None:
        """Train on all rows, in the order of their content where X is a matrix."""
        check_parameters(self)
        if plain(X):
            varying(X)
        if isinstance(X, np.ndarray):
            rows, weights = arranged(X, y, weights)
            X, y = X[rows], y[rows]
        columns = memory_source(X).columns
        if self.epochs is not None:
            settings = {"training.epochs": self.epochs, **settings}
        self.model_: Model = train_columns(
            columns,
            y,
            kind=self.kind or kind_of(columns),
            task=task(y),
            weights=weights,
            like=self.like,
            settings={**(self.settings or {}), **settings},
            budget=self.budget,
            seed=seed_of(self.random_state),
        )

    def _learn_more(self, X: Any, y: np.ndarray, weights: np.ndarray | None) -> None:
        if weights is not None:
            kept = np.flatnonzero(weights > 0)
            X, y, weights = X[kept], y[kept], weights[kept]
        train_more(self.model_, memory_source(X).columns, y, weights=weights)

    def _inputs(self, X: Any, *, reset: bool) -> Any:
        """X checked as scikit-learn does where it is a matrix of numbers; else its columns' names at least."""
        if plain(X):
            return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
        if hasattr(X, "columns"):
            _check_feature_names(self, X, reset=reset)
        return X

    def _decoded(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.model_.predict(memory_source(self._inputs(X, reset=False))).decoded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class DeepClassifier(ClassifierMixin, _Deep):  # type: ignore[misc]
    """A network as a scikit-learn classifier.

    X is a matrix (N, F) of numbers (NaN: missing), a data frame of any columns, an array of images
    (N, H, W[, C]) or series (N, T, C), or a list of paths; `kind` says which where the guess is wrong.
    Training is that of `layerwise fit`: the same reader, network, loop and recipe, of which `settings`
    changes lines (`{"training.rate": 0.01}`), `epochs` or `budget` (seconds) the length, `like` all of it.

    Whole-number sample weights equal repeated rows bit for bit; others, and class weights, weigh the loss.
    Attributes: `classes_` (C,), `model_` (a `layerwise.Model`), `n_features_in_`.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> DeepClassifier(epochs=30).fit(X, y).predict(X[:2])
    array([0, 0])
    """

    def __init__(
        self,
        *,
        kind: str | None = None,
        like: str | None = None,
        epochs: Positive | None = None,
        budget: Positive | None = None,
        settings: Mapping[str, Any] | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.kind = kind
        self.like = like
        self.epochs = epochs
        self.budget = budget
        self.settings = settings
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on all rows. y (N,) classes; sample_weight (N,) or None. Returns self."""
        X = self._inputs(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        _check_length(X, y)
        weights = checked_weights(sample_weight, len(y))
        self.classes_, codes = np.unique(y if weights is None else y[weights > 0], return_inverse=True)
        if weights is not None:
            codes = np.searchsorted(self.classes_, np.where(np.isin(y, self.classes_), y, self.classes_[0]))
        if len(self.classes_) < 2:
            raise ValueError(
                f"y holds one class, {self.classes_[0]!r}: a classifier needs at least 2 classes to tell apart"
            )
        if self.class_weight is not None:
            balance = compute_sample_weight(self.class_weight, y)
            weights = balance if weights is None else weights * balance
        self._learn(X, codes, weights, Classify.fit)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One pass over these rows. The first call fits the reader on them and needs all `classes` there are."""
        first = not hasattr(self, "model_")
        X = self._inputs(X, reset=first)
        y = column_or_1d(y, warn=True)
        _check_length(X, y)
        weights = checked_weights(sample_weight, len(y))
        if first:
            if classes is None:
                raise ValueError(
                    "the first call of partial_fit needs classes, an array of all that will come"
                )
            self.classes_ = np.unique(classes)
        if len(strange := np.setdiff1d(y, self.classes_)):
            raise ValueError(f"y holds {strange[0]!r}, which is not among the classes {self.classes_}")
        codes = np.searchsorted(self.classes_, y)
        if first:
            task = Classify.fit(np.repeat(np.arange(len(self.classes_)), 2))
            self._learn(X, codes, weights, lambda _: task, **ONE_PASS)
        else:
            self._learn_more(X, codes, weights)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, C) calibrated probabilities, in the order of `classes_`."""
        return self._decoded(X)

    def predict(self, X: Any) -> np.ndarray:
        """(N,) the most probable class of each row."""
        best = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[best])


class DeepRegressor(RegressorMixin, _Deep):  # type: ignore[misc]
    """A network as a scikit-learn regressor. X and options as for `DeepClassifier`; y (N,) numbers."""

    def __init__(
        self,
        *,
        kind: str | None = None,
        like: str | None = None,
        epochs: Positive | None = None,
        budget: Positive | None = None,
        settings: Mapping[str, Any] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.kind = kind
        self.like = like
        self.epochs = epochs
        self.budget = budget
        self.settings = settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on all rows. y (N,) numbers; sample_weight (N,) or None. Returns self."""
        X = self._inputs(X, reset=True)
        y = column_or_1d(y, dtype=np.float64, warn=True)
        if not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinity: leave rows without a target out")
        _check_length(X, y)
        self._learn(X, y, checked_weights(sample_weight, len(y)), Regress.fit)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One pass over these rows. The first call fits the reader and the scale of y on them."""
        first = not hasattr(self, "model_")
        X = self._inputs(X, reset=first)
        y = column_or_1d(y, dtype=np.float64, warn=True)
        _check_length(X, y)
        weights = checked_weights(sample_weight, len(y))
        if first:
            self._learn(X, y, weights, Regress.fit, **ONE_PASS)
        else:
            self._learn_more(X, y, weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(N,) a number for each row, in the unit of y."""
        return self._decoded(X)


def _check_length(X: Any, y: np.ndarray) -> None:
    if len(X) != len(y):
        raise ValueError(f"X has {len(X)} rows and y has {len(y)}: give a target for each row")
    if len(y) < 2:
        raise ValueError(f"found 1 sample (n_samples={len(y)}); at least 2 are needed to learn from")

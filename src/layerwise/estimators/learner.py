"""`FeatureLearner`: levels of features learned from raw data without labels, as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import _check_feature_names, check_is_fitted, validate_data

from layerwise.data import memory_source
from layerwise.errors import DataError, UsageError, shown
from layerwise.estimators.inputs import kind_of, plain, varying
from layerwise.estimators.parameters import RandomState, check_parameters, seed_of
from layerwise.model import Features
from layerwise.nn.options import Positive
from layerwise.workflows import learn_whole

__all__ = ["FeatureLearner"]


class FeatureLearner(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learns features without labels; `transform` gives those of any level.

    X is a path (a folder, an archive, a table, arrays), a list of paths, a matrix (N, F) of numbers (NaN:
    missing), a data frame, pictures (N, H, W[, C]) or series (N, T, C); `kind` (image, sound, text, series,
    table) says which where the guess is wrong. Learning is that of `layerwise learn` on all of X: `method`
    "views" makes two alterations of an example agree, "masked" tells parts that are hidden from the rest, "dbn"
    learns pictures level by level by restricted Boltzmann machines, "auto" takes what suits the kind. `settings`
    changes lines of the recipe (`{"training.rate": 0.01}`), `epochs` or `budget` (seconds) the length.

    There is no score: methods that learn otherwise have losses that do not compare. Search its parameters
    (`GridSearchCV`) within a pipeline that ends in what the features are for.

    Attributes: `features_` (a `layerwise.Features`: `save`, `levels`, `recipe`), `n_features_in_` of a matrix.

    >>> from sklearn.datasets import load_iris
    >>> X, _ = load_iris(return_X_y=True)
    >>> FeatureLearner(epochs=2).fit(X).transform(X[:3]).shape
    (3, 64)
    """

    def __init__(
        self,
        kind: str | None = None,
        *,
        method: str = "auto",
        epochs: Positive | None = None,
        budget: Positive | None = None,
        settings: Mapping[str, Any] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.kind = kind
        self.method = method
        self.epochs = epochs
        self.budget = budget
        self.settings = settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn hands y to every step
        """Learn from all of X; y is ignored. Returns self."""
        check_parameters(self)
        X = self._checked(X, reset=True)
        if isinstance(X, np.ndarray) and len(X) < 2:
            raise UsageError("X has 1 sample, and features are learned from how several differ: give more")
        if plain(X):
            varying(X)
        settings = {
            **({} if self.epochs is None else {"training.epochs": self.epochs}),
            **(self.settings or {}),
        }
        self.features_: Features = learn_whole(
            X,
            kind=self.kind or (kind_of(memory_source(X).columns) if isinstance(X, np.ndarray) else None),
            method=self.method,
            settings=settings,
            budget=self.budget,
            seed=seed_of(self.random_state),
        )
        return self

    def transform(self, X: Any, level: str | None = None) -> np.ndarray:
        """(N, K) float32: the values of a level, by its address ("conv3"); of the last where none is named.

        Maps are laid out flat. Raises UsageError for a level that is not there, DataError for an example that
        cannot be read.
        """
        check_is_fitted(self)
        X, features = self._checked(X, reset=False), self.features_
        if plain(X):  # in float64, where an example's company does not show
            features = replace(features, net=deepcopy(features.net).double())
        codes = features.transform(X, level=level)
        if codes.left_out:
            first = codes.left_out[0]
            raise DataError(
                f"{shown(first.path)} cannot be read: {first.reason}. Leave it out, so that each row that comes"
                " back belongs to one that was given"
            )
        return codes.values.astype(np.float32)

    @property
    def _n_features_out(self) -> int:
        return self.features_.net.spec(self.features_.spec).features

    def _checked(self, X: Any, *, reset: bool) -> Any:
        if plain(X):
            return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
        if hasattr(X, "columns"):
            _check_feature_names(self, X, reset=reset)
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags

"""What estimators that need no labels share: what comes in as X, and how features go back to it."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from layerwise.data import Store
from layerwise.errors import UsageError
from layerwise.estimators.inputs import plain
from layerwise.randomness import Randomness
from layerwise.workflows.unlabelled import Vectors, vectors_of

__all__ = ["Unlabelled"]

STARTS = 100


class Unlabelled(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """A learner of features. X is a matrix of numbers, or raw: pictures in a folder, paths, arrays (N, H, W).

    Its parameters are among those of the class: `kind` and `reading` say how raw X is read. `vectors_`
    turns X into vectors (F,) and back.
    """

    kind: str | None
    reading: Mapping[str, Any] | None
    vectors_: Vectors

    @property
    @abstractmethod
    def _n_features_out(self) -> int:
        """How many features `transform` gives."""

    @abstractmethod
    def transform(self, X: Any) -> np.ndarray:
        """(N, K): the features of each example."""

    @abstractmethod
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Examples like those that were learned from, in their units, from features (N, K)."""

    def reconstruct(self, X: Any) -> np.ndarray:
        """Examples there and back by means, in the units of the training data."""
        return self.inverse_transform(self.transform(X))

    @contextmanager
    def _stored(self, X: Any, *, unit: bool) -> Iterator[Store]:
        """Set `vectors_` by X; its examples, as long as the context lasts."""
        X = self._checked(X, reset=True)
        with tempfile.TemporaryDirectory(prefix="layerwise-") as run:
            self.vectors_, store = vectors_of(
                X, unit=unit, kind=self.kind, reading=self.reading, run=Path(run)
            )
            yield store

    def _some(self, store: Store, seed: int) -> Tensor:
        """At most 100 training vectors, a fair draw, in float32."""
        inputs = self.vectors_.batches(store)(STARTS, Randomness(seed).at("starts")).at(0).inputs
        assert isinstance(inputs, Tensor)
        return inputs

    def _mapped(self, X: Any, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        """`function` of the vectors (n, F) of X, part by part, in float64; float32 where X is."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        with torch.no_grad():
            values = torch.cat([function(v) for v in self.vectors_.read(X)]).numpy()
        return self._as_given(X, values)

    def _restored(self, vectors: Tensor) -> np.ndarray:
        """Vectors (N, F) as examples like those of X."""
        return self.vectors_.restored(vectors)

    def _features(self, H: Any) -> Tensor:
        """Features (N, K) that `transform` gave, checked, in float64."""
        check_is_fitted(self)
        array = np.asarray(H, np.float64)
        if array.ndim != 2 or array.shape[1] != self._n_features_out:
            raise UsageError(
                f"features must be (N, {self._n_features_out}), as transform gives them, got {array.shape}"
            )
        return torch.from_numpy(array)

    def _checked(self, X: Any, *, reset: bool) -> Any:
        if plain(X):
            return validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])
        return X

    def _as_given(self, X: Any, values: np.ndarray) -> np.ndarray:
        single = isinstance(X, np.ndarray) and X.dtype == np.float32
        return values.astype(np.float32) if single else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

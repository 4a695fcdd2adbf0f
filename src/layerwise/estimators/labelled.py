"""What learners without labels gain where some are there: a network begun with their levels, which predicts."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar, cast

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from layerwise.data import Store
from layerwise.errors import UsageError
from layerwise.estimators.unlabelled import Unlabelled
from layerwise.nn import Pipeline

__all__ = ["Labelled", "where"]


F = TypeVar("F", bound=Callable[..., Any])


def where(there: Callable[[Any], bool]) -> Callable[[F], F]:
    """Makes a method be there only where that holds of the learner: scikit-learn asks `hasattr`."""

    def only(method: F) -> F:
        return cast(F, available_if(there)(method))

    return only


def _tunes(learner: Labelled) -> bool:
    return bool(learner.tuning)


class Labelled(Unlabelled):
    """A learner of features that, with y, tunes a network begun with its levels for `tuning` epochs to predict."""

    tuning: float
    net_: Pipeline | None
    classes_: np.ndarray

    @where(_tunes)
    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, C) probabilities, in the order of `classes_`."""
        check_is_fitted(self)
        if self.net_ is None:
            raise UsageError("this network was fitted without y, so it knows no classes: call fit(X, y)")
        net = deepcopy(self.net_).double().eval()
        return self._mapped(X, lambda v: torch.softmax(net(v), 1))

    @where(_tunes)
    def predict(self, X: Any) -> np.ndarray:
        """(N,) the most probable class of each example."""
        best = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[best])

    def _codes(self, y: Any, store: Store) -> np.ndarray:
        """The numbers of the classes of the stored examples; sets `classes_`."""
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        given = len(store) + len(store.rejected)
        if len(y) != given:
            raise UsageError(f"X has {given} rows and y has {len(y)}: give a class for each row")
        self.classes_, codes = np.unique(y[store.rows], return_inverse=True)
        if len(self.classes_) < 2:
            raise UsageError(
                "y holds one class, and a classifier needs at least 2 to tell apart: leave y out for the levels alone"
            )
        return codes

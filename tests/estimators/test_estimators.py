"""The estimators keep scikit-learn's contract, all of it, and take what layerwise reads."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from layerwise import DeepClassifier, DeepRegressor

pytestmark = pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings


@parametrize_with_checks([DeepClassifier(), DeepRegressor()])
def test_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_pickled_and_cloned(iris):
    X, y = iris
    fitted = DeepClassifier(epochs=5).fit(X, y)
    revived = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(fitted.predict_proba(X), revived.predict_proba(X))
    assert not hasattr(clone(fitted), "model_")
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), again.predict_proba(X))


def test_weights_are_repetitions_bit_for_bit(iris):
    X, y = iris
    weights = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = DeepClassifier(epochs=5).fit(X, y, sample_weight=weights)
    repeated = DeepClassifier(epochs=5).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))
    plain = DeepClassifier(epochs=5).fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), weighted.predict_proba(X))


def test_frames_of_both_libraries_agree(iris):
    X, y = iris
    names = ["a", "b", "c", "d"]
    frame = pd.DataFrame(X, columns=names).assign(colour=np.where(X[:, 0] > 5.8, "red", "blue"))
    one = DeepClassifier(epochs=3).fit(frame, y).predict_proba(frame)
    two = DeepClassifier(epochs=3).fit(pl.from_pandas(frame), y).predict_proba(pl.from_pandas(frame))
    np.testing.assert_array_equal(one, two)


def test_class_weight_raises_the_rare_class(iris):
    X, y = iris
    rare = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 2)[:6]]
    even = DeepClassifier(epochs=10).fit(X[rare], y[rare])
    raised = DeepClassifier(epochs=10, class_weight="balanced").fit(X[rare], y[rare])
    assert raised.predict_proba(X)[:, 1].mean() > even.predict_proba(X)[:, 1].mean()


def test_inside_scikit_learn(iris):
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), DeepClassifier(epochs=20))
    search = GridSearchCV(pipeline, {"deepclassifier__settings": [None, {"training.rate": 0.004}]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.8
    assert cross_val_score(DeepRegressor(epochs=20), X[:, :3], X[:, 3], cv=2).shape == (2,)


def test_images(iris):
    digits = load_digits()
    fitted = DeepClassifier(epochs=2).fit(digits.images[:600], digits.target[:600])
    assert fitted.model_.kind.name == "image"
    assert fitted.score(digits.images[600:900], digits.target[600:900]) > 0.5


def test_labels_keep_their_type(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    fitted = DeepClassifier(epochs=3).fit(X, names)
    assert set(fitted.predict(X)) <= set(names)
    assert fitted.classes_.tolist() == ["setosa", "versicolor", "virginica"]


def test_partial_fit_learns_from_rows_that_come_in_parts(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(len(y))
    streamed = DeepClassifier(settings={"training.batch": 8})
    for turn in range(12):
        for part in np.array_split(order, 3):
            streamed.partial_fit(X[part], y[part], classes=[0, 1, 2])
        if turn == 0:
            early = streamed.score(X, y)
    assert streamed.score(X, y) > max(0.85, early - 0.01)
    with pytest.raises(ValueError, match="needs classes"):
        DeepClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="not among the classes"):
        streamed.partial_fit(X, y + 1)

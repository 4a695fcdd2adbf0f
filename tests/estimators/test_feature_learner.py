"""`FeatureLearner` keeps scikit-learn's contract, and learns from raw files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import layerwise
from layerwise.errors import DataError, UsageError
from layerwise.estimators import FeatureLearner


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings
@parametrize_with_checks([FeatureLearner(epochs=2)])
def test_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def pictures():
    digits = load_digits()
    return digits.images[:600].astype(np.uint8) * 15, digits.target[:600]


@pytest.fixture(scope="module")
def learner(pictures):
    X, _ = pictures
    return FeatureLearner("image", epochs=6).fit(X[:400])


def test_features_tell_more_than_those_of_first_weights(pictures, learner):
    X, y = pictures
    untrained = FeatureLearner("image", settings={"training.steps": 1, "training.rate": 1e-9}).fit(X[:400])

    def right(features):
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        probe.fit(features.transform(X[:100]), y[:100])
        return probe.score(features.transform(X[400:]), y[400:])

    assert right(learner) > right(untrained)


def test_levels_by_name(pictures, learner):
    X, _ = pictures
    names = [name for name, _ in learner.features_.net.stages()]
    assert learner.transform(X[:3], level="conv2").shape[0] == 3
    np.testing.assert_array_equal(learner.transform(X[:3]), learner.transform(X[:3], level=names[-1]))
    with pytest.raises(UsageError, match=r"no level 'conv9'.*conv2"):
        learner.transform(X[:3], level="conv9")
    assert len(learner.get_feature_names_out()) == learner.transform(X[:3]).shape[1]


def test_level_by_level(pictures):
    X, _ = pictures
    assert FeatureLearner(method="dbn", epochs=1).fit(X[:60]).transform(X[:3]).shape[0] == 3
    with pytest.raises(
        UsageError, match=r"so many epochs a level: set training.epochs, and leave the budget out"
    ):
        FeatureLearner(method="dbn", budget=4).fit(X[:60])


def test_from_a_folder_and_back(pictures, tmp_path: Path):
    X, _ = pictures
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(40):
        Image.fromarray(X[i]).save(folder / f"{i:03}.png")
    learner = layerwise.FeatureLearner("image", epochs=1).fit(str(folder))
    codes = learner.transform(str(folder))
    assert codes.shape[0] == 40
    learner.features_.save(tmp_path / "features")
    again = layerwise.load(tmp_path / "features")
    np.testing.assert_array_equal(again.transform(str(folder)).values, codes)
    (folder / "040.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="040"):
        learner.transform(str(folder))
    assert len(again.transform(str(folder)).left_out) == 1

"""`Autoencoder` keeps scikit-learn's contract, and takes matrices and raw files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from layerwise import Autoencoder
from layerwise.errors import UsageError


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings
@parametrize_with_checks(
    [
        Autoencoder([6, 2], epochs=2),
        Autoencoder([6, 2], epochs=2, pretrain="stack", noise=0.2),
        Autoencoder([6, 2], epochs=2, variational=True),
        Autoencoder([6, 2], epochs=2, pretrain="rbm", visible="gaussian", noise=0.2, sparsity=0.2),
    ]
)
def test_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.data, data.target, data.images


@pytest.fixture(scope="module")
def fitted(digits):
    return Autoencoder([64, 8], epochs=25).fit(digits[0][:1500])


def test_codes_bring_back_more_than_principal_components(digits, fitted):
    X = digits[0]
    held = X[1500:]
    codes = fitted.transform(held)
    back = fitted.inverse_transform(codes)
    assert codes.shape == (297, 8)
    assert back.shape == held.shape
    pca = PCA(8).fit(X[:1500])
    by_pca = np.square(pca.inverse_transform(pca.transform(held)) - held).sum(1).mean()
    assert np.square(back - held).sum(1).mean() < 0.85 * by_pca


def test_scores_are_minus_the_squared_error_of_vectors(digits, fitted):
    held = digits[0][1500:]
    back = fitted.inverse_transform(fitted.transform(held))
    spread = fitted.vectors_.spread
    np.testing.assert_array_equal(fitted.reconstruct(held), back)
    np.testing.assert_allclose(
        fitted.score_samples(held), -np.square((back - held) / spread).sum(1), rtol=1e-9
    )
    assert fitted.score(held) == pytest.approx(fitted.score_samples(held).mean())


def test_pretrained_and_tuned_by_conjugate_gradients(digits):
    X = digits[0]
    begun = Autoencoder([32, 8], pretrain="rbm", epochs=15).fit(X[:1500])
    back = begun.inverse_transform(begun.transform(X[1500:]))
    share = np.square(back - X[1500:]).sum() / np.square(X[1500:] - X[:1500].mean(0)).sum()
    assert share < 0.4


@pytest.mark.parametrize("pretrain", [None, "stack", "rbm"])
def test_bottleneck_then_tuning_in_one_call(digits, pretrain):
    """A code of two units, then tuned with labels: the classes are told apart, the code stays that of X."""
    X, y, _ = digits
    names = np.array([f"digit {label}" for label in y])
    options = {"pretrain": pretrain, "epochs": 10, "random_state": 1}
    tuned = Autoencoder([64, 2], tuning=30, **options).fit(X[:1200], names[:1200])
    assert (tuned.predict(X[1200:]) == names[1200:]).mean() > 0.65
    np.testing.assert_allclose(tuned.predict_proba(X[:5]).sum(1), 1)
    alone = Autoencoder([64, 2], **options).fit(X[:1200])
    np.testing.assert_array_equal(tuned.transform(X[:9]), alone.transform(X[:9]))
    assert not hasattr(alone, "predict")


def test_tuning_needs_classes(digits):
    X, y, _ = digits
    with pytest.raises(UsageError, match=r"call fit\(X, y\)"):
        Autoencoder([4], epochs=1, tuning=1).fit(X[:50]).predict(X[:5])
    with pytest.raises(UsageError, match="50 rows and y has 49"):
        Autoencoder([4], epochs=1, tuning=1).fit(X[:50], y[:49])
    with pytest.raises(UsageError, match="holds one class"):
        Autoencoder([4], epochs=1, tuning=1).fit(X[:50], np.zeros(50))


def test_real_values_come_back_in_their_units(digits):
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 2)) @ draw.normal(size=(2, 10)) * 1000 + 5000
    fitted = Autoencoder([16, 2], visible="gaussian", epochs=60).fit(X)
    back = fitted.inverse_transform(fitted.transform(X))
    assert np.square(back - X).sum() < 0.2 * np.square(X - X.mean(0)).sum()


def test_pictures_from_files_and_from_arrays_agree(digits, tmp_path):
    images = (digits[2][:60] * 15).astype(np.uint8)
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
    paths = sorted(str(p) for p in tmp_path.iterdir())
    raw = Autoencoder([12, 4], epochs=3).fit(paths)
    same = Autoencoder([12, 4], epochs=3).fit(images)
    np.testing.assert_allclose(raw.transform(paths), same.transform(images), atol=1e-6)
    np.testing.assert_allclose(raw.transform(str(tmp_path)), raw.transform(paths))
    back = raw.inverse_transform(raw.transform(paths))
    assert back.shape == images.shape
    assert 0 <= back.min() < back.max() <= 255


def test_one_seed_one_answer(digits):
    X = digits[0][:200]
    one, two, other = (
        Autoencoder([16, 4], epochs=2, noise=0.3, random_state=seed).fit(X).transform(X) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, other)


def test_cloned_pickled_and_in_a_pipeline(digits, fitted):
    X, y, _ = digits
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X[:50]), fitted.transform(X[:50]))
    assert not hasattr(clone(fitted), "encoder_")
    assert list(fitted.get_feature_names_out())[:2] == ["autoencoder0", "autoencoder1"]
    model = make_pipeline(Autoencoder([32, 10], epochs=4), LogisticRegression(max_iter=2000))
    search = GridSearchCV(model, {"autoencoder__noise": [0.0, 0.2]}, cv=2).fit(X[:600], y[:600])
    assert search.best_score_ > 0.6


# ---- variational


@pytest.fixture(scope="module")
def variational(digits):
    return Autoencoder([64, 8], epochs=25, variational=True).fit(digits[0][:1500])


def test_new_digits_are_nearer_to_digits_than_noise_the_mean_or_what_other_codes_give(
    digits, fitted, variational
):
    X, draw = digits[0][:1500], np.random.default_rng(0)
    near = NearestNeighbors(n_neighbors=1).fit(X)
    made = {
        "samples": variational.sample(300, random_state=1),
        "noise": draw.normal(X.mean(0), X.std(0), size=(300, 64)).clip(0, 16),
        "mean": X.mean(0, keepdims=True),
        "of a plain one": fitted.inverse_transform(draw.normal(size=(300, 8))),
    }
    distances = {name: near.kneighbors(values)[0].mean() for name, values in made.items()}
    assert min(distances, key=distances.get) == "samples"
    assert distances["samples"] < 0.75 * distances["noise"]
    assert made["samples"].min() >= 0
    assert made["samples"].max() <= 16


def test_codes_of_examples_are_about_standard_normal_and_bring_them_back(digits, variational):
    held = digits[0][1500:]
    codes = variational.transform(held)
    assert codes.shape == (297, 8)
    assert np.abs(codes.mean(0)).max() < 0.3
    assert np.all(codes.std(0) < 1.2)
    back = variational.inverse_transform(codes)
    assert np.square(back - held).sum() < 0.5 * np.square(held - digits[0][:1500].mean(0)).sum()
    np.testing.assert_array_equal(variational.score_samples(held), variational.score_samples(held))


def test_samples_are_of_their_seed_and_only_of_a_variational_one(digits, fitted, variational):
    one, same, other = (variational.sample(4, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    again = pickle.loads(pickle.dumps(variational))
    np.testing.assert_array_equal(again.sample(4), one)
    assert clone(variational).variational
    assert not hasattr(fitted, "sample")
    with pytest.raises(NotFittedError):
        clone(variational).sample()
    with pytest.raises(UsageError, match="n must be a whole number from 1, got '0'"):
        variational.sample(0)


def test_new_codes_are_standard_normal(variational, monkeypatch):
    monkeypatch.setattr(Autoencoder, "inverse_transform", lambda _, codes: codes)
    codes = np.asarray(variational.sample(20_000))
    np.testing.assert_allclose(codes.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(8), atol=0.05)


def test_new_pictures_look_like_those_given(digits):
    images = (digits[2][:60] * 15).astype(np.uint8)
    fitted = Autoencoder([12, 4], epochs=2, variational=True).fit(images)
    assert fitted.sample(3).shape == (3, 8, 8)


def test_a_variational_one_is_tuned_from_its_means(digits):
    X, y, _ = digits
    tuned = Autoencoder([64, 8], variational=True, epochs=10, tuning=20).fit(X[:1200], y[:1200])
    assert (tuned.predict(X[1200:]) == y[1200:]).mean() > 0.8
    assert tuned.net_(torch.zeros(2, 64)).shape == (2, 10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": []}, "width of its code"),
        ({"widths": [8, 0]}, "widths of Autoencoder"),
        ({"widths": [4], "pretrain": "dbn"}, "'rbm', 'stack' or None"),
        ({"widths": [4], "visible": "relu"}, "'bernoulli', 'gaussian'"),
        ({"widths": [4], "sparsity": 2}, "between 0 and 1"),
        ({"widths": [4], "noise": -0.1}, "at least 0"),
        ({"widths": [4], "noise": 0.2, "variational": True}, "leave that out, or variational"),
    ],
)
def test_what_cannot_be_is_refused(digits, options, words):
    with pytest.raises(UsageError, match=words):
        Autoencoder(**options).fit(digits[0])


def test_codes_of_another_width_are_refused(fitted):
    with pytest.raises(UsageError, match=r"\(N, 8\)"):
        fitted.inverse_transform(np.zeros((3, 5)))

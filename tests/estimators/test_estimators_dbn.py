"""`DeepBeliefNetwork` keeps scikit-learn's contract, dreams like the data and tells classes apart."""

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from layerwise.energy import configurations
from layerwise.errors import UsageError
from layerwise.estimators import DeepBeliefNetwork


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings
@parametrize_with_checks([DeepBeliefNetwork([16, 12], epochs=5, tuning=10)])
def test_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


@pytest.fixture(scope="module")
def tuned(digits):
    X, y = digits
    return DeepBeliefNetwork([96, 48]).fit(X[:1300], y[:1300])


def test_tells_classes_apart(digits, tuned):
    X, y = digits
    assert tuned.score(X[1300:], y[1300:]) > 0.94
    chances = tuned.predict_proba(X[1300:])
    np.testing.assert_allclose(chances.sum(1), 1)
    names = np.array(list("abcdefghij"))[y]
    named = clone(tuned).set_params(epochs=2, tuning=2).fit(X[:300], names[:300])
    assert set(named.predict(X[300:400])) <= set(names)


def test_dropout_tunes_too(digits):
    X, y = digits
    dropped = DeepBeliefNetwork([48], epochs=5, tuning=60, dropout=0.2).fit(X[:1300], y[:1300])
    assert dropped.score(X[1300:], y[1300:]) > 0.87
    assert [name for name, _ in dropped.net_.stages()] == ["noise", "code", "answer"]
    assert dropped.net_.code.dropout == 0.2


def test_the_network_begins_with_the_stack(digits, tuned):
    """Its levels are still near those of the stack after one batch of tuning, and further off after many."""
    X, y = digits
    barely = DeepBeliefNetwork([96, 48], tuning=1).fit(X[:1300], y[:1300])
    np.testing.assert_array_equal(barely.transform(X[:50]), tuned.transform(X[:50]))  # of the density of X
    distances = []
    for dbn in (barely, tuned):
        v = next(dbn.vectors_.read(X[:50])).float()
        code = dict(dbn.net_.levels(v))["code"].detach().numpy()
        distances.append(np.abs(code - dbn.transform(X[:50])).mean())
    assert distances[0] < 0.1
    assert distances[0] < 0.7 * distances[1]


def test_features_without_labels_keep_the_digits(digits):
    X, y = digits
    alone = make_pipeline(DeepBeliefNetwork([96, 48], epochs=20), LogisticRegression(max_iter=1000))
    dbn = alone.fit(X[:1300], y[:1300])[0].set_params()
    assert alone.score(X[1300:], y[1300:]) > 0.88
    features = DeepBeliefNetwork([96, 48], epochs=20).fit(X[:1300]).transform(X[1300:])
    np.testing.assert_array_equal(features, dbn.transform(X[1300:]))
    back = dbn.inverse_transform(features)
    error = ((back - X[1300:]) ** 2).sum() / ((X[1300:] - X[:1300].mean(0)) ** 2).sum()
    assert error < 0.6
    np.testing.assert_allclose(dbn.reconstruct(X[1300:]), back)


def test_dreams_are_told_from_noise_and_repeat(digits, tuned):
    """A classifier of the data against independent pixels takes what comes down for data."""
    X, _ = digits
    unit = X[:1300] / np.maximum(X[:1300].max(0), 1)
    rng = np.random.default_rng(0)
    bits = (rng.random(unit.shape) < unit).astype(float)
    noise = (rng.random(unit.shape) < unit.mean(0)).astype(float)
    dreams = tuned.sample(300, sweeps=200) / np.maximum(X[:1300].max(0), 1)
    assert set(np.unique(dreams)) <= {0.0, 1.0}
    both = lambda x: np.hstack([x, (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)])  # noqa: E731
    judge = LogisticRegression(C=0.01, max_iter=300).fit(
        both(np.vstack([bits, noise])), np.r_[np.ones(1300), np.zeros(1300)]
    )
    assert judge.predict(both(dreams)).mean() > 0.6
    np.testing.assert_array_equal(tuned.sample(2, sweeps=3), tuned.sample(2, sweeps=3))
    assert (tuned.sample(2, sweeps=3) != tuned.sample(2, sweeps=4)).any()
    near = np.abs(tuned.starts_.numpy()[:, None] - unit).max(2).min(1)  # chains start at training examples
    assert len(near) == 100
    assert near.max() < 1e-6


def test_pickled_and_cloned(digits, tuned):
    X, y = digits
    revived = pickle.loads(pickle.dumps(tuned))
    np.testing.assert_array_equal(tuned.predict_proba(X), revived.predict_proba(X))
    small = DeepBeliefNetwork([12], epochs=2, tuning=2)
    one, two = (clone(small).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert list(tuned.get_feature_names_out()[:1]) == ["deepbeliefnetwork0"]


def test_a_folder_of_pictures(tmp_path):
    digits = load_digits()
    for i, picture in enumerate(digits.images[:120]):
        Image.fromarray(np.round(picture * 15).astype(np.uint8)).save(tmp_path / f"{i:03}.png")
    (tmp_path / "050.png").write_bytes(b"no picture")  # its label goes with it
    fitted = DeepBeliefNetwork([32], epochs=5, tuning=20).fit(tmp_path, digits.target[:120])
    known = np.round(digits.images[:120] * 15).astype(np.uint8)
    assert fitted.score(known, digits.target[:120]) > 0.9
    assert fitted.sample(2, sweeps=2).shape == (2, 8, 8)


def test_what_cannot_be_is_refused(digits):
    X, y = digits
    alone = DeepBeliefNetwork([8], epochs=1).fit(X)
    with pytest.raises(UsageError, match="fitted without y"):
        alone.predict(X)
    with pytest.raises(UsageError, match="X has 1797 rows and y has 5"):
        DeepBeliefNetwork([8]).fit(X, y[:5])
    with pytest.raises(UsageError, match="one class"):
        DeepBeliefNetwork([8]).fit(X, np.zeros(len(y)))
    with pytest.raises(UsageError, match="width"):
        DeepBeliefNetwork([]).fit(X)


def test_digits_are_likelier_than_noise(digits, tuned):
    X, _ = digits
    noise = np.random.default_rng(0).permuted(X[1300:], axis=1)
    scores = tuned.score_samples(X[1300:])
    np.testing.assert_array_equal(scores, tuned.score_samples(X[1300:]))
    assert np.mean(scores > tuned.score_samples(noise)) > 0.99


def bits(count):
    """Every state of so many units of 0 or 1, which stay as they are when they are learned from."""
    return configurations(count).numpy().astype(float)


@pytest.mark.parametrize("widths", [[4], [4, 3], [5, 4, 3]])
def test_scores_less_log_z_bound_the_density_of_every_state(widths):
    """Of six bits, whose probabilities sum to 1: those that a bound gives do not exceed it, of one machine are it."""
    X = np.repeat(np.random.default_rng(0).integers(0, 2, (200, 3)), 2, axis=1).astype(float)
    dbn = DeepBeliefNetwork(widths, epochs=30).fit(X)
    exact = dbn.log_partition()
    assert exact.low == exact.value == exact.high
    annealed = dbn.log_partition("ais")
    assert annealed.low - 0.01 <= exact.value <= annealed.high + 0.01
    total = np.exp(dbn.score_samples(bits(6)) - exact.value).sum()
    assert 0.5 < total < 1 + 1e-9
    if len(widths) == 1:
        assert total == pytest.approx(1, abs=1e-9)


def test_log_z_is_that_of_the_topmost_machine():
    """Counted state by state of both its layers."""
    X = np.random.default_rng(0).integers(0, 2, (200, 6)).astype(float)
    dbn = DeepBeliefNetwork([5, 3], epochs=3).fit(X)
    top = dbn.stack_.code
    weight, b, c = (p.detach().double().numpy() for p in (top.weight, top.visible_bias, top.hidden_bias))
    v, h = bits(5), bits(3)
    minus_energies = (v @ b)[:, None] + (h @ c)[None] + v @ weight @ h.T
    assert dbn.log_partition().value == pytest.approx(np.logaddexp.reduce(minus_energies, None), abs=1e-9)


def test_score_needs_no_labels(digits):
    """A search over parameters scores by it."""
    X, y = (part[:100] for part in digits)
    dbn = DeepBeliefNetwork([8, 6], epochs=1, tuning=1).fit(X, y)
    assert dbn.score(X) == pytest.approx(dbn.score_samples(X).mean())
    assert dbn.score(X, y) == (dbn.predict(X) == y).mean()

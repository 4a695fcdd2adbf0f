"""`DeepBoltzmannMachine` keeps scikit-learn's contract, bounds the data's density and tells classes apart."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from layerwise.energy import configurations, exact_log_partition
from layerwise.errors import UsageError
from layerwise.estimators import DeepBoltzmannMachine


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings
@parametrize_with_checks([DeepBoltzmannMachine([12, 8], epochs=3, tuning=10)])
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
    return DeepBoltzmannMachine([48, 32], epochs=15).fit(X[:1300], y[:1300])


def test_tells_classes_apart(digits, tuned):
    X, y = digits
    assert tuned.score(X[1300:], y[1300:]) > 0.94
    np.testing.assert_allclose(tuned.predict_proba(X[1300:]).sum(1), 1)
    assert list(tuned.get_feature_names_out()[:1]) == ["deepboltzmannmachine0"]


def test_the_network_begins_with_the_machine(digits, tuned):
    """Its levels are still near mean field after one batch of tuning, and further off after many."""
    X, y = digits
    barely = clone(tuned).set_params(tuning=1).fit(X[:1300], y[:1300])
    np.testing.assert_array_equal(barely.transform(X[:50]), tuned.transform(X[:50]))  # of the density of X
    distances = []
    for dbm in (barely, tuned):
        v = next(dbm.vectors_.read(X[:50])).float()
        first = dict(dbm.net_.levels(v))["level1"]
        distances.append((first - dbm.machine_.posterior(v)[0]).abs().mean().item())
    assert distances[0] < 0.1
    assert distances[0] < 0.7 * distances[1]


def test_dropout_tunes_too(digits):
    X, y = digits
    dropped = DeepBoltzmannMachine([48, 32], epochs=10, tuning=60, dropout=0.2).fit(X[:1300], y[:1300])
    assert dropped.score(X[1300:], y[1300:]) > 0.9
    assert [type(s).__name__ for _, s in dropped.net_.stages()][:2] == ["Joined", "Dropout"]


def test_features_keep_the_digits(digits, tuned):
    X, y = digits
    features = tuned.transform(X)
    alone = LogisticRegression(max_iter=1000).fit(features[:1300], y[:1300])
    assert alone.score(features[1300:], y[1300:]) > 0.85
    back = tuned.inverse_transform(features)
    error = ((back - X) ** 2).sum() / ((X - X.mean(0)) ** 2).sum()
    assert error < 0.8
    np.testing.assert_array_equal(tuned.reconstruct(X), back)


def test_scores_bound_the_log_likelihood(digits):
    """Of a machine of 10 hidden units, whose free energies and log Z are sums."""
    X, _ = digits
    small = DeepBoltzmannMachine([6, 4], epochs=3).fit(X[:300])
    machine = small.machine_.double()
    v = torch.cat(list(small.vectors_.read(X[:40])))
    log_z = small.log_partition().value
    assert log_z == exact_log_partition(machine.halves()).value
    annealed = small.log_partition("ais")
    assert annealed.low - 0.01 <= log_z <= annealed.high + 0.01
    h2 = torch.tensor([[i >> k & 1 for k in range(4)] for i in range(16)]).double()
    exact = torch.stack([-machine.free_energy([v, h.expand(40, 4)]) for h in h2]).logsumexp(0) - log_z
    bound = small.score_samples(X[:40]) - log_z
    assert (bound <= exact.detach().numpy() + 1e-9).all()
    assert (exact.detach().numpy() - bound).mean() < 1
    np.testing.assert_array_equal(small.score_samples(X[:40]), small.score_samples(X[:40]))


def test_log_z_is_the_sum_over_all_states():
    """Of 4 + 3 + 2 units, counted state by state."""
    X = np.random.default_rng(0).integers(0, 2, (100, 4)).astype(float)
    dbm = DeepBoltzmannMachine([3, 2], epochs=2).fit(X)
    states = configurations(9).double()
    energies = dbm.machine_.double().energy(list(states.split([4, 3, 2], 1)))
    assert dbm.log_partition().value == pytest.approx((-energies).logsumexp(0).item(), abs=1e-9)


def test_samples_are_states_and_repeat(digits, tuned):
    X, _ = digits
    full = np.maximum(X[:1300].max(0), 1)
    dreams, unit = tuned.sample(200, sweeps=100) / full, X[:1300] / full
    assert set(np.unique(dreams)) <= {0.0, 1.0}
    scale = np.linalg.norm(unit.mean(0))
    assert np.linalg.norm(dreams.mean(0) - unit.mean(0)) < 0.35 * scale
    np.testing.assert_array_equal(tuned.sample(2, sweeps=3), tuned.sample(2, sweeps=3))
    assert (tuned.sample(2, sweeps=3) != tuned.sample(2, sweeps=4)).any()


def test_pickled_and_cloned(digits, tuned):
    X, y = digits
    revived = pickle.loads(pickle.dumps(tuned))
    np.testing.assert_array_equal(tuned.predict_proba(X), revived.predict_proba(X))
    state = torch.get_rng_state()
    one, two = (
        DeepBoltzmannMachine([12, 6], epochs=1, tuning=2).fit(X, y).predict_proba(X) for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_folder_of_pictures(tmp_path):
    digits = load_digits()
    for i, picture in enumerate(digits.images[:120]):
        Image.fromarray(np.round(picture * 15).astype(np.uint8)).save(tmp_path / f"{i:03}.png")
    (tmp_path / "050.png").write_bytes(b"no picture")  # its label goes with it
    fitted = DeepBoltzmannMachine([32, 16], epochs=3, tuning=20).fit(tmp_path, digits.target[:120])
    known = np.round(digits.images[:120] * 15).astype(np.uint8)
    assert fitted.score(known, digits.target[:120]) > 0.9
    assert fitted.sample(2, sweeps=2).shape == (2, 8, 8)


def test_what_cannot_be_is_refused(digits):
    X, _ = digits
    with pytest.raises(UsageError, match="fitted without y"):
        DeepBoltzmannMachine([8, 4], epochs=1).fit(X[:100]).predict(X)
    with pytest.raises(UsageError, match="at least 2 layers"):
        DeepBoltzmannMachine([8]).fit(X)
    with pytest.raises(UsageError, match="dropout of DeepBoltzmannMachine must be a number from 0 to"):
        DeepBoltzmannMachine([8, 4], dropout=1).fit(X)

"""`RBM` keeps scikit-learn's contract, and its densities are those of enumeration."""

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from layerwise.energy import configurations
from layerwise.errors import DataError, UsageError
from layerwise.estimators import RBM


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings
@parametrize_with_checks([RBM(8), RBM(8, visible="gaussian", hidden="relu", method="pcd")])
def test_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    return load_digits().data


@pytest.fixture(scope="module")
def small():
    """A machine of few units on bits, of which all states can be counted."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 2, (200, 3)), 3, axis=1).astype(float)  # three bits, each thrice
    return X, RBM(4, epochs=200).fit(X)


def test_score_is_the_log_density_up_to_log_z(small):
    X, rbm = small
    states = configurations(9).numpy().astype(float)
    scores = rbm.score_samples(states)
    exact = rbm.log_partition()
    assert np.logaddexp.reduce(scores) == pytest.approx(exact.value, abs=1e-9)
    np.testing.assert_array_equal(scores, rbm.score_samples(states))
    weight, b, c = (
        p.detach().double().numpy()
        for p in (rbm.machine_.weight, rbm.machine_.visible_bias, rbm.machine_.hidden_bias)
    )
    hidden = configurations(4).numpy().astype(float)
    joint = states @ b + (states @ weight @ hidden.T + hidden @ c).T  # minus energies, (hidden, visible)
    np.testing.assert_allclose(rbm.free_energy(states), -np.logaddexp.reduce(joint, 0), atol=1e-6)
    assert rbm.score(X) - exact.value > -4  # of independent bits -6.2, of the truth -2.1


def test_annealing_finds_log_z_within_its_error_bar(small):
    _, rbm = small
    exact, annealed = rbm.log_partition(), rbm.log_partition(method="ais")
    assert annealed.low <= exact.value <= annealed.high
    assert annealed.value == pytest.approx(exact.value, abs=0.1)
    assert rbm.log_partition("ais") == annealed
    assert rbm.log_partition("ais", random_state=1) != annealed


def test_categories_one_of_each_group(digits):
    """Three columns of three categories that mostly agree."""
    rng = np.random.default_rng(0)
    columns = np.where(rng.random((900, 3)) < 0.1, rng.integers(0, 3, (900, 3)), rng.integers(0, 3, (900, 1)))
    X = np.eye(3)[columns].reshape(900, 9)
    rbm = RBM(6, visible="softmax", categories=3, epochs=60).fit(X)
    states = np.eye(3)[np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), axis=1)].reshape(27, 9)
    z = rbm.log_partition()
    assert np.logaddexp.reduce(rbm.score_samples(states)) == pytest.approx(z.value, abs=1e-9)
    shares = np.unique(columns, axis=0, return_counts=True)[1] / 900
    truth = (shares * np.log(shares)).sum()
    assert truth - 0.3 < rbm.score(X) - z.value <= truth + 1e-9  # independent columns: -3.3
    drawn = rbm.sample(600, sweeps=50).reshape(600, 3, 3)
    np.testing.assert_array_equal(drawn.sum(2), 1)
    agree = [(c == c[:, :1]).all(1).mean() for c in (columns, drawn.argmax(2))]
    assert agree[1] == pytest.approx(agree[0], abs=0.2)  # by chance a ninth
    np.testing.assert_allclose(rbm.reconstruct(X[:5]).reshape(5, 3, 3).sum(2), 1)
    with pytest.raises(DataError, match=r"columns 1 to 4 of X sum to .* a row on average, expected 1"):
        RBM(4, visible="softmax", categories=4).fit(digits)
    for wrong in ({"visible": "softmax"}, {"categories": 3}):
        with pytest.raises(UsageError, match="categories belong to softmax visible units"):
            RBM(4, **wrong).fit(X)


def test_samples_are_like_the_data(small):
    X, rbm = small
    drawn = rbm.sample(500, sweeps=100)
    assert drawn.shape == (500, 9)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    thrice = drawn.reshape(500, 3, 3)
    assert (thrice == thrice[:, :, :1]).all(2).mean() > 0.85  # of independent bits, a quarter
    np.testing.assert_allclose(drawn.mean(0), X.mean(0), atol=0.25)
    np.testing.assert_array_equal(drawn, rbm.sample(500, sweeps=100))
    assert (drawn != rbm.sample(500, sweeps=100, random_state=1)).any()
    assert (drawn != rbm.sample(500, sweeps=99)).any()


@pytest.mark.parametrize(("method", "epochs"), [("cd", 10), ("pcd", 30), ("tempering", 20)])
def test_every_method_learns_a_density(digits, method, epochs):
    """Better by far than independent pixels, each with its own mean, on examples held out."""
    rbm = RBM(12, method=method, epochs=epochs).fit(digits[:1500])
    learned = rbm.score(digits[1500:]) - rbm.log_partition().value
    p = rbm.vectors_.means.clip(1e-3, 1 - 1e-3)
    held = digits[1500:] / np.maximum(digits[:1500].max(0), 1)
    independent = (held * np.log(p) + (1 - held) * np.log1p(-p)).sum(1).mean()
    assert learned > independent + 1


def test_every_option_of_learning_is_heard(digits):
    """Each changes what is learned from the same seed."""
    options = [
        {}, {"method": "pcd", "rate": 0.1}, {"method": "tempering", "rate": 0.1}, {"k": 2}, {"epochs": 2},
        {"batch": 50}, {"rate": 0.05}, {"momentum": 0.6}, {"decay": 0.01}, {"sparsity": 0.1},
        {"hidden": "relu", "rate": 0.1}, {"visible": "gaussian", "rate": 0.1}, {"random_state": 1},
    ]  # fmt: skip
    weights = [
        RBM(4, **{"epochs": 1, **one}).fit(digits[:400]).machine_.weight.detach().numpy() for one in options
    ]
    assert len({w.tobytes() for w in weights}) == len(options)


def test_sparsity_makes_units_rare(digits):
    plain, sparse = (
        RBM(16, epochs=15, sparsity=s).fit(digits).transform(digits).mean() for s in (None, 0.05)
    )
    assert sparse < 0.7 * plain


def test_reconstructions_are_in_the_units_of_the_data(digits):
    shifted = 100 + 3 * digits
    rbm = RBM(48, visible="gaussian", epochs=10).fit(shifted[:1500])
    back = rbm.reconstruct(shifted[1500:])
    error = ((back - shifted[1500:]) ** 2).sum() / ((shifted[1500:] - shifted[:1500].mean(0)) ** 2).sum()
    assert error < 0.55
    np.testing.assert_allclose(rbm.inverse_transform(rbm.transform(shifted[1500:])), back, atol=1e-9)
    assert rbm.sample(20, sweeps=20).mean() == pytest.approx(shifted.mean(), rel=0.1)


def test_data_from_0_to_1_stay_as_they_are_and_others_are_moved_there(digits):
    unit = digits / 16
    one, other = RBM(4, epochs=1).fit(unit), RBM(4, epochs=1).fit(digits)
    np.testing.assert_array_equal(one.vectors_.spread, 1)
    np.testing.assert_array_equal(other.vectors_.spread, np.where(digits.max(0) > 0, digits.max(0), 1))
    assert one.transform(unit).dtype == np.float64
    assert one.transform(unit.astype(np.float32)).dtype == np.float32


def test_pickled_and_cloned(digits):
    fitted = RBM(8, method="pcd", epochs=2).fit(digits)
    revived = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(fitted.transform(digits), revived.transform(digits))
    np.testing.assert_array_equal(clone(fitted).fit(digits).transform(digits), fitted.transform(digits))
    seeded = clone(fitted).set_params(random_state=1).fit(digits)
    assert (seeded.transform(digits) != fitted.transform(digits)).any()
    assert fitted.get_feature_names_out()[0] == "rbm0"


def test_pictures_from_arrays_and_from_a_folder_are_one_machine(tmp_path):
    pictures = np.round(load_digits().images[:200] * 15).astype(np.uint8)  # 8 bits
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i:03}.png")
    paths = sorted(str(p) for p in tmp_path.iterdir())
    fitted = RBM(8, epochs=2).fit(pictures)
    np.testing.assert_array_equal(fitted.vectors_.spread, 255)
    for raw in (str(tmp_path), tmp_path, paths):
        np.testing.assert_array_equal(RBM(8, epochs=2).fit(raw).transform(raw), fitted.transform(pictures))
    assert fitted.sample(3, sweeps=5).shape == (3, 8, 8)
    assert fitted.reconstruct(paths[:2]).shape == (2, 8, 8)
    small = RBM(8, epochs=1, reading={"size": 4}).fit(tmp_path)
    assert small.reconstruct(pictures).shape == (200, 4, 4)


def test_a_picture_that_cannot_be_read(tmp_path):
    pictures = np.round(load_digits().images[:30] * 15).astype(np.uint8)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i:03}.png")
    (tmp_path / "030.png").write_bytes(b"no picture")
    fitted = RBM(4, epochs=1).fit(tmp_path)  # left out
    assert fitted.transform(pictures).shape == (30, 4)
    with pytest.raises(DataError, match=r"'030.png' cannot be read.*Leave it out"):
        fitted.transform(tmp_path)


def test_what_cannot_be_is_refused(digits):
    for wrong, words in [
        ({"method": "pdc"}, "no method 'pdc'; did you mean 'pcd'"),
        ({"visible": "gauss"}, "one of 'bernoulli', 'gaussian', 'softmax', got 'gauss'"),
        ({"method": "tempering", "hidden": "relu"}, "rectified"),
        ({"sparsity": 2}, "between 0 and 1"),
    ]:
        with pytest.raises(UsageError, match=words):
            RBM(4, **wrong).fit(digits)
    fitted = RBM(4, hidden="relu", epochs=1).fit(digits)
    with pytest.raises(UsageError, match="rectified units"):
        fitted.log_partition()
    with pytest.raises(UsageError, match="'exact' or 'ais', got 'guess'"):
        fitted.log_partition("guess")
    with pytest.raises(UsageError, match=r"\(N, 4\), as transform gives them, got \(2, 3\)"):
        fitted.inverse_transform(np.zeros((2, 3)))
    with pytest.raises(UsageError, match=r'2\^30 states.*estimate it by log_partition\("ais"\)'):
        RBM(30, epochs=1).fit(digits).log_partition()
    with pytest.raises(UsageError, match=r"fitted on a matrix \(N, 64\) of numbers, got '\(2, 8, 8\)'"):
        fitted.transform(np.zeros((2, 8, 8)))
    with pytest.raises(UsageError, match="got 'str'"):
        fitted.transform("photos/")
    with pytest.raises(DataError, match="texts into numbers"):
        RBM(4).fit(["red", "blue"] * 10)


def test_a_data_frame_is_read_in_silence(digits):
    """pandas gives arrays that nobody may write to."""
    X = digits[:100] / 16
    X.flags.writeable = False
    rbm = RBM(4, epochs=1).fit(X)
    assert rbm.transform(X).shape == (100, 4)

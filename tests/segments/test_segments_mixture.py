"""Mixtures against densities written out, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from layerwise.randomness import Randomness
from layerwise.segments.mixture import Mixture, encoded, fitted
from layerwise.segments.traits import Traits, traits_of_columns
from layerwise.segments.tuned import tuned

RNG = Randomness(0)


def mixed(n: int = 200) -> Traits:
    rng = np.random.default_rng(1)
    segment = rng.integers(2, size=n)
    numbers = rng.normal(size=(n, 2)) + 3 * segment[:, None]
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    categories = np.where(rng.random(n) < 0.8, segment, 2)[:, None]
    return traits_of_columns(numbers, categories, (3,), rng=RNG)


def test_own_variances_leave_out_what_is_missing() -> None:
    traits = mixed()
    mixture = fitted(traits, 2, "own", rng=RNG, starts=2)
    w, k = mixture.weights, 2
    variance = -0.5 / w[4:6]
    mean = w[2:4] * variance
    shares = np.exp(w[6:])
    told = np.zeros((len(traits), k))
    for c in range(k):
        logs = norm.logpdf(traits.numbers, mean[:, c], np.sqrt(variance[:, c]))
        told[:, c] = np.nansum(logs, 1) + np.log(shares[traits.categories[:, 0], c]) + mixture.bias[c]
    assert np.allclose(shares.sum(0), 1)
    assert np.exp(mixture.bias).sum() == pytest.approx(1)
    assert np.allclose(mixture.logits(traits), told)
    assert np.allclose(mixture.density(traits), logsumexp(told, axis=1))


def test_one_shared_covariance_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + 6 * rng.integers(2, size=(500, 1))
    x = (x - x.mean(0)) / x.std(0)
    traits = traits_of_columns(x, np.empty((500, 0), int), (), rng=RNG)
    ours = fitted(traits, 2, "shared", rng=RNG, starts=4)
    theirs = GaussianMixture(
        2, covariance_type="tied", n_init=5, reg_covar=0.02, tol=1e-7, random_state=0
    ).fit(x)
    assert ours.density(traits).mean() == pytest.approx(theirs.score(x), abs=1e-3)
    mean = np.linalg.multi_dot([ours.within, ours.weights])
    spread = [multivariate_normal(m, ours.within).logpdf(x) for m in mean.T]
    own = np.array(spread).T + np.log(np.sort(theirs.weights_))[np.argsort(np.argsort(ours.bias))]
    assert np.corrcoef(logsumexp(own, axis=1), ours.density(traits))[0, 1] > 0.99


@pytest.mark.parametrize("covariance", ["own", "shared"])
def test_one_segment_is_all_rows(covariance: str) -> None:
    traits = mixed()
    mixture = fitted(traits, 1, "own" if covariance == "own" else "shared", rng=RNG, starts=1)
    assert mixture.number == 1
    assert encoded(traits, mixture.covariance).shape[1] == len(mixture.weights)


def test_segments_come_in_order_of_size() -> None:
    traits = mixed()
    found = fitted(traits, 2, "own", rng=RNG, starts=2)
    turned = Mixture("own", found.weights[:, ::-1], found.bias[::-1], found.within)
    for mixture in (found, turned):
        sizes = np.bincount(mixture.by_size(traits).logits(traits).argmax(1), minlength=2)
        assert sizes[0] >= sizes[1] > 0


@pytest.mark.parametrize("number", [2, 3])
def test_tuning_sees_correlations_that_segments_share(number: int) -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(number, size=900)
    means = rng.normal(size=(number, 5)) * 1.6
    factor = rng.normal(size=(900, 1)) * np.array([1.2, -1.2, 1.2, -1.2, 1.2])
    x = means[labels] + factor + rng.normal(size=(900, 5)) * np.linspace(0.4, 0.8, number)[labels][:, None]
    traits = traits_of_columns((x - x.mean(0)) / x.std(0), np.empty((900, 0), int), (), rng=RNG)
    begun = fitted(traits, number, "shared", rng=RNG, starts=4)
    plain = fitted(traits, number, "own", rng=RNG, starts=4)
    found = tuned(begun, traits)
    assert found.covariance == "own"
    reached = [adjusted_rand_score(labels, m.logits(traits).argmax(1)) for m in (found, plain)]
    assert reached[0] > 0.9
    assert reached[0] > reached[1] + 0.1

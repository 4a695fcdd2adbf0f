"""Mixtures against densities written out, and against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from layerwise.randomness import Randomness
from layerwise.segments.mixture import fitted
from layerwise.segments.rule import Rule, linear, taught
from layerwise.segments.traits import Traits, traits_of_columns

RNG = Randomness(0)


def mixed(n: int = 200) -> Traits:
    rng = np.random.default_rng(1)
    segment = rng.integers(2, size=n)
    numbers = rng.normal(size=(n, 2)) + 3 * segment[:, None]
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    categories = np.where(rng.random(n) < 0.8, segment, 2)[:, None]
    return traits_of_columns(numbers, categories, (3,), rng=RNG)


def test_the_density_is_that_of_normal_numbers_and_of_categories() -> None:
    traits = mixed()
    mixture = fitted(traits, 2, own=True, rng=RNG, starts=2)
    whole = np.isfinite(traits.numbers).all(1)
    told = np.zeros((len(traits), 2))
    for c, (mean, variance) in enumerate(zip(mixture.means, mixture.variances, strict=True)):
        spread = mixture.correlations * np.sqrt(np.outer(variance, variance))
        told[:, c] = multivariate_normal(mean, spread).logpdf(np.nan_to_num(traits.numbers))
        told[:, c] += mixture.frequencies[traits.categories[:, 0], c] + mixture.shares[c]
    assert np.allclose(np.exp(mixture.frequencies).sum(0), 1)
    assert np.exp(mixture.shares).sum() == pytest.approx(1)
    assert np.allclose(mixture.logits(traits)[whole], told[whole])
    assert np.allclose(mixture.density(traits)[whole], logsumexp(told, axis=1)[whole])


def test_a_missing_number_counts_as_the_mean_of_each_segment() -> None:
    traits = mixed()
    mixture = fitted(traits, 2, own=True, rng=RNG, starts=2)
    gone = traits.take(np.flatnonzero(np.isnan(traits.numbers[:, 0]))[:5])
    for c, mean in enumerate(mixture.means):
        filled = replace(gone, numbers=np.where(np.isnan(gone.numbers), mean, gone.numbers))
        lost = np.isnan(gone.numbers) @ (np.log(mixture.variances[c]) + np.log(2 * np.pi))
        assert np.allclose(mixture.logits(gone)[:, c], mixture.logits(filled)[:, c] + 0.5 * lost)


def test_variances_of_all_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + 6 * rng.integers(2, size=(500, 1))
    x = (x - x.mean(0)) / x.std(0)
    traits = traits_of_columns(x, np.empty((500, 0), int), (), rng=RNG)
    ours = fitted(traits, 2, own=False, rng=RNG, starts=4)
    theirs = GaussianMixture(2, covariance_type="tied", n_init=5, tol=1e-7, random_state=0).fit(x)
    assert ours.density(traits).mean() == pytest.approx(theirs.score(x), abs=0.01)
    assert np.ptp(ours.variances, axis=0).max() < 1e-12
    assert adjusted_rand_score(ours.logits(traits).argmax(1), theirs.predict(x)) > 0.98
    assert np.allclose(
        linear(ours).logits(traits)[:, 1] - linear(ours).logits(traits)[:, 0],
        np.diff(ours.logits(traits), axis=1)[:, 0],
    )


@pytest.mark.parametrize("own", [True, False])
def test_one_segment_is_all_rows(own: bool) -> None:
    traits = mixed()
    mixture = fitted(traits, 1, own=own, rng=RNG, starts=1)
    assert mixture.number == 1
    assert np.allclose(mixture.means[0], np.nanmean(traits.numbers, axis=0))


def test_segments_come_in_order_of_size() -> None:
    traits = mixed()
    found = taught(fitted(traits, 2, own=True, rng=RNG, starts=2), traits)
    turned = Rule(found.weights[:, ::-1], found.bias[::-1], squared=True)
    for rule in (found, turned):
        sizes = np.bincount(rule.by_size(traits).logits(traits).argmax(1), minlength=2)
        assert sizes[0] >= sizes[1] > 0


@pytest.mark.parametrize("number", [2, 3])
def test_correlations_that_segments_share_are_seen_and_taught(number: int) -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(number, size=900)
    means = rng.normal(size=(number, 5)) * 1.6
    factor = rng.normal(size=(900, 1)) * np.array([1.2, -1.2, 1.2, -1.2, 1.2])
    x = means[labels] + factor + rng.normal(size=(900, 5)) * np.linspace(0.4, 0.8, number)[labels][:, None]
    traits = traits_of_columns((x - x.mean(0)) / x.std(0), np.empty((900, 0), int), (), rng=RNG)
    found = taught(fitted(traits, number, own=True, rng=RNG, starts=4), traits)
    plain = GaussianMixture(number, covariance_type="diag", n_init=5, random_state=0).fit_predict(x)
    reached = [adjusted_rand_score(labels, some) for some in (found.logits(traits).argmax(1), plain)]
    assert reached[0] > 0.9
    assert reached[0] > reached[1] + 0.1

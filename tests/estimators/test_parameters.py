"""Parameters of estimators are looked at by `fit`: what is wrong is named, in words of the caller's."""

import inspect
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from layerwise.errors import DataError, UsageError
from layerwise.estimators import (
    RBM,
    Autoencoder,
    DeepBeliefNetwork,
    DeepBoltzmannMachine,
    DeepClassifier,
    DeepRegressor,
    FeatureLearner,
)
from layerwise.estimators.parameters import check_parameters
from layerwise.stacks import autoencoding, boltzmann
from layerwise.train import optimiser

X = np.random.default_rng(0).random((60, 4))
Y = np.arange(60) % 2
WIDTHS = "a list, each a whole number from 1 to 1,048,576"


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (RBM(0), "width of RBM must be a whole number from 1 to 1,048,576, got '0'"),
        (RBM(2.5), "width of RBM must be a whole number from 1 to 1,048,576, got '2.5'"),
        (RBM(4, k=1.5), "k of RBM must be a whole number from 1 to 1,000, got '1.5'"),
        (RBM(4, epochs=0), "epochs of RBM must be a positive number, got '0'"),
        (RBM(4, epochs=np.float32(0)), "epochs of RBM must be a positive number, got '0.0'"),
        (RBM(4, epochs=float("inf")), "epochs of RBM must be a positive number, got 'inf'"),
        (RBM(4, batch=0), "batch of RBM must be a whole number from 1, got '0'"),
        (RBM(4, rate=-1), "rate of RBM must be a positive number or None, got '-1'"),
        (RBM(4, momentum=1), "momentum of RBM must be a number from 0 to 0.999, got '1'"),
        (RBM(4, decay=-1), "decay of RBM must be a number from 0, got '-1'"),
        (RBM(4, sparsity="a"), "sparsity of RBM must be a number or None, got 'a'"),
        (RBM(4, method=3), "method of RBM must be text, got '3'"),
        (RBM(4, categories=1.5), "categories of RBM must be a whole number from 2 to 65,536 or None"),
        (RBM(4, visible="doubled"), "visible of RBM must be one of 'bernoulli', 'gaussian', 'softmax', got"),
        (RBM(4, hidden="doubled"), "hidden of RBM must be one of 'bernoulli', 'relu', 'gaussian', got"),
        (RBM(4, reading=3), "reading of RBM must be a dict or None, got '3'"),
        (RBM(4, random_state="a"), "random_state of RBM must be a whole number or a RandomState or None"),
        (RBM(4, random_state=1.5), "random_state of RBM must be a whole number or a RandomState or None"),
        (DeepBeliefNetwork([16.5]), f"widths of DeepBeliefNetwork must be {WIDTHS}, got '[16.5]'"),
        (DeepBeliefNetwork(16), f"widths of DeepBeliefNetwork must be {WIDTHS}, got '16'"),
        (DeepBeliefNetwork([8], dropout="a"), "dropout of DeepBeliefNetwork must be a number from 0 to 0.99"),
        (DeepBeliefNetwork([8], visible="softmax"), "must be one of 'bernoulli', 'gaussian', got 'softmax'"),
        (DeepBoltzmannMachine([8, "a"]), f"widths of DeepBoltzmannMachine must be {WIDTHS}"),
        (DeepBoltzmannMachine([8, 4], tuning=-1), "tuning of DeepBoltzmannMachine must be a number from 0"),
        (Autoencoder([16, 4.5]), f"widths of Autoencoder must be {WIDTHS}, got '[16, 4.5]'"),
        (Autoencoder("16"), f"widths of Autoencoder must be {WIDTHS}, got '16'"),
        (Autoencoder([4], noise="a"), "noise of Autoencoder must be a number, got 'a'"),
        (Autoencoder([4], tuning="a"), "tuning of Autoencoder must be a number from 0, got 'a'"),
        (Autoencoder([4], variational="yes"), "variational of Autoencoder must be True or False, got 'yes'"),
        (Autoencoder([4], pretrain="dbn"), "pretrain of Autoencoder must be one of 'rbm', 'stack' or None"),
        (FeatureLearner(settings=3), "settings of FeatureLearner must be a dict or None, got '3'"),
        (FeatureLearner(3), "kind of FeatureLearner must be text or None, got '3'"),
        (FeatureLearner(budget="2s"), "budget of FeatureLearner must be a positive number or None, got '2s'"),
        (DeepClassifier(epochs=0), "epochs of DeepClassifier must be a positive number or None, got '0'"),
        (DeepClassifier(settings=3), "settings of DeepClassifier must be a dict or None, got '3'"),
        (DeepRegressor(random_state="a"), "random_state of DeepRegressor must be a whole number"),
    ],
    ids=str,
)
def test_what_a_parameter_cannot_be_is_refused_by_its_name(estimator, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        estimator.fit(X, Y)


@pytest.mark.parametrize(
    "estimator",
    [
        RBM, Autoencoder, DeepBeliefNetwork, DeepBoltzmannMachine, DeepClassifier, DeepRegressor, FeatureLearner,
    ],
)  # fmt: skip
def test_what_a_parameter_is_where_nobody_says_is_allowed(estimator):
    needed = [p for p in inspect.signature(estimator).parameters.values() if p.default is p.empty]
    check_parameters(estimator(*([4] for _ in needed)))


def test_numbers_of_numpy_are_numbers():
    one, two = (
        RBM(i(3), k=i(1), epochs=f(2), batch=i(20), rate=f(0.5), momentum=f(0.5), random_state=i(1)).fit(X)
        for i, f in ((int, float), (np.int32, np.float32))
    )
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    np.testing.assert_array_equal(one.sample(2, sweeps=3), two.sample(np.int64(2), sweeps=np.int32(3)))
    widths, once = np.array([6, 3]), {"epochs": np.int64(1), "tuning": np.int64(1)}
    for deep in (DeepBeliefNetwork, DeepBoltzmannMachine, Autoencoder):
        assert deep(widths, **once).fit(X, Y).transform(X).shape == (60, 3)
    assert Autoencoder(widths, epochs=1, variational=np.bool_(True)).fit(X).sample(2).shape == (2, 4)
    for learner in (FeatureLearner(epochs=np.int64(1)), DeepClassifier(epochs=np.int64(1))):
        assert learner.set_params(settings={"training.batch": np.int64(20)}).fit(X, Y)


def test_calls_name_what_they_cannot_take():
    rbm = RBM(4, epochs=1).fit(X)
    belief = DeepBeliefNetwork([4], epochs=1).fit(X)
    for density in (rbm, belief):
        with pytest.raises(UsageError, match=r"n must be a whole number from 1, got '2.5'"):
            density.sample(2.5)
        with pytest.raises(UsageError, match=r"sweeps must be a whole number from 1, got '0'"):
            density.sample(sweeps=0)
        with pytest.raises(UsageError, match=r"random_state must be a whole number or a RandomState or None"):
            density.sample(random_state="a")
        with pytest.raises(UsageError, match=r"random_state must be"):
            density.log_partition("ais", random_state=1.5)


@pytest.mark.parametrize(
    "deep", [DeepBeliefNetwork([6, 4], epochs=1), DeepBoltzmannMachine([6, 4], epochs=1)]
)
def test_no_epochs_of_tuning_are_none_and_no_network(deep):
    """In a pipeline every step is given y, one that learns features alone too."""
    deep.set_params(tuning=0)
    alone, told = clone(deep).fit(X), clone(deep).fit(X, Y)
    np.testing.assert_array_equal(alone.transform(X), told.transform(X))
    for learner in (alone, told, Autoencoder([4], epochs=1, tuning=0).fit(X, Y)):
        assert learner.net_ is None
        assert not hasattr(learner, "predict")


@pytest.mark.parametrize("options", [{"rate": 1e3}, {"rate": 1e9}, {"rate": 1e3, "method": "pcd"}])
def test_weights_that_blew_up_are_told(options):
    with pytest.raises(DataError, match="lower rate"):
        RBM(16, epochs=2, **options).fit(load_digits().data)
    with pytest.raises(DataError, match=r"a weight or bias became .*e\+.*Give a lower rate"):
        RBM(16, rate=1e9, epochs=2).fit(X)


def test_a_machine_that_says_less_than_the_mean_warns():
    with pytest.warns(ConvergenceWarning, match="than their mean is .*give a lower rate"):
        RBM(16, rate=100, epochs=2).fit(load_digits().data)


@pytest.mark.parametrize(
    "deep", [DeepBeliefNetwork([6, 4], epochs=2), DeepBoltzmannMachine([6, 4], epochs=2)]
)
def test_weights_of_deep_ones_that_blew_up_are_told(monkeypatch, deep):
    def faster(name, *, rate, **options):
        return optimiser(name, rate=1e6 * rate, **options)

    for stack in (autoencoding, boltzmann):
        monkeypatch.setattr(stack, "optimiser", faster)
    with pytest.raises(DataError, match="lower rate"):
        deep.fit(X)


@pytest.mark.parametrize("learner", [FeatureLearner(epochs=1), DeepClassifier(epochs=1), DeepRegressor()])
def test_a_matrix_from_which_nothing_can_be_learned(learner):
    ones, none = np.ones((60, 3)), np.full((60, 3), np.nan)
    for matrix, words in [
        (ones, "every column of X is constant throughout"),
        (none, "every column of X is missing throughout"),
        (np.hstack([ones, none]), "every column of X is constant or missing throughout"),
    ]:
        with pytest.raises(DataError, match=words):
            learner.fit(matrix, Y)

"""The door for scikit-learn: estimators over arrays, data frames and lists of paths."""

from layerwise.estimators.autoencoder import Autoencoder
from layerwise.estimators.dbm import DeepBoltzmannMachine
from layerwise.estimators.dbn import DeepBeliefNetwork
from layerwise.estimators.deep import DeepClassifier, DeepRegressor
from layerwise.estimators.learner import FeatureLearner
from layerwise.estimators.rbm import RBM

__all__ = [
    "RBM",
    "Autoencoder",
    "DeepBeliefNetwork",
    "DeepBoltzmannMachine",
    "DeepClassifier",
    "DeepRegressor",
    "FeatureLearner",
]

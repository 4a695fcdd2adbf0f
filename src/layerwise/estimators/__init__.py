"""The door for scikit-learn: estimators over arrays, data frames and lists of paths."""

from layerwise.estimators.deep import DeepClassifier, DeepRegressor
from layerwise.estimators.rbm import RBM

__all__ = ["RBM", "DeepClassifier", "DeepRegressor"]

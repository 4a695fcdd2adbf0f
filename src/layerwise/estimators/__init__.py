"""The door for scikit-learn: estimators over arrays, data frames and lists of paths."""

from layerwise.estimators.deep import DeepClassifier, DeepRegressor

__all__ = ["DeepClassifier", "DeepRegressor"]

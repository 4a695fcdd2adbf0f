"""layerwise: raw files in; a trained network, an honest account of it, and a look at every level out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# name -> (module, attribute); None: the module itself. Imported when first used, so that
# `import layerwise` loads neither torch nor scikit-learn.
_WHERE: dict[str, tuple[str, str | None]] = {
    "Autoencoder": ("layerwise.estimators", "Autoencoder"),
    "DeepBeliefNetwork": ("layerwise.estimators", "DeepBeliefNetwork"),
    "DeepBoltzmannMachine": ("layerwise.estimators", "DeepBoltzmannMachine"),
    "DeepClassifier": ("layerwise.estimators", "DeepClassifier"),
    "DeepRegressor": ("layerwise.estimators", "DeepRegressor"),
    "FeatureLearner": ("layerwise.estimators", "FeatureLearner"),
    "Features": ("layerwise.model", "Features"),
    "Model": ("layerwise.model", "Model"),
    "RBM": ("layerwise.estimators", "RBM"),
    "fit": ("layerwise.workflows", "fit"),
    "learn": ("layerwise.workflows", "learn"),
    "load": ("layerwise.model", "load"),
    "nn": ("layerwise.nn", None),
}

__all__ = [
    "RBM",
    "Autoencoder",
    "DeepBeliefNetwork",
    "DeepBoltzmannMachine",
    "DeepClassifier",
    "DeepRegressor",
    "FeatureLearner",
    "Features",
    "Model",
    "__version__",
    "fit",
    "learn",
    "load",
    "nn",
]

if TYPE_CHECKING:
    from layerwise import nn as nn
    from layerwise.estimators import (
        RBM,
        Autoencoder,
        DeepBeliefNetwork,
        DeepBoltzmannMachine,
        DeepClassifier,
        DeepRegressor,
        FeatureLearner,
    )
    from layerwise.model import Features, Model, load
    from layerwise.workflows import fit, learn


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'layerwise' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    found = import_module(module)
    value = found if attribute is None else getattr(found, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

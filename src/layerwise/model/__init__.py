"""The product on disk: a folder of JSON and safetensors that anyone can load, read and doubt."""

from layerwise.model.answering import Model, Predictions, outputs_of
from layerwise.model.features import Codes, Features
from layerwise.model.folder import RUN, holding, holds_product, write_aside
from layerwise.model.loading import load
from layerwise.model.product import Product, Unlike

__all__ = [
    "RUN",
    "Codes",
    "Features",
    "Model",
    "Predictions",
    "Product",
    "Unlike",
    "holding",
    "holds_product",
    "load",
    "outputs_of",
    "write_aside",
]

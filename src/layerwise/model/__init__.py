"""The product on disk: a folder of JSON and safetensors that anyone can load, read and doubt."""

from layerwise.model.folder import RUN, holding, write_aside
from layerwise.model.product import Model, Predictions, load, outputs_of

__all__ = ["RUN", "Model", "Predictions", "holding", "load", "outputs_of", "write_aside"]

"""Networks as pipelines of stages, every level of which can be read."""

from layerwise.nn.build import STAGES, build
from layerwise.nn.convolution import Convolution, Residual
from layerwise.nn.dense import Dense, Flatten, Maxout
from layerwise.nn.heads import Head
from layerwise.nn.initialise import constrain
from layerwise.nn.pipeline import Pipeline
from layerwise.nn.pooling import GlobalPool, Pool
from layerwise.nn.scale import Scale
from layerwise.nn.stage import Stage

__all__ = [
    "STAGES",
    "Convolution",
    "Dense",
    "Flatten",
    "GlobalPool",
    "Head",
    "Maxout",
    "Pipeline",
    "Pool",
    "Residual",
    "Scale",
    "Stage",
    "build",
    "constrain",
]

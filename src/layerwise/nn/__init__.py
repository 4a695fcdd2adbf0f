"""Networks as pipelines of stages, every level of which can be read."""

from layerwise.nn.build import STAGES, build
from layerwise.nn.columns import Columns
from layerwise.nn.convolution import Convolution
from layerwise.nn.dense import Dense, Flatten, Maxout
from layerwise.nn.describe import Level, describe, widest
from layerwise.nn.embedding import Categories, Embedding, NgramBag
from layerwise.nn.heads import Head
from layerwise.nn.initialise import constrain
from layerwise.nn.mirror import Mirrored, mirrored
from layerwise.nn.numbers import PiecewiseLinear
from layerwise.nn.pipeline import Composite, Pipeline
from layerwise.nn.pooling import GlobalPool, Pool
from layerwise.nn.recurrence import Recurrent
from layerwise.nn.residual import Residual
from layerwise.nn.scale import Scale
from layerwise.nn.series import Decomposition, ReversibleNorm
from layerwise.nn.spectrum import LogMel
from layerwise.nn.stage import Reach, Stage
from layerwise.nn.whitening import Whitening

__all__ = [
    "STAGES",
    "Categories",
    "Columns",
    "Composite",
    "Convolution",
    "Decomposition",
    "Dense",
    "Embedding",
    "Flatten",
    "GlobalPool",
    "Head",
    "Level",
    "LogMel",
    "Maxout",
    "Mirrored",
    "NgramBag",
    "PiecewiseLinear",
    "Pipeline",
    "Pool",
    "Reach",
    "Recurrent",
    "Residual",
    "ReversibleNorm",
    "Scale",
    "Stage",
    "Whitening",
    "build",
    "constrain",
    "describe",
    "mirrored",
    "widest",
]

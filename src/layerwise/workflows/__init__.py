"""Where rooms meet: fit, predict, report; each readable on one screen."""

from layerwise.workflows.arrays import train_columns, train_more
from layerwise.workflows.asking import predict
from layerwise.workflows.depth import demonstrate
from layerwise.workflows.fitting import fit, propose
from layerwise.workflows.learning import learn, learn_whole
from layerwise.workflows.narrate import Narrator, Silent
from layerwise.workflows.place import default_out
from layerwise.workflows.tell import examine, redraw

__all__ = [
    "Narrator",
    "Silent",
    "default_out",
    "demonstrate",
    "examine",
    "fit",
    "learn",
    "learn_whole",
    "predict",
    "propose",
    "redraw",
    "train_columns",
    "train_more",
]

"""Training: objectives, plans, and the loop that runs any of them on any net."""

from layerwise.train.adversarial import Adversarial
from layerwise.train.conjugate import ConjugateGradients
from layerwise.train.contrastive import ContrastiveDivergence
from layerwise.train.loop import Data, train
from layerwise.train.masked import Masked
from layerwise.train.meanfield import MeanField
from layerwise.train.objectives import Alter, Descent, Objective, Supervised
from layerwise.train.optimisers import Learned, Muon, optimiser
from layerwise.train.pieces import Batches
from layerwise.train.plan import Phase, Plan
from layerwise.train.progress import Done, Epoch, Event, History, Recovered, Saved, Step
from layerwise.train.reconstruct import Reconstruction, Variational
from layerwise.train.schedules import constant, one_cycle, stepped, trapezoid
from layerwise.train.search import RateSearch, find_rate
from layerwise.train.sparse import PredictiveSparseDecomposition
from layerwise.train.stagewise import Within, greedy
from layerwise.train.views import TwoViews, projector

__all__ = [
    "Adversarial",
    "Alter",
    "Batches",
    "ConjugateGradients",
    "ContrastiveDivergence",
    "Data",
    "Descent",
    "Done",
    "Epoch",
    "Event",
    "History",
    "Learned",
    "Masked",
    "MeanField",
    "Muon",
    "Objective",
    "Phase",
    "Plan",
    "PredictiveSparseDecomposition",
    "RateSearch",
    "Reconstruction",
    "Recovered",
    "Saved",
    "Step",
    "Supervised",
    "TwoViews",
    "Variational",
    "Within",
    "constant",
    "find_rate",
    "greedy",
    "one_cycle",
    "optimiser",
    "projector",
    "stepped",
    "train",
    "trapezoid",
]

"""A trained net and held-out data -> findings. The page and `--json` are drawn from them."""

from layerwise.look.cost import cost, peak_memory
from layerwise.look.data import OtherSplit, Parts, data
from layerwise.look.doubts import doubts, doubts_of_features
from layerwise.look.examples import Examples
from layerwise.look.learned import Learned, learned
from layerwise.look.levels import Known, levels
from layerwise.look.made import made
from layerwise.look.quality import quality
from layerwise.look.rivals import Comparison, compare, rivals, verdict
from layerwise.look.segment_words import Table
from layerwise.look.segments import segment_section
from layerwise.look.training import training
from layerwise.look.use import use, use_features, use_segments

__all__ = [
    "Comparison",
    "Examples",
    "Known",
    "Learned",
    "OtherSplit",
    "Parts",
    "Table",
    "compare",
    "cost",
    "data",
    "doubts",
    "doubts_of_features",
    "learned",
    "levels",
    "made",
    "peak_memory",
    "quality",
    "rivals",
    "segment_section",
    "training",
    "use",
    "use_features",
    "use_segments",
    "verdict",
]

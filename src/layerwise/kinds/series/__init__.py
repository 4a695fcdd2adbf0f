"""Series: all that layerwise knows of them."""

from layerwise.kinds.base import Kind
from layerwise.kinds.series.alter import alter
from layerwise.kinds.series.blueprint import LIKES, blueprint, branch
from layerwise.kinds.series.claims import claims
from layerwise.kinds.series.methods import METHODS
from layerwise.kinds.series.reader import SeriesReader
from layerwise.kinds.series.rivals import rivals
from layerwise.kinds.series.show import filters, show

__all__ = ["SERIES"]

SERIES = Kind(
    name="series",
    plural="series",
    claims=claims,
    reader=SeriesReader,
    blueprint=blueprint,
    likes=LIKES,
    methods=METHODS,
    branch=branch,
    alter=alter,
    rivals=rivals,
    show=show,
    filters=filters,
)

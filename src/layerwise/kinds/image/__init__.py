"""Pictures: all that layerwise knows of them."""

from layerwise.kinds.base import Kind
from layerwise.kinds.image.alter import alter
from layerwise.kinds.image.blueprint import blueprint, branch
from layerwise.kinds.image.claims import claims
from layerwise.kinds.image.copies import copies
from layerwise.kinds.image.methods import METHODS
from layerwise.kinds.image.named import LIKES
from layerwise.kinds.image.reader import ImageReader
from layerwise.kinds.image.rivals import patches, rivals
from layerwise.kinds.image.show import filters, show

__all__ = ["IMAGE"]

IMAGE = Kind(
    name="image",
    plural="images",
    claims=claims,
    reader=ImageReader,
    blueprint=blueprint,
    likes=LIKES,
    methods=METHODS,
    branch=branch,
    alter=alter,
    rivals=rivals,
    show=show,
    filters=filters,
    patches=patches,
    copies=copies,
)

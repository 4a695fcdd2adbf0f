"""Texts: all that layerwise knows of them."""

from layerwise.kinds.base import Kind
from layerwise.kinds.text.blueprint import LIKES, blueprint, branch
from layerwise.kinds.text.claims import claims
from layerwise.kinds.text.methods import METHODS
from layerwise.kinds.text.reader import TextReader
from layerwise.kinds.text.rivals import rivals
from layerwise.kinds.text.show import filters, show

__all__ = ["TEXT"]

TEXT = Kind(
    name="text",
    plural="texts",
    claims=claims,
    reader=TextReader,
    blueprint=blueprint,
    likes=LIKES,
    methods=METHODS,
    branch=branch,
    alter=lambda spec, settings: None,
    rivals=rivals,
    show=show,
    filters=filters,
    verb="read",
)

"""Sounds: all that layerwise knows of them."""

from layerwise.kinds.base import Kind
from layerwise.kinds.sound.alter import alter
from layerwise.kinds.sound.blueprint import LIKES, blueprint, branch
from layerwise.kinds.sound.claims import claims
from layerwise.kinds.sound.methods import METHODS
from layerwise.kinds.sound.reader import SoundReader
from layerwise.kinds.sound.rivals import patches, rivals
from layerwise.kinds.sound.show import filters, show

__all__ = ["SOUND"]

SOUND = Kind(
    name="sound",
    plural="sounds",
    claims=claims,
    reader=SoundReader,
    blueprint=blueprint,
    likes=LIKES,
    methods=METHODS,
    branch=branch,
    alter=alter,
    rivals=rivals,
    show=show,
    filters=filters,
    patches=patches,
    verb="heard",
)

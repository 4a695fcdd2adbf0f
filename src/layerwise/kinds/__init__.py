"""Kinds of data, in the order in which they are asked whether columns are theirs."""

from layerwise.kinds import table
from layerwise.kinds.base import Kind
from layerwise.kinds.image import IMAGE
from layerwise.kinds.sound import SOUND
from layerwise.kinds.text import TEXT

__all__ = ["IMAGE", "KINDS", "SOUND", "TABLE", "TEXT", "Kind"]

TABLE = table.make((IMAGE, SOUND, TEXT))

KINDS: tuple[Kind, ...] = (IMAGE, SOUND, TEXT, TABLE)

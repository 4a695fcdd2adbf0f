"""Kinds of data, in the order in which they are asked whether columns are theirs."""

from layerwise.kinds import table
from layerwise.kinds.base import Kind
from layerwise.kinds.image import IMAGE
from layerwise.kinds.series import SERIES
from layerwise.kinds.sound import SOUND
from layerwise.kinds.text import TEXT

__all__ = ["IMAGE", "KINDS", "SERIES", "SOUND", "TABLE", "TEXT", "Kind"]

TABLE = table.make((IMAGE, SOUND, TEXT, SERIES))

KINDS: tuple[Kind, ...] = (IMAGE, SOUND, TEXT, SERIES, TABLE)

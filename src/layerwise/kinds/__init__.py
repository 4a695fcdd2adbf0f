"""Kinds of data, in the order in which they are asked whether columns are theirs."""

import copyreg

from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.kinds import table
from layerwise.kinds.base import Kind
from layerwise.kinds.image import IMAGE
from layerwise.kinds.series import SERIES
from layerwise.kinds.sound import SOUND
from layerwise.kinds.text import TEXT

__all__ = ["IMAGE", "KINDS", "SERIES", "SOUND", "TABLE", "TEXT", "Kind", "kind_named"]

TABLE = table.make((IMAGE, SOUND, TEXT, SERIES))

KINDS: tuple[Kind, ...] = (IMAGE, SOUND, TEXT, SERIES, TABLE)


def kind_named(name: str) -> Kind:
    """The kind of that name. Raises UsageError with the nearest one suggested."""
    kinds = {kind.name: kind for kind in KINDS}
    if name not in kinds:
        raise UsageError(f"no kind {shown(name)}{suggest(name, kinds) or '.'} Kinds: {listed(kinds)}")
    return kinds[name]


copyreg.pickle(Kind, lambda kind: (kind_named, (kind.name,)))  # what a kind consists of is code

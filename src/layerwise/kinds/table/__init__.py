"""Tables: numbers, categories, dates, and columns of other kinds, which are handed in."""

from __future__ import annotations

from layerwise.kinds.table.kind import make

__all__ = ["make"]

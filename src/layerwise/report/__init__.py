"""Findings as one page of HTML. Pure: deleting this room breaks only what shows pages."""

from layerwise.report.writing import page, write

__all__ = ["page", "write"]

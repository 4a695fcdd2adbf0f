"""Segments: clusters of rows by what they hold, how many there are, and a network that assigns new rows."""

from __future__ import annotations

from layerwise.segments.cut import Cut, cut_codes, cut_table
from layerwise.segments.evidence import Evidence
from layerwise.segments.find import APART, STABLE, STEADY, Segments, find_segments
from layerwise.segments.rule import Rule
from layerwise.segments.traits import Traits

__all__ = [
    "APART",
    "STABLE",
    "STEADY",
    "Cut",
    "Evidence",
    "Rule",
    "Segments",
    "Traits",
    "cut_codes",
    "cut_table",
    "find_segments",
]

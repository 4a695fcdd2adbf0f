"""Whether columns are texts."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import polars as pl

from layerwise.data.source import Column, File

__all__ = ["claims"]

SUFFIXES = (".txt", ".text", ".md", ".rst", ".log", ".eml", ".tex", ".html", ".htm")
LOOKED_AT = 1_000
KEY = re.compile(r"[0-9A-Fa-f-]+")


def claims(columns: Mapping[str, Column]) -> str | None:
    """The reason why the one column is of texts: files by name, or cells of several words."""
    if len(columns) != 1:
        return None
    column = next(iter(columns.values()))
    if column.holds == "files":
        files = [f for f in column.values[:LOOKED_AT] if isinstance(f, File)]
        share = sum(f.suffix in SUFFIXES for f in files) / max(1, len(files))
        return "files of text by their names" if share > 0.5 else None
    if column.holds != "cells" or column.values.dtype != pl.String:
        return None
    some = column.values[
        np.linspace(0, len(column) - 1, min(len(column), LOOKED_AT)).astype(np.int64)
    ].drop_nulls()
    return f"free text in {column.name!r}" if _is_prose(some) else None


def _is_prose(texts: pl.Series) -> bool:
    """Whether these are more than names: several words or long, seldom the same, no hexadecimal keys."""
    if len(texts) == 0 or texts.n_unique() < 0.3 * len(texts):
        return False
    words = np.mean([len(t.split()) for t in texts])
    letters = np.mean([len(t) for t in texts])
    wide = np.mean([len(t.encode()) / max(1, len(t)) for t in texts])  # over 2: scripts without spaces
    keys = np.mean([KEY.fullmatch(t) is not None for t in texts])
    return bool(words >= 3 or (letters >= 40 and keys < 0.5) or (wide > 2 and letters >= 8))

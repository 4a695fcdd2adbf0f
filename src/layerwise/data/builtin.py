"""Real data that scikit-learn ships, by name: something to try without a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from layerwise.data.source import Column, Source

__all__ = ["BUILTIN", "open_builtin"]


BUILTIN = ("digits", "wine", "iris", "breast-cancer", "diabetes")


def open_builtin(name: str) -> Source:
    """The built-in data set of that name."""
    from sklearn import datasets  # takes a second to import, and few need it

    if name == "digits":
        return _digits(datasets.load_digits())
    options = {"scaled": False} if name == "diabetes" else {}
    return _table(name, getattr(datasets, f"load_{name.replace('-', '_')}")(**options))


def _digits(raw: Any) -> Source:
    """1,797 handwritten digits, 8 x 8, grey levels 0 to 16, uint8 (N, 8, 8) (Alpaydin and Kaynak 1998)."""
    columns = {
        "image": Column("image", "arrays", raw.images.astype(np.uint8)),
        "digit": Column("digit", "cells", pl.Series("digit", raw.target.astype(np.int64)).cast(pl.String)),
    }
    ids = [f"row {i + 1}" for i in range(len(raw.target))]
    return Source("digits", columns, ids, target="digit", inputs=("image",))


def _table(name: str, raw: Any) -> Source:
    columns = {
        str(c): Column(str(c), "cells", pl.Series(str(c), np.ascontiguousarray(raw.data[:, i])))
        for i, c in enumerate(raw.feature_names)
    }
    if "target_names" in raw:
        target, cells = "class", pl.Series("class", [str(raw.target_names[t]) for t in raw.target])
    else:
        target, cells = "progression", pl.Series("progression", raw.target)
    columns[target] = Column(target, "cells", cells)
    return Source(name, columns, [f"row {i + 1}" for i in range(len(cells))], target=target)

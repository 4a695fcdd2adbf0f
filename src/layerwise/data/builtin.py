"""Real data that scikit-learn ships, by name: something to try without a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from sklearn import datasets

from layerwise.data.source import Column, Source

__all__ = ["BUILTIN", "open_builtin"]


def open_builtin(name: str) -> Source:
    """The built-in data set of that name (a key of `BUILTIN`)."""
    return _digits() if name == "digits" else _table(name, BUILTIN[name])


BUILTIN: Mapping[str, Callable[[], Any]] = {
    "digits": datasets.load_digits,
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
    "breast-cancer": datasets.load_breast_cancer,
    "diabetes": lambda: datasets.load_diabetes(scaled=False),
}


def _digits() -> Source:
    """1,797 handwritten digits, 8 x 8, grey levels 0 to 16, uint8 (N, 8, 8) (Alpaydin and Kaynak 1998)."""
    raw = datasets.load_digits()
    columns = {
        "image": Column("image", "arrays", raw.images.astype(np.uint8)),
        "digit": Column("digit", "cells", pl.Series("digit", raw.target.astype(np.int64)).cast(pl.String)),
    }
    ids = [f"row {i + 1}" for i in range(len(raw.target))]
    return Source("digits", columns, ids, target="digit", inputs=("image",))


def _table(name: str, load: Callable[[], Any]) -> Source:
    raw = load()
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

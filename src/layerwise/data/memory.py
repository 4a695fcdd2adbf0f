"""Objects in memory as a source: arrays, lists, DataFrames of any library."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from layerwise.data.arrays import arrays_source, as_column, rows_named
from layerwise.data.families import IMAGES, SOUNDS
from layerwise.data.frames import frame_columns
from layerwise.data.source import Column, File, Source
from layerwise.errors import DataError, UsageError, shown

__all__ = ["memory_source"]


def memory_source(inputs: Any, y: Any = None, groups: Any = None) -> Source:
    """Arrays (N, ...), a list of N arrays, texts or paths, a DataFrame, or a mapping of arrays by name.

    `y` (N,) or (N, K) becomes the column `y`, `groups` (N,) the column `groups`. Raises UsageError for
    objects of another kind or of unequal length, DataError where there is no row.
    """
    frame = nw.from_native(inputs, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        columns, _ = frame_columns(_polars(frame), None)
        source = Source("data", columns, rows_named(len(frame)))
    elif isinstance(inputs, Mapping):
        source = arrays_source({str(k): np.asarray(v) for k, v in inputs.items()}, "data")
    else:
        source = _listed(inputs)
    if not len(source) or not source.columns:
        raise DataError("there is no row: X is empty")
    extra = {n: _cells(n, v, len(source)) for n, v in (("y", y), ("groups", groups)) if v is not None}
    return replace(
        source,
        columns={**source.columns, **extra},
        inputs=source.inputs or (tuple(source.columns) if "y" in extra else ()),
        target="y" if "y" in extra else source.target,
        group="groups" if "groups" in extra else source.group,
    )


def _polars(frame: nw.DataFrame[Any]) -> pl.DataFrame:
    """Any eager DataFrame as polars; columns that it cannot take over are read cell by cell."""
    try:
        whole = frame.to_polars()
    except (ValueError, TypeError, ImportError):
        whole = pl.DataFrame([_mixed(str(c.name), c.to_list()) for c in frame.iter_columns()])
    return whole.rename({n: str(n) for n in whole.columns})


def _mixed(name: str, values: list[Any]) -> pl.Series:
    """Cells of any types: numbers where all are, else text; None and NaN are missing."""
    known = [None if v is None or v != v else v for v in values]
    return pl.Series(name, known, strict=False)


def _listed(inputs: Any) -> Source:
    if isinstance(inputs, Sequence) and len(inputs):
        if all(isinstance(v, str | os.PathLike) for v in inputs):
            return _paths(inputs) if _are_paths(inputs) else _texts([str(v) for v in inputs])
        if all(isinstance(v, np.ndarray) for v in inputs) and len({v.shape for v in inputs}) > 1:
            if len({v.shape[1:] for v in inputs}) > 1 or not inputs[0].ndim:
                raise UsageError("a list of arrays needs them equal in all axes but the first")
            return Source("data", {"x": Column("x", "arrays", list(inputs))}, rows_named(len(inputs)))
    try:
        array = np.asarray(inputs)
    except ValueError as error:
        raise UsageError(f"X is no array, DataFrame or list of arrays, texts or paths: {error}") from error
    if not array.ndim:
        raise UsageError(
            f"X must be an array (N, ...), a DataFrame or a list, got {shown(type(inputs).__name__)}"
        )
    if array.dtype == object and array.ndim == 2:
        cells = [_mixed(f"x{i}", array[:, i].tolist()) for i in range(array.shape[1])]
        return Source("data", frame_columns(pl.DataFrame(cells), None)[0], rows_named(len(array)))
    return Source("data", {"x": as_column("x", array)}, rows_named(len(array)))


def _are_paths(inputs: Sequence[Any]) -> bool:
    """Whether texts are paths: objects that say so, or names of files."""
    if any(isinstance(v, os.PathLike) for v in inputs):
        return True
    named = sum(os.path.splitext(v)[1].lower() in IMAGES | SOUNDS for v in inputs[:100])
    return 2 * named > len(inputs[:100]) or any(len(v) < 4096 and os.path.isfile(v) for v in inputs[:10])


def _paths(inputs: Sequence[Any]) -> Source:
    """Files by path, wherever they lie: whoever names them may read them."""
    names = [os.fspath(v) for v in inputs]
    missing = [i for i, name in enumerate(names) if not os.path.isfile(name)]
    if missing:
        raise DataError(
            f"{len(missing):,} of {len(names):,} files are not there, the first {shown(names[missing[0]])}"
        )
    ids = names if len(set(names)) == len(names) else [f"{n} ({i})" for i, n in enumerate(names, 1)]
    files = [File(name, Path(name)) for name in names]
    return Source("data", {"file": Column("file", "files", files)}, ids)


def _texts(inputs: list[str]) -> Source:
    cells = pl.Series("text", [t.encode("utf-8", "replace").decode() for t in inputs], pl.String)
    return Source("data", {"text": Column("text", "cells", cells)}, rows_named(len(inputs)))


def _cells(name: str, values: Any, n: int) -> Column:
    series = nw.from_native(values, series_only=True, pass_through=True)
    array = np.asarray(series.to_list() if isinstance(series, nw.Series) else values)
    if isinstance(series, nw.Series) and array.dtype.kind in "OU":
        column = Column(name, "cells", _mixed(name, series.to_list()))
    elif array.dtype == object and array.ndim == 1:
        column = Column(name, "cells", _mixed(name, array.tolist()))
    else:
        column = as_column(name, array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array)
    if len(column) != n:
        raise UsageError(f"X has {n:,} rows, but {name} has {len(column):,}: they must be as many")
    return column

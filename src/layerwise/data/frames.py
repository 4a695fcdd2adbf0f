"""Tables in files: CSV and its relatives, Parquet, packed or not; cells that name files become files."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import polars as pl

from layerwise.data.archives import inflated, inner_name
from layerwise.data.cells import typed
from layerwise.data.combine import appended
from layerwise.data.delimited import SEPARATORS, read_delimited
from layerwise.data.families import IMAGES, SOUNDS, TABLES
from layerwise.data.source import PARTS, Column, File, LeftOut, Part, Source
from layerwise.data.spool import Spool, fair, pieces_of
from layerwise.errors import DataError, MachineError, listed, shown

__all__ = [
    "Find",
    "Table",
    "all_of",
    "frame_columns",
    "in_listing",
    "is_table",
    "on_disk",
    "read_table",
    "table_source",
]

MOST_TEXT = 8 << 30  # bytes of a table; it is held in memory
MOST_RATIO = 200
FREE = 1 << 26  # bytes unpacked from which on MOST_RATIO holds

Find = Callable[[str], "File | str"]
"""The file that a cell names, or the reason why there is none."""


class Table(NamedTuple):
    """A table with typed columns."""

    frame: pl.DataFrame
    numbers: list[int]  # of each row in the file, from 1 without the header
    left_out: list[LeftOut]
    notes: list[str]


def is_table(file: File) -> bool:
    """Whether a file is called like a table, packed or not."""
    return os.path.splitext(inner_name(file.name))[1].lower() in TABLES


def read_table(file: File, called: str) -> Table:
    """The table in a file, `called` in messages. Raises DataError for what is none."""
    if inner_name(file.name).lower().endswith((".parquet", ".pq")):
        return _parquet(file, called)
    text = _text(file, called)
    marks = max(text.count(mark.encode()) for mark in SEPARATORS)
    rows = text.count(b"\n")
    fair(file.length(), called, rows=rows, cells=rows + marks)
    found = read_delimited(text, called)
    notes = list(found.notes)
    comma = found.separator != ","
    frame = pl.DataFrame([typed(cells, comma=comma, notes=notes) for cells in found.frame])
    return Table(frame, found.numbers, found.left_out, notes)


def table_source(
    files: Sequence[File], title: str, *, path: str, find: Find, spools: tuple[Spool, ...] = ()
) -> Source:
    """The rows of a table as examples; train.csv beside test.csv are parts of one.

    Columns whose cells name images or sounds (`find` says which file) hold files; a row whose file is
    not there, or lies outside, is left out. Raises DataError for tables that do not belong together,
    and where no row is left.
    """
    if len(files) == 1:
        return _one_table(files[0], title, path, find, spools)
    parts: dict[str, File] = {PARTS[_bare(f)]: f for f in files if _bare(f) in PARTS}
    if len(parts) < len(files) or "train" not in parts:
        raise DataError(
            f"{shown(path)} holds {len(files)} tables ({listed(f.name for f in files)}): name one of them, or"
            " call them train, val and test"
        )
    whole = _one_table(parts["train"], title, path, find, spools)
    held: tuple[Part, ...] = ("val", "test")
    for part in (p for p in held if p in parts):
        whole = appended(whole, _one_table(parts[part], title, path, find, spools), part=part)
    return whole


def _bare(file: File) -> str:
    return os.path.splitext(inner_name(file.name.rsplit("/", 1)[-1]))[0].lower()


def _one_table(file: File, title: str, path: str, find: Find, spools: tuple[Spool, ...]) -> Source:
    table = read_table(file, path)
    columns, unfit = frame_columns(table.frame, find)
    kept = [i for i in range(table.frame.height) if i not in unfit]
    left_out = table.left_out + [LeftOut(f"row {table.numbers[i]}", reason) for i, reason in unfit.items()]
    if not kept:
        why = f": {left_out[0].path}: {left_out[0].reason}" if left_out else ", only a header line"
        raise DataError(f"{shown(path)} holds no rows{why}")
    if unfit:
        columns = {n: Column(n, c.holds, c.take(kept)) for n, c in columns.items()}
    return Source(
        title,
        columns,
        [f"row {table.numbers[i]}" for i in kept],
        left_out=tuple(left_out),
        notes=tuple(table.notes),
        bytes=file.length(),
        path=path,
        spools=spools,
    )


def frame_columns(frame: pl.DataFrame, find: Find | None) -> tuple[dict[str, Column], dict[int, str]]:
    """The columns of a frame, and the rows that have to go with the reason for each."""
    columns: dict[str, Column] = {}
    unfit: dict[int, str] = {}
    for cells in frame:
        files = _files(cells, find) if find is not None and cells.dtype == pl.String else None
        if files is None:
            columns[cells.name] = _column(cells)
            continue
        for row, found in enumerate(files):
            if isinstance(found, str):
                unfit.setdefault(row, f"{shown(cells[row])} in {shown(cells.name)}: {found}")
        columns[cells.name] = Column(cells.name, "files", [None if isinstance(f, str) else f for f in files])
    return columns, unfit


def on_disk(folder: Path) -> Find:
    """Finds files below `folder` and nowhere else, links included."""
    root = os.path.realpath(folder)

    def find(cell: str) -> File | str:
        if "\0" in cell:
            return "is no name of a file"
        path = os.path.join(root, cell)
        real = os.path.realpath(path)
        if not real.startswith(root.rstrip("/") + "/"):
            return f"leads out of {shown(folder)}"
        return File(cell, Path(real)) if os.path.isfile(real) else "there is no such file"

    return find


def in_listing(files: Sequence[File]) -> Find:
    """Finds files among those of an archive."""
    by_name = {f.name: f for f in files}

    def find(cell: str) -> File | str:
        name = posixpath.normpath(cell)
        if name.startswith(("/", "..")):
            return "leads out of the archive"
        return by_name.get(name, "there is no such file")

    return find


def _files(cells: pl.Series, find: Find) -> list[File | str | None] | None:
    """The file that each cell names; None unless they are called like images or sounds and one is there."""
    known = cells.drop_nulls()
    head = known.head(50).to_list()
    if not head or not all(os.path.splitext(c.strip())[1].lower() in IMAGES | SOUNDS for c in head):
        return None
    if not any(isinstance(find(c.strip()), File) for c in known.head(1000).to_list()):
        return None
    found = {c: find(c.strip()) for c in known.unique().to_list()}
    return [None if c is None else found[c] for c in cells.to_list()]


def _column(cells: pl.Series) -> Column:
    """Cells as a reader takes them: lists of numbers become arrays, odd types text or numbers."""
    kind = cells.dtype
    if isinstance(kind, pl.List | pl.Array) and kind.inner is not None and kind.inner.is_numeric():
        rows = [np.asarray(v.to_numpy() if v is not None else [], np.float32) for v in cells]
        same = len({len(r) for r in rows}) == 1
        return Column(cells.name, "arrays", np.stack(rows) if same else [r[:, None] for r in rows])
    if kind.is_decimal():
        cells = cells.cast(pl.Float64)
    elif isinstance(kind, pl.Duration):
        cells = cells.dt.total_microseconds() / 1e6
    elif kind in (pl.Categorical, pl.Enum, pl.Time):
        cells = cells.cast(pl.String)
    elif isinstance(kind, pl.Datetime) and kind.time_zone:
        cells = cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    elif isinstance(kind, pl.Null):
        cells = cells.cast(pl.String)
    if cells.dtype.is_float():
        cells = cells.set(~cells.is_finite().fill_null(False), None)
    return Column(cells.name, "cells", cells)


def _parquet(file: File, called: str) -> Table:
    try:
        with inflated(file) as stream:
            data = all_of(stream, file, called)
        with io.BytesIO(data) as held:
            found = pl.scan_parquet(held)
            rows = int(found.select(pl.len()).collect().item())
            fair(file.length(), called, rows=rows, cells=rows * len(found.collect_schema()))
            _check_letters(found, len(data), called)
            frame = found.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{shown(called)} is no readable Parquet file ({error}): save it again") from error
    if not frame.width:
        raise DataError(f"{shown(called)} has no columns")
    odd = [c.name for c in frame if isinstance(c.dtype, pl.Struct | pl.Binary | pl.Object)]
    odd += [
        c.name for c in frame if isinstance(c.dtype, pl.List | pl.Array) and not c.dtype.inner.is_numeric()
    ]
    left_out = [LeftOut(name, f"a column of {frame[name].dtype}, which is not read") for name in odd]
    return Table(frame.drop(odd), list(range(1, frame.height + 1)), left_out, [])


def _check_letters(found: pl.LazyFrame, size: int, called: str) -> None:
    """Raise DataError for a bomb: Parquet keeps a text once, however often it stands in the table."""
    schema = found.collect_schema()
    lengths = [
        (pl.col(name).str.len_bytes() if dtype == pl.String else pl.col(name).cat.len_bytes()).cast(pl.Int64)
        for name, dtype in schema.items()
        if dtype in (pl.String, pl.Categorical, pl.Enum)
    ]
    letters = int(sum(found.select(length.sum() for length in lengths).collect().row(0))) if lengths else 0
    if letters > FREE and letters > MOST_RATIO * size:
        raise DataError(
            f"{shown(called)} holds {letters:,} letters in {size:,} bytes, as files do that are made to fill"
            " a memory: if it is sound, save it as CSV"
        )


def _text(file: File, called: str) -> bytes:
    with inflated(file) as stream:
        return all_of(stream, file, called)


def all_of(stream: IO[bytes], file: File, called: str) -> bytes:
    """All bytes of a stream. Raises DataError for a bomb, and MachineError for more than fits in memory."""
    packed = file.length() or 0
    pieces: list[bytes] = []
    size = 0
    for piece in pieces_of(stream):
        pieces.append(piece)
        size += len(piece)
        if size > FREE and size > MOST_RATIO * packed:
            raise DataError(
                f"{shown(called)} unpacks to more than {MOST_RATIO} times its size: unpack it first"
            )
        if size > MOST_TEXT:
            raise MachineError(f"{shown(called)} is larger than {MOST_TEXT >> 30} GB: save it as Parquet")
    return b"".join(pieces)

"""Arrays in files: .npz, and the IDX files that MNIST comes in. Never pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tokenize import TokenError

import numpy as np
import polars as pl

from layerwise.data.archives import inflated, inner_name
from layerwise.data.listing import Listing
from layerwise.data.source import PARTS, Column, File, LeftOut, Source
from layerwise.data.spool import Spool, fair, pieces_of
from layerwise.errors import DataError, listed, shown

__all__ = ["arrays_source", "as_column", "idx_source", "is_idx", "npz_source", "rows_named"]

INPUTS = ("x", "data", "images", "inputs", "features")
TARGETS = ("y", "labels", "label", "targets", "target")
GROUPS = ("groups", "group")
RATES = ("rate_hz", "sampling_rate", "sample_rate", "fs", "sr")
IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def npz_source(file: File, title: str, spool: Spool, *, path: str) -> Source:
    """The arrays of an .npz file as columns, memory-mapped: see `arrays_source`."""
    arrays, left_out = _load(file, spool)
    return arrays_source(arrays, title, left_out=left_out, path=path, spool=spool, size=file.length())


def arrays_source(
    arrays: Mapping[str, np.ndarray],
    title: str,
    *,
    left_out: Sequence[LeftOut] = (),
    path: str = "",
    spool: Spool | None = None,
    size: int | None = None,
) -> Source:
    """Arrays by name as columns.

    X (or data, images, ...) are the inputs, y (or labels, ...) the target, groups the groups; every
    other array with as many rows is a column too. X_train, X_test and so on are parts; a single number
    called rate_hz (or fs, ...) is the sampling rate of X. Raises DataError where there are no examples.
    """
    rate = next((float(a) for k, a in arrays.items() if k.lower() in RATES and a.ndim == 0), None)
    named, parts = _parted({k: a for k, a in arrays.items() if a.ndim})
    called = shown(path or title)
    if not named:
        raise DataError(f"{called} holds no arrays of examples: save them as X and y with numpy.savez")
    inputs = next((k for k in named if k.lower() in INPUTS), max(named, key=lambda k: named[k].size))
    n = len(named[inputs])
    if size is not None:
        fair(size, path or title, rows=n)
    if n == 0:
        raise DataError(f"{called} holds no rows: {shown(inputs)} has the shape {named[inputs].shape}")
    odd = [
        LeftOut(k, f"has {len(a):,} rows where {shown(inputs)} has {n:,}")
        for k, a in named.items()
        if len(a) != n
    ]
    columns = {k: as_column(k, a, rate if k == inputs else None) for k, a in named.items() if len(a) == n}
    others = [k for k in columns if k != inputs]
    return Source(
        title,
        columns,
        rows_named(n),
        parts=parts,
        target=next((k for k in others if k.lower() in TARGETS), None),
        group=next((k for k in others if k.lower() in GROUPS), None),
        left_out=(*left_out, *odd),
        bytes=size,
        inputs=(inputs,),
        path=path,
        spools=() if spool is None else (spool,),
    )


def as_column(name: str, array: np.ndarray, rate_hz: float | None = None) -> Column:
    """An array (N,) as cells, one of more axes as arrays."""
    if array.ndim > 1:
        return Column(name, "arrays", array, rate_hz)
    if array.dtype.kind in "biuf":
        return Column(
            name, "cells", pl.Series(name, np.ascontiguousarray(array).astype(array.dtype.newbyteorder("=")))
        )
    if array.dtype.kind == "M":
        return Column(name, "cells", pl.Series(name, array.astype("datetime64[us]")))
    return Column(name, "cells", pl.Series(name, [str(v) for v in array.tolist()], pl.String))


def rows_named(n: int, first: int = 1) -> list[str]:
    """The ids of rows that have no names."""
    return [f"row {i}" for i in range(first, first + n)]


def _load(file: File, spool: Spool) -> tuple[dict[str, np.ndarray], list[LeftOut]]:
    arrays: dict[str, np.ndarray] = {}
    left_out: list[LeftOut] = []
    try:
        with file.open() as raw, zipfile.ZipFile(raw) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as stream:
                    start, size = spool.add(pieces_of(stream))
                try:
                    arrays[name] = _npy(spool.path, start, size)
                except (ValueError, SyntaxError, RecursionError, TokenError) as error:
                    left_out.append(LeftOut(name, str(error)))
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
        raise DataError(
            f"{shown(file.name)} is no readable .npz file ({error}): save it again with numpy.savez"
        ) from error
    if not arrays and left_out:
        raise DataError(f"{shown(file.name)}: {left_out[0].path} {left_out[0].reason}")
    return arrays, left_out


def _npy(path: Path, start: int, size: int) -> np.ndarray:
    """The array whose .npy bytes stand at `start`, mapped. Raises ValueError with the reason if it cannot"
    " be."""
    with open(path, "rb") as raw:
        raw.seek(start)
        version = np.lib.format.read_magic(raw)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(raw)
        at = raw.tell()
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are never opened: save it as numbers or text")
    if not dtype.itemsize:
        raise ValueError("holds values of no size")
    if at - start + dtype.itemsize * int(np.prod(shape, dtype=object)) != size:
        raise ValueError(f"declares the shape {shape}, but its bytes do not fit that")
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.asarray(np.memmap(path, dtype, "r", at, shape, "F" if fortran else "C"))


def _parted(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """X_train and X_test as one X, with the part of each row."""
    pieces: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        stem, _, part = name.rpartition("_")
        if stem and part.lower() in PARTS:
            pieces.setdefault(stem, {})[PARTS[part.lower()]] = array
    kept = [by_part for by_part in pieces.values() if "train" in by_part and len(by_part) > 1]
    if not kept or any(set(by_part) != set(kept[0]) for by_part in kept):
        return arrays, None
    order = list(kept[0])
    whole = {
        s: np.concatenate([p[part] for part in order])
        for s, p in pieces.items()
        if p.keys() == kept[0].keys()
    }
    sizes = [len(kept[0][part]) for part in order]
    return whole, np.repeat(np.array(order), sizes)


def is_idx(file: File) -> bool:
    """Whether a file says by its name that it is IDX (`train-images-idx3-ubyte.gz`, `images.idx3`)."""
    name = inner_name(file.name).lower()
    return "-idx" in name or ".idx" in name


def idx_source(listing: Listing, spool: Spool) -> Source:
    """Images (or other arrays) and labels in IDX files; train-* and t10k-* are parts.

    Files belong together whose names differ in images/labels only. Raises DataError where inputs
    have no labels of the same number, or a file's size is not what its header says.
    """
    blocks = []
    for file in listing.files:
        name = inner_name(file.name).lower()
        if "label" in name:
            continue
        values, twin = _idx(file, spool), _twin(file, listing.files)
        labels = None if twin is None else _idx(twin, spool)
        if labels is not None and len(labels) != len(values):
            raise DataError(
                f"{shown(file.name)} holds {len(values):,} rows, {shown(labels and twin)} {len(labels):,}"
            )
        part = next(
            (PARTS[w] for w in name.rsplit("/", 1)[-1].replace(".", "-").split("-") if w in PARTS), "train"
        )
        blocks.append((part, values, labels))
    blocks.sort(key=lambda b: ("train", "val", "test").index(b[0]))
    if not blocks:
        raise DataError(f"{shown(listing.path)} holds labels only: {listed(f.name for f in listing.files)}")
    if len({(v.shape[1:], y is None) for _, v, y in blocks}) > 1:
        raise DataError(
            f"the IDX files in {shown(listing.path)} hold examples of several shapes: give one pair"
        )
    size = sum(f.length() or 0 for f in listing.files)
    fair(size, listing.path, rows=sum(len(v) for _, v, _ in blocks))
    values = blocks[0][1] if len(blocks) == 1 else np.concatenate([v for _, v, _ in blocks])
    columns: dict[str, Column] = {"image" if values.ndim > 2 else "x": as_column("x", values)}
    name = next(iter(columns))
    columns = {name: Column(name, columns[name].holds, columns[name].values)}
    if blocks[0][2] is not None:
        labels = np.concatenate([y for _, _, y in blocks if y is not None])
        columns["label"] = Column("label", "cells", pl.Series("label", labels).cast(pl.String))
    parts = np.repeat(np.array([p for p, _, _ in blocks]), [len(v) for _, v, _ in blocks])
    return Source(
        listing.title,
        columns,
        rows_named(len(values)),
        parts=parts if len(blocks) > 1 else None,
        target="label" if "label" in columns else None,
        left_out=tuple(listing.left_out),
        bytes=size,
        inputs=(name,),
        path=listing.path,
        spools=() if spool is None else (spool,),
    )


def _twin(file: File, files: list[File]) -> File | None:
    """The labels that belong to a file of inputs."""

    def key(f: File) -> str:
        folder, _, name = inner_name(f.name).lower().rpartition("/")
        stem = name.replace("labels", "images").replace("label", "image")
        head, mark, rest = stem.partition("idx")
        return f"{folder}/{head}{mark}{rest.lstrip('0123456789')}"

    return next(
        (f for f in files if f is not file and key(f) == key(file) and "label" in f.name.lower()), None
    )


def _idx(file: File, spool: Spool) -> np.ndarray:
    with inflated(file) as stream:
        start, size = spool.add(pieces_of(stream))
    with open(spool.path, "rb") as raw:
        raw.seek(start)
        head = raw.read(4)
        axes = head[3] if len(head) == 4 else 0
        sizes = raw.read(4 * axes)
    if head[:2] != b"\0\0" or head[2] not in IDX_TYPES or not axes or len(sizes) < 4 * axes:
        raise DataError(f"{shown(file.name)} is called an IDX file but does not begin like one")
    shape = tuple(int(s) for s in np.frombuffer(sizes, ">u4"))
    dtype = np.dtype(IDX_TYPES[head[2]])
    if 4 + 4 * axes + dtype.itemsize * int(np.prod(shape, dtype=object)) != size:
        raise DataError(
            f"{shown(file.name)} declares the shape {shape}, but its {size:,} bytes do not fit that"
        )
    if 0 in shape:
        raise DataError(f"{shown(file.name)} holds no examples: its shape is {shape}")
    mapped = np.asarray(np.memmap(spool.path, dtype, "r", start + 4 + 4 * axes, shape))
    return mapped if dtype.isnative else mapped.astype(dtype.newbyteorder("="))

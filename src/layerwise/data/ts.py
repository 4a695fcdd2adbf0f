"""Series in .ts files, as the UCR and UEA archives hold them: several channels, unequal lengths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from layerwise.data.archives import inflated
from layerwise.data.frames import all_of
from layerwise.data.listing import Listing, title
from layerwise.data.source import PARTS, Column, File, LeftOut, Part, Source
from layerwise.errors import DataError, listed, shown

__all__ = ["is_ts", "set_name", "ts_source"]


MOST_GAPS = 16  # places to values in one series


def is_ts(file: File) -> bool:
    """Whether a file is called like a .ts file."""
    return file.suffix == ".ts"


def set_name(file: File) -> str:
    """Of which data set a file is: `GunPoint` for GunPoint/GunPoint_TRAIN.ts."""
    return _stem(file)[0]


def ts_source(listing: Listing) -> Source:
    """The series of a data set as a column of arrays: (N, T, C) float32, or a list of (T, C) where
    lengths differ, NaN where a value is missing. NAME_TRAIN.ts and NAME_TEST.ts are parts.

    Raises DataError for several data sets at once, and for files that cannot be read.
    """
    stems = {_stem(f): f for f in listing.files}
    names = sorted({name for name, _ in stems})
    if len(names) > 1:
        raise DataError(
            f"{shown(listing.path)} holds {len(names)} data sets ({listed(names)}): name one, as in"
            f" {shown(f'{listing.path}/{names[0]}')}"
        )
    order = sorted(stems, key=lambda key: ("train", "val", "test").index(key[1]))
    blocks = [_parse(stems[key]) for key in order]
    if len({(b.channels, b.target) for b in blocks}) > 1:
        raise DataError(f"the .ts files in {shown(listing.path)} differ in channels or labels: give one pair")
    series = [s for b in blocks for s in b.series]
    same = len({len(s) for s in series}) == 1
    columns = {"series": Column("series", "arrays", np.stack(series) if same else series)}
    if target := blocks[0].target:
        labels = [label for b in blocks for label in b.labels]
        cells = pl.Series(target, labels, pl.String)
        columns[target] = Column(
            target, "cells", cells if target == "class" else cells.cast(pl.Float64, strict=False)
        )
    sizes = [len(b.series) for b in blocks]
    prefixes = [""] + [f"{part} " for _, part in order[1:]]
    return Source(
        names[0] or title(listing.path),
        columns,
        [f"{p}row {i}" for p, b in zip(prefixes, blocks, strict=True) for i in b.places],
        parts=np.repeat(np.array([part for _, part in order]), sizes) if len(blocks) > 1 else None,
        target=target,
        left_out=(*listing.left_out, *(out for b in blocks for out in b.left_out)),
        bytes=sum(f.length() or 0 for f in listing.files),
        inputs=("series",),
        path=listing.path,
        spools=listing.spools,
    )


@dataclass
class _Block:
    """What one file holds."""

    channels: int
    target: str | None
    series: list[np.ndarray] = field(default_factory=list)  # (T, C) each
    labels: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def _stem(file: File) -> tuple[str, Part]:
    """`GunPoint` and `train` for GunPoint/GunPoint_TRAIN.ts."""
    stem = file.name.rsplit("/", 1)[-1].rpartition(".")[0]
    head, _, tail = stem.rpartition("_")
    return (head, PARTS[tail.lower()]) if head and tail.lower() in PARTS else (stem, "train")


def _parse(file: File) -> _Block:
    with inflated(file) as stream:
        lines = all_of(stream, file, file.name).decode("utf-8", "replace").split("\n")
    start, header = _header(lines, file)
    if header.get("@timestamps") == "true":
        raise DataError(
            f"{shown(file.name)} gives a time with every value, which is not read: save it with equal steps"
        )
    labelled = header.get("@classlabel", "").startswith("true")
    target = "class" if labelled else "target" if header.get("@targetlabel") == "true" else None
    block: _Block | None = None
    for place, line in enumerate((text for text in lines[start:] if text.strip()), 1):
        fields = line.strip().split(":")
        label = fields.pop() if target else ""
        block = block or _Block(len(fields), target)
        try:
            if len(fields) != block.channels:
                raise ValueError(f"has {len(fields)} channels where {block.channels} were expected")
            block.series.append(_values(fields))
        except ValueError as error:
            block.left_out.append(LeftOut(f"{file.name} row {place}", str(error)))
            continue
        block.labels.append(label)
        block.places.append(place)
    if block is None or not block.series:
        raise DataError(f"{shown(file.name)} holds no series after @data")
    return block


def _header(lines: list[str], file: File) -> tuple[int, dict[str, str]]:
    """Where the data begin, and what the lines before say."""
    header: dict[str, str] = {}
    for i, line in enumerate(lines):
        word, _, rest = line.strip().partition(" ")
        if word.lower() == "@data":
            return i + 1, header
        if word.startswith("@"):
            header[word.lower()] = rest.strip().lower()
    raise DataError(f"{shown(file.name)} has no line @data: it is no .ts file")


def _values(fields: list[str]) -> np.ndarray:
    """(T, C) float32 from the channels' texts; a channel that ends early is missing from there on."""
    channels = [[np.nan if v.strip() in ("?", "") else float(v) for v in f.split(",")] for f in fields]
    longest, given = max(map(len, channels)), sum(map(len, channels))
    if longest * len(channels) > MOST_GAPS * given:
        raise ValueError(f"has {len(channels):,} channels, most of them far shorter than {longest:,} values")
    values = np.full((longest, len(channels)), np.nan, np.float32)
    for c, channel in enumerate(channels):
        values[: len(channel), c] = channel
    return values

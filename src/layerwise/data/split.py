"""Which rows train, which stop and calibrate, which are held out: once, before anything is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from layerwise.data.copies import joined, numbered
from layerwise.data.deal import Deal
from layerwise.data.source import PARTS, Roles, Source
from layerwise.errors import DataError, listed, shown
from layerwise.randomness import Randomness

__all__ = ["Split", "split_rows"]

LEAST = 20  # rows; fewer say nothing about held-out ones
BINS = 10  # a number is stratified by its deciles
Kind = Literal["given", "groups", "time", "random"]


@dataclass(frozen=True)
class Split:
    """Rows of the source by what they are for, each rising. Rows in none of them have no target."""

    train: np.ndarray
    validation: np.ndarray  # for stopping and calibration
    test: np.ndarray  # held out
    kind: Kind
    why: str  # "by recording (77 groups): 503 train, 126 held out"
    groups: np.ndarray | None = None  # (N,) int64, of every row of the source; intervals are drawn over them


def split_rows(
    source: Source,
    roles: Roles,
    targets: Any | None,
    *,
    seed: int,
    classes: bool | None = None,
    known: np.ndarray | None = None,
    copies: np.ndarray | None = None,
    test: float = 0.2,
    validation: float = 0.1,
) -> Split:
    """Split the rows of `source`, the same way for the same seed.

    `targets` (N,) labels or numbers, or (N, K) tags; None: rows need none. `known` (N,): which rows have one;
    the others take no part. `classes`: whether they are classes or numbers (None: as they look). `copies` (N,) from
    `duplicates`: rows that share a number stay on one side. In order of precedence: parts that the
    source or `roles.split` gives; groups; time; chance, stratified. `test` is a share of all rows,
    `validation` of those that are left.

    Raises DataError for fewer than 20 rows, and for targets that are all the same.
    """
    if targets is None:
        usable, strata = np.arange(len(source)), None
    else:
        usable, strata = _strata(targets, classes, known)
    _check(source, roles, usable, strata)
    rng = Randomness(seed).at("split")
    groups = _groups(source, roles)
    tied = groups if copies is None else copies if groups is None else joined(groups, copies)
    deal = Deal(strata, tied, grouped=groups is not None, rng=rng)
    given = _given(source, roles, usable)
    if given is not None:
        kind, name, held, own = given
    else:
        kind, name = _way(roles, groups, usable, strata is not None, test)
        held = _latest(source, roles, usable, test) if kind == "time" else deal.part(usable, test, "test")
        own = held[:0]
    rest = np.setdiff1d(usable, np.union1d(held, own))
    if not len(own):
        later = kind == "time"
        own = _latest(source, roles, rest, validation) if later else deal.part(rest, validation, "validation")
        rest = np.setdiff1d(rest, own)
    why = f"{name}: {len(rest) + len(own):,} train, {len(held):,} held out"
    if len(usable) < len(source):
        target = listed(roles.targets) or "a target"
        why += f"; {len(source) - len(usable):,} rows without {target} take no part"
    if copies is not None:
        why += _of_copies(copies, np.concatenate([rest, own]), held)
    return Split(rest, own, held, kind, why, groups)


def _of_copies(copies: np.ndarray, train: np.ndarray, held: np.ndarray) -> str:
    """What is said of rows that are copies of others."""
    taking = np.concatenate([train, held])
    spare = len(taking) - len(np.unique(copies[taking]))
    torn = int(np.isin(copies[held], copies[train]).sum())
    if torn:
        return f"; {torn:,} held-out rows are copies of training rows, which flatters"
    return f"; {spare:,} copies of others, kept on one side" if spare else ""


def _way(
    roles: Roles, groups: np.ndarray | None, usable: np.ndarray, stratified: bool, share: float
) -> tuple[Kind, str]:
    """How to split where nobody has said so, and in words."""
    if groups is not None:
        if len(np.unique(groups[usable])) < 2:
            raise DataError(
                f"all rows have the same {shown(roles.group)}, so no group can be held out: name another column"
                " with --group, or none with --group none"
            )
        return "groups", f"by {roles.group} ({len(np.unique(groups[usable])):,} groups)"
    if roles.time is not None:
        return "time", f"by {roles.time}, the last {share:.0%} held out"
    return "random", "at random, stratified" if stratified else "at random"


def _groups(source: Source, roles: Roles) -> np.ndarray | None:
    if roles.group is None:
        return None
    values = source.columns[roles.group].values
    series = values if isinstance(values, pl.Series) else pl.Series([str(v) for v in values])
    known = series.cast(pl.String).to_list()
    return numbered(known)


def _strata(
    targets: Any, classes: bool | None, known: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The rows that have a target, and (N,) what to stratify by: class, decile, pattern of tags."""
    array = np.asarray(targets)
    if known is None:
        known = np.array([not _missing(v) for v in array]) if array.ndim == 1 else np.ones(len(array), bool)
    usable = np.flatnonzero(known)
    if array.ndim == 2:
        return usable, _coarse(np.unique(array.astype(str), axis=0, return_inverse=True)[1].reshape(-1))
    numbers = all(isinstance(v, int | float | np.number) for v in array[usable].tolist())
    if classes is None:
        classes = len(set(array[usable].tolist())) <= 2 * BINS
    if classes or not numbers:
        return usable, _coarse(numbered([str(v) for v in array.tolist()]))
    bins = np.zeros(len(array), np.int64)
    bins[usable[np.argsort(array[usable].astype(float), kind="stable")]] = (
        np.arange(len(usable)) * BINS // len(usable)
    )
    return usable, bins


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _coarse(strata: np.ndarray) -> np.ndarray | None:
    """None where nearly every row is a stratum of its own."""
    return strata if len(np.unique(strata)) <= len(strata) // 2 else None


def _check(source: Source, roles: Roles, usable: np.ndarray, strata: np.ndarray | None) -> None:
    what = "files" if any(c.holds == "files" for c in source.columns.values()) else "rows"
    target = listed(roles.targets) or "the target"
    if len(usable) < LEAST:
        missing = f" ({len(source) - len(usable)} more have no {target})" if len(usable) < len(source) else ""
        raise DataError(
            f"{source.called} holds {len(usable)} {what} to learn from{missing}; at least {LEAST} are"
            " needed to train on some and test on others: add more"
        )
    if strata is not None and len(np.unique(strata[usable])) < 2 and len(roles.targets) == 1:
        cell = source.columns[roles.targets[0]].take([int(usable[0])])[0]
        if source.target == "class" and what == "files":
            raise DataError(
                f"all {len(usable):,} files in {source.called} belong to one class, {shown(cell)}."
                " Put each class into a folder of its own, or name the column that tells them apart with"
                " --target."
            )
        raise DataError(
            f"all {len(usable):,} {what} have the same {shown(target)}, {shown(cell)}: there is nothing to"
            " tell"
            " apart. Name another column with --target."
        )


def _given(
    source: Source, roles: Roles, usable: np.ndarray
) -> tuple[Kind, str, np.ndarray, np.ndarray] | None:
    """What someone has said is held out and is for validation, and where it is said."""
    parts, name = source.parts, "as the folders or files say"
    if roles.split is not None:
        parts, name = _told(source, roles.split, roles.test), f"as the column {shown(roles.split)} says"
    if parts is None:
        return None
    held, own = (usable[parts[usable] == part] for part in ("test", "val"))
    if not len(held):  # a validation part alone is the held-out part: nothing else can be
        held, own = own, held
    rest = len(usable) - len(held) - len(own)
    if rest and len(held):
        return "given", name, held, own
    if roles.split is None:
        return None  # all of one part: files to answer for, or no held-out ones among them
    raise DataError(f"{name}, {rest:,} rows are left to train on and {len(held):,} held out: both need some")


def _told(source: Source, column: str, test: Sequence[str]) -> np.ndarray:
    """The part of each row by the cells of a column: those of `test`, or what parts are called."""
    cells = [str(v) for v in source.columns[column].values]
    known = sorted(set(cells))
    if test:
        if unknown := sorted(set(test) - set(cells)):
            raise DataError(f"no row has {shown(column)} = {listed(unknown)}; it holds {listed(known)}")
        return np.array(["test" if c in test else "train" for c in cells])
    parts = np.array([PARTS.get(c.strip().lower(), "") for c in cells])
    if not np.isin(parts, ("test", "val")).any():
        raise DataError(
            f"the column {shown(column)} names no parts such as train and test, but {listed(known)}: say"
            " which cells"
            f" are held out, as in --split {column}={known[0]}"
        )
    return parts


def _latest(source: Source, roles: Roles, rows: np.ndarray, share: float) -> np.ndarray:
    """The last `share` of rows by time; rows of one moment stay together."""
    moments = source.columns[str(roles.time)].values.to_physical().cast(pl.Float64).to_numpy()[rows]
    cut = np.nanquantile(moments, 1 - share, method="higher")
    return np.asarray(rows[moments >= cut], np.int64)

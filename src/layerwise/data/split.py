"""Which rows train, which stop and calibrate, which are held out: once, before anything is fitted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from layerwise.data.source import PARTS, Column, Roles, Source
from layerwise.errors import DataError, Rejected, listed, shown
from layerwise.randomness import Randomness

__all__ = ["Split", "duplicates", "split_rows"]

LEAST = 20  # rows; fewer say nothing about held-out ones
BINS = 10  # a number is stratified by its deciles
TRIES = 64  # seeded orders in which groups are dealt out
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
    targets: Any,
    *,
    seed: int,
    classes: bool | None = None,
    known: np.ndarray | None = None,
    copies: np.ndarray | None = None,
    test: float = 0.2,
    validation: float = 0.1,
) -> Split:
    """Split the rows of `source`, the same way for the same seed.

    `targets` (N,) labels or numbers, or (N, K) tags. `known` (N,): which rows have one; the others take
    no part. `classes`: whether they are classes or numbers (None: as they look). `copies` (N,) from
    `duplicates`: rows that share a number stay on one side. In order of precedence: parts that the
    source or `roles.split` gives; groups; time; chance, stratified. `test` is a share of all rows,
    `validation` of those that are left.

    Raises DataError for fewer than 20 rows, and for targets that are all the same.
    """
    usable, strata = _strata(targets, classes, known)
    _check(source, roles, usable, strata)
    rng = Randomness(seed).at("split")
    groups = _groups(source, roles)
    tied = _tied(groups, copies)
    deal = _Deal(strata, tied, groups is not None, rng)
    if parts := _given(source, roles):
        held, own, name = parts
        held, own = np.intersect1d(held, usable), np.intersect1d(own, usable)
        rest = np.setdiff1d(usable, np.union1d(held, own))
        kind: Kind = "given"
        if not len(held) or not len(rest):
            raise DataError(
                f"{name} leaves {len(rest)} rows to train on and {len(held)} held out: both need some"
            )
    else:
        own = np.empty(0, np.int64)
        if groups is not None:
            kind, name = "groups", f"by {roles.group} ({len(np.unique(groups[usable])):,} groups)"
            held = deal.part(usable, test, "test")
        elif roles.time is not None:
            kind, name = "time", f"by {roles.time}, the last {test:.0%} held out"
            held = _latest(source, roles.time, usable, test)
        else:
            kind, name = "random", "at random, stratified" if strata is not None else "at random"
            held = deal.part(usable, test, "test")
        rest = np.setdiff1d(usable, held)
    if not len(own):
        later = kind == "time" and roles.time is not None
        own = (
            _latest(source, str(roles.time), rest, validation)
            if later
            else deal.part(rest, validation, "validation")
        )
        rest = np.setdiff1d(rest, own)
    why = f"{name}: {len(rest) + len(own):,} train, {len(held):,} held out"
    return Split(rest, own, held, kind, why, groups)


def duplicates(columns: Mapping[str, Column], fingerprints: Sequence[Any] | None = None) -> np.ndarray | None:
    """(N,) int64: rows that share a number hold copies of one file, byte for byte.

    `fingerprints`, one a row and equal for near-copies (None: unknown), tie rows too. None where
    there are no two alike.
    """
    n = len(next(iter(columns.values())))
    ties = [_copies(c.values) for c in columns.values() if c.holds == "files"]
    if fingerprints is not None:
        ties.append(_numbered(fingerprints))
    joined = _tied(None, None)
    for tie in ties:
        joined = tie if joined is None else _joined(joined, tie)
    return None if joined is None or len(np.unique(joined)) == n else joined


def _copies(files: Sequence[Any]) -> np.ndarray:
    """Files of equal size are compared by a hash of their bytes; others cannot be equal."""
    sizes = [None if f is None else f.length() for f in files]
    times: dict[int | None, int] = {}
    for size in sizes:
        times[size] = times.get(size, 0) + 1
    marks: list[Any] = []
    for f, size in zip(files, sizes, strict=True):
        alone = size is None or times[size] == 1
        try:
            marks.append(None if alone else hashlib.blake2b(f.bytes(), digest_size=16).digest())
        except Rejected:
            marks.append(None)
    return _numbered(marks)


def _numbered(marks: Sequence[Any]) -> np.ndarray:
    """Equal marks as equal numbers; None differs from everything."""
    numbers: dict[Any, int] = {}
    return np.array(
        [len(marks) + i if m is None else numbers.setdefault(m, i) for i, m in enumerate(marks)], np.int64
    )


def _joined(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Numbers equal wherever either is equal, through chains too (union-find)."""
    _, a = np.unique(one, return_inverse=True)
    _, b = np.unique(two, return_inverse=True)
    parent = list(range(int(a.max()) + int(b.max()) + 2))

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = x = parent[parent[x]]
        return x

    for x, y in zip(a.tolist(), (b + int(a.max()) + 1).tolist(), strict=True):
        parent[root(x)] = root(y)
    return np.array([root(x) for x in a.tolist()], np.int64)


def _tied(groups: np.ndarray | None, copies: np.ndarray | None) -> np.ndarray | None:
    if groups is None or copies is None:
        return copies if groups is None else groups
    return _joined(groups, copies)


def _groups(source: Source, roles: Roles) -> np.ndarray | None:
    if roles.group is None:
        return None
    values = source.columns[roles.group].values
    series = values if isinstance(values, pl.Series) else pl.Series([str(v) for v in values])
    known = series.cast(pl.String).to_list()
    return _numbered(known)


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
    if classes is None:
        numbers = all(isinstance(v, int | float | np.number) for v in array[usable].tolist())
        classes = not numbers or len(set(array[usable].tolist())) <= 2 * BINS
    if classes:
        return usable, _coarse(_numbered([str(v) for v in array.tolist()]))
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


def _given(source: Source, roles: Roles) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Test rows, validation rows and where they come from, where someone has said so."""
    parts, name = source.parts, "as the folders or files say"
    if roles.split is not None:
        parts, name = _told(source, roles.split, roles.test), f"as the column {shown(roles.split)} says"
    if parts is None:
        return None
    held, own = np.flatnonzero(parts == "test"), np.flatnonzero(parts == "val")
    if not len(held):  # a validation part alone is the held-out part: nothing else can be
        held, own = own, held
    given = len(held) and (len(held) < len(parts) or roles.split is not None)
    return (held, own, name) if given else None


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


def _latest(source: Source, time: str, rows: np.ndarray, share: float) -> np.ndarray:
    """The last `share` of rows by time; rows of one moment stay together."""
    moments = source.columns[time].values.to_physical().cast(pl.Float64).to_numpy()[rows]
    cut = np.nanquantile(moments, 1 - share, method="higher")
    return _picked(rows, moments >= cut)


def _picked(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.asarray(rows[chosen], np.int64)


class _Deal:
    """Deals rows out: a share of each class, tied rows together."""

    def __init__(
        self, strata: np.ndarray | None, tied: np.ndarray | None, grouped: bool, rng: Randomness
    ) -> None:
        self._strata, self._tied, self._grouped, self._rng = strata, tied, grouped, rng

    def part(self, rows: np.ndarray, share: float, purpose: str) -> np.ndarray:
        """About `share` of `rows`, rising."""
        draw = self._rng.numpy(purpose)
        strata = np.zeros(len(rows), np.int64) if self._strata is None else self._strata[rows]
        if self._grouped and self._tied is not None:
            return _picked(rows, _by_group(strata, self._tied[rows], share, draw))
        if self._tied is None:
            return _picked(rows, _by_chance(strata, share, draw))
        _, first, where = np.unique(self._tied[rows], return_index=True, return_inverse=True)
        return _picked(rows, _by_chance(strata[first], share, draw)[where])


def _by_chance(strata: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """(n,) True for `share` of each stratum, what is over by largest remainder; one row of each stays."""
    _, strata, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    want = sizes * share
    take = np.floor(want).astype(np.int64)
    missing = round(len(strata) * share) - int(take.sum())
    order = np.argsort(-(want - take) - 1e-9 * draw.random(len(sizes)), kind="stable")
    take[order[: max(0, missing)]] += 1
    take = np.minimum(take, np.maximum(sizes - 1, 0))
    if not take.sum() and len(strata) > 1:
        take[np.argmax(sizes)] = 1
    shuffled = draw.permutation(len(strata))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    rank = np.arange(len(strata)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = np.zeros(len(strata), bool)
    chosen[by_stratum] = rank < np.repeat(take, sizes)
    return chosen


def _by_group(strata: np.ndarray, groups: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """(n,) True for whole groups that together hold about `share` of the rows of every class.

    Groups are dealt out greedily in several random orders and the best deal is kept. Every class keeps
    a group to train on, and one is held out of each class that has two, where that can be.
    """
    _, strata = np.unique(strata, return_inverse=True)
    _, groups = np.unique(groups, return_inverse=True)
    counts = np.zeros((groups.max() + 1, strata.max() + 1))
    np.add.at(counts, (groups, strata), 1)
    if len(counts) < 2:
        raise DataError(
            "all rows belong to one group, so none can be held out: name another column with --group,"
            " or none with --group none"
        )
    tries = int(np.clip(20_000 // len(counts), 1, TRIES))
    deals = [_dealt(counts, share, draw.permutation(len(counts))) for _ in range(tries)]
    return min(deals, key=lambda deal: deal[0])[1][groups]


def _dealt(counts: np.ndarray, share: float, order: np.ndarray) -> tuple[float, np.ndarray]:
    totals, spread = counts.sum(0), (counts > 0).sum(0)
    chosen = np.zeros(len(counts), bool)
    have, left = np.zeros(len(totals)), spread.copy()

    def badness(have: np.ndarray) -> float:
        off = have / totals - share
        empty = (have == 0) & (spread > 1)
        return float((off**2).sum() + empty.sum() + len(totals) * (have.sum() / totals.sum() - share) ** 2)

    now = badness(have)
    for g in order:
        present = counts[g] > 0
        then = badness(have + counts[g])
        if then < now and (left[present] > 1).all():
            chosen[g], now = True, then
            have, left = have + counts[g], left - present
    if not chosen.any():
        smallest = order[np.argmin(counts[order].sum(1))]
        chosen[smallest], now = True, badness(counts[smallest])
    return now, chosen

"""Which columns are inputs, target, groups, split, time and weights: as told, or guessed and said."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from layerwise.data.groups import named_group, sharing, telling
from layerwise.data.source import PARTS, Column, Roles, Source
from layerwise.errors import DataError, UsageError, listed, shown, suggest

__all__ = ["find_roles"]

SHARED = 1.25  # rows a group on average, from which on a column named like groups is one
TARGETS = (
    "target",
    "label",
    "labels",
    "class",
    "classes",
    "y",
    "category",
    "outcome",
    "tags",
    "species",
    "sentiment",
)
SPLITS = ("split", "part", "partition", "subset", "set", "fold")


def find_roles(
    source: Source,
    *,
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    group: str | None = None,
    split: str | None = None,
    time: str | None = None,
    weight: str | None = None,
) -> Roles:
    """Say which columns are what. What is None or empty is guessed, and each guess stands in `notes`.

    `split` is a column whose cells are called train, val and test, or `take=0,1,2`: the cells of a column
    that mean held out. `group="none"` looks for no groups. Raises DataError for a column that is not
    there, and where no target can be guessed.
    """
    notes: list[str] = []
    split, test = _held_out(source, split)
    for name in (
        *_several(target),
        *_several(inputs),
        split,
        time,
        weight,
        None if group == "none" else group,
    ):
        _known(source, name)
    if time is not None:
        _orders(source, time)
    targets = _several(target) or (_guess_target(source, notes),)
    if split is None and source.parts is None:
        split = _guess_split(source, targets, notes)
    if group is None:
        group = _guess_group(source, targets, {*targets, *_several(inputs), split, time, weight}, notes)
    elif group == "none" and group not in source.columns:
        group = None
    chosen = _several(inputs) or _guess_inputs(source, targets, {*targets, group, split, weight}, notes)
    if group in targets:
        raise UsageError(
            f"{shown(group)} cannot be group and target at once: all rows of an answer would stand on one side;"
            " name another column with --group, or none with --group none"
        )
    if both := set(chosen) & set(targets):
        raise UsageError(f"{listed(sorted(both))} cannot be input and target at once: leave it out of one")
    return Roles(chosen, targets, group, split, time, weight, test, tuple(notes))


def _several(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _known(source: Source, name: str | None) -> None:
    if name is not None and name not in source.columns:
        raise DataError(
            f"no column {shown(name)} in {source.called}{suggest(name, source.columns) or '.'}"
            f" Its columns: {listed(source.columns)}"
        )


def _orders(source: Source, time: str) -> None:
    column = source.columns[time]
    if column.holds != "cells" or not (column.values.dtype.is_temporal() or column.values.dtype.is_numeric()):
        found = shown(column.take([0])[0]) if column.holds == "cells" else column.holds
        raise DataError(f"{shown(time)} must hold dates or numbers to order rows by, got {found}")


def _held_out(source: Source, split: str | None) -> tuple[str | None, tuple[str, ...]]:
    """`take=0,1,2` as a column and its cells; a column may have an equals sign in its name."""
    if split is None or split in source.columns or "=" not in split:
        return split, ()
    name, _, cells = split.partition("=")
    return name.strip(), tuple(c.strip() for c in cells.split(","))


def _guess_target(source: Source, notes: list[str]) -> str:
    if source.target is not None:
        return source.target
    others = [n for n, c in source.columns.items() if n not in source.inputs and c.holds != "files"]
    by_name = {n.lower(): n for n in reversed(others)}
    named = next((by_name[t] for t in TARGETS if t in by_name), None)
    if named is None and (source.inputs or len(others) < 2) and len(others) != 1:
        known = f" Its columns: {listed(others)}." if others else ""
        raise DataError(
            f"nothing in {source.called} says what is to be learnt.{known} Put each class into a folder of"
            " its own,"
            " name the column with --target, or take the file names apart with --name '{label}_{number}'."
        )
    chosen = named or others[-1]
    if len(others) > 1:
        why = "by its name" if named else "the last column"
        notes.append(f"{shown(chosen)} is taken for the target, {why} (--target).")
    return chosen


def _guess_split(source: Source, targets: Sequence[str], notes: list[str]) -> str | None:
    """A column whose every cell is the name of a part, with rows to train on and others."""
    for name, column in source.columns.items():
        if name.lower() in SPLITS and name not in targets and column.holds == "cells":
            cells = {str(v).strip().lower() for v in column.values.unique().to_list()}
            if (
                cells <= set(PARTS)
                and len({PARTS[c] for c in cells}) > 1
                and "train" in map(PARTS.get, cells)
            ):
                notes.append(f"The column {shown(name)} says what is held out (--split).")
                return name
    return None


def _guess_group(
    source: Source, targets: Sequence[str], taken: set[str | None], notes: list[str]
) -> str | None:
    classes = _classes(source, targets)
    free = [n for n, c in source.columns.items() if c.holds == "cells" and n not in taken]

    def fits(name: str, least: float) -> bool:
        return sharing(source.columns[name].values.to_list(), classes, least=least)

    chosen = source.group if source.group in free and fits(source.group, 1) else None
    if chosen is None:
        chosen = next((n for n in named_group(free) if fits(n, SHARED)), None)
    if chosen is None and source.pieces:
        pieces = {n: source.columns[n].values.to_list() for n in source.pieces if n not in taken}
        chosen = telling(pieces, classes)
    if chosen is not None:
        count = source.columns[chosen].values.n_unique()
        notes.append(f"Rows of one {shown(chosen)} ({count:,} of them) stay together (--group).")
    return chosen


def _classes(source: Source, targets: Sequence[str]) -> list[str] | None:
    """The target where it is one of few classes; None where it is a number or several columns."""
    column = source.columns[targets[0]]
    if len(targets) > 1 or column.holds != "cells":
        return None
    cells = column.values
    few = cells.n_unique() <= max(2, len(cells) // 2)
    return cells.cast(pl.String).to_list() if few and not cells.dtype.is_float() else None


def _guess_inputs(
    source: Source, targets: Sequence[str], taken: set[str | None], notes: list[str]
) -> tuple[str, ...]:
    if source.inputs:
        return tuple(n for n in source.inputs if n not in taken)
    free = [n for n in source.columns if n not in taken]
    leaks = [n for n in free if _tells(source.columns[n], source.columns[targets[0]])]
    if leaks:
        notes.append(
            f"Left out of the inputs, as {listed(leaks)} says {shown(targets[0])} in other words (--input)."
        )
    chosen = tuple(n for n in free if n not in leaks)
    if not chosen:
        raise DataError(
            f"{source.called} has no column to learn {listed(targets)} from; its columns:"
            f" {listed(source.columns)}"
        )
    return chosen


def _tells(column: Column, target: Column) -> bool:
    """Whether a column is the target in other words: each class one cell, each cell one class."""
    if column.holds != "cells" or target.holds != "cells":
        return False
    one, two = column.values.alias("one"), target.values.alias("two")
    few = 2 <= one.n_unique() <= len(one) // 2
    return bool(few and one.n_unique() == two.n_unique() == pl.DataFrame([one, two]).n_unique())

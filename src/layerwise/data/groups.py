"""Rows that belong together: by the names of columns, or by what several file names share.

A split that tears a recording, a speaker or a patient apart flatters. Groups are found unasked where
the names show them, and not invented where they do not.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Named", "found_in_names", "named_group", "sharing", "telling"]

LEAST_GROUPS = 5
LEAST_ROWS = 3  # a group, on average
WORDS = [
    "recording",
    "recordings",
    "speaker",
    "singer",
    "writer",
    "subject",
    "patient",
    "participant",
    "person",
    "individual",
    "animal",
    "donor",
    "session",
    "source",
    "src",
    "household",
    "respondent",
    "interviewee",
    "cage",
    "litter",
    "station",
    "site",
]
ENDINGS = ("", "file", "id", "ids", "name", "no", "nr", "num", "number", "code")


class Named(NamedTuple):
    """A column of groups that file names show."""

    name: str  # "recording", "speaker"
    groups: list[str]
    why: str


def named_group(names: Sequence[str]) -> list[str]:
    """Those of `names` that are called what groups are called, the likeliest first."""
    known = {w + e: i for i, w in enumerate(WORDS) for e in ENDINGS}
    flat = {name: re.sub(r"[^a-z]", "", name.lower()) for name in names}
    return sorted((n for n in names if flat[n] in known), key=lambda n: known[flat[n]])


def sharing(groups: Sequence[Any], classes: Sequence[Any] | None, *, least: float = LEAST_ROWS) -> bool:
    """Whether a split by these groups can be: five groups or more, `least` rows in each on average, and
    at least half of the classes in more than one group (a face's person is no group of faces)."""
    present = [g for g in groups if g is not None]
    count = len(set(present))
    if count < LEAST_GROUPS or len(present) < least * count:
        return False
    if classes is None:
        return True
    of_class: dict[Any, set[Any]] = defaultdict(set)
    for group, label in zip(groups, classes, strict=True):
        of_class[label].add(group)
    return 2 * sum(len(g) > 1 for g in of_class.values()) >= len(of_class)


def telling(pieces: Mapping[str, Sequence[str]], classes: Sequence[Any] | None) -> str | None:
    """The piece of the names that says what belongs together: the first that is shared, is not the
    class in other words, and is not the last that varies, which counts takes."""
    varying = [name for name, cells in pieces.items() if len(set(cells)) > 1 and not _same(cells, classes)]
    return next((name for name in varying[:-1] if sharing(pieces[name], classes)), None)


def found_in_names(stems: Sequence[str], classes: Sequence[str], *, sounds: bool) -> Named | None:
    """Groups that the names of files without extension show, or None.

    Either names are pieces between separators, in the same number everywhere (`7_jackson_32`), or
    they are numbers of one width whose first characters are shared within a class (`91012001`).
    """
    groups = _by_piece(stems, classes) or _by_prefix(stems, classes)
    if groups is None:
        return None
    of_group: dict[str, set[str]] = defaultdict(set)
    for group, label in zip(groups, classes, strict=True):
        of_group[group].add(label)
    nested = 2 * sum(len(c) == 1 for c in of_group.values()) > len(of_group)
    name = ("recording" if nested else "speaker") if sounds else ("series" if nested else "subject")
    examples = ", ".join(sorted(of_group)[:3])
    return Named(name, groups, f"{len(of_group)} groups found in the file names ({examples}, ...)")


def _same(cells: Sequence[Any], classes: Sequence[Any] | None) -> bool:
    if classes is None:
        return False
    pairs = len(set(zip(cells, classes, strict=True)))
    return pairs == len(set(cells)) == len(set(classes))


def _by_piece(stems: Sequence[str], classes: Sequence[str]) -> list[str] | None:
    pieces = [re.split(r"[_\-. ]+", stem) for stem in stems]
    number = len(pieces[0])
    if number < 2 or any(len(p) != number for p in pieces):
        return None
    columns = {str(i): [p[i] for p in pieces] for i in range(number)}
    chosen = telling(columns, classes)
    return None if chosen is None else columns[chosen]


def _by_prefix(stems: Sequence[str], classes: Sequence[str]) -> list[str] | None:
    """The shortest first characters that nearly all groups of files share with their own class only.

    Names that count through (or start again in each class) say nothing.
    """
    width = len(stems[0])
    if width < 4 or len(set(stems)) < len(stems) or any(len(s) != width or not s.isalnum() for s in stems):
        return None
    numbers = [int(s, 10 if all(map(str.isdecimal, stems)) else 36) for s in stems]
    if not stems[0][0].isdigit() or 10 * len(stems) > max(numbers) - min(numbers):
        return None
    for length in range(2, width):
        groups = [s[:length] for s in stems]
        if len(groups) < LEAST_ROWS * len(set(groups)):
            return None
        if sharing(groups, classes) and _purity(groups, classes) >= 0.95:
            return groups
    return None


def _purity(groups: Sequence[str], classes: Sequence[str]) -> float:
    """The share of files whose group holds their class only."""
    pairs = Counter(zip(groups, classes, strict=True))
    sizes = Counter(groups)
    return sum(n for (g, _), n in pairs.items() if sizes[g] == n) / len(groups)

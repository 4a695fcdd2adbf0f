"""The `training.alter` lines of a recipe, checked against what a kind can alter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from layerwise.errors import UsageError, listed, shown, suggest

__all__ = ["amounts"]

_T = TypeVar("_T")


def amounts(known: type[_T], options: Mapping[str, Any], *, plural: str) -> _T | None:
    """`options` as the dataclass `known` of numbers and truth values; None where all are 0 or false.

    Raises UsageError for a name that `known` does not have, with the nearest one, and for what is no
    number, or below 0. `plural` names the kind: "images".
    """
    names = [f.name for f in fields(known)]  # type: ignore[arg-type]
    for name, value in options.items():
        if name not in names:
            raise UsageError(
                f"no line {shown('training.alter.' + name)} for {plural}{suggest(name, names) or '.'}"
                f" Lines: {listed(names, 12)}"
            )
        if not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise UsageError(f"training.alter.{name} must be 0 (not at all) or more, got {shown(value)}")
    return known(**options) if any(options.values()) else None

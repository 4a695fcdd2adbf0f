"""Options of stages, checked against what the constructors declare: one table for message and rule."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import lru_cache
from inspect import Parameter, signature
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from layerwise.errors import UsageError, listed, shown, suggest

__all__ = ["Between", "Channels", "Count", "Share", "Window", "checked"]


class Between(NamedTuple):
    """The least and the largest number that an option may be."""

    low: float
    high: float


Count = Annotated[int, Between(1, 1000)]
"""How many of something that is built one by one."""
Channels = Annotated[int, Between(1, 1 << 20)]
"""The number of units or channels of a level."""
Window = Annotated[int, Between(1, 1 << 16)]
"""The size or stride of a window, in positions."""
Share = Annotated[float, Between(0.0, 0.99)]
"""The share of units that dropout leaves out."""


def checked(stage: type, options: Mapping[str, Any]) -> None:
    """Compare `options` with the keyword-only arguments of the stage's constructor.

    Raises UsageError for an option that is missing, unknown (with the nearest name) or of a value that
    the annotation does not allow.
    """
    known = _options(stage)
    for name, value in options.items():
        if name not in known:
            has = f"Its options: {listed(known, 20)}" if known else "It has no options"
            raise UsageError(
                f"{stage.__name__} has no option {shown(name)}{suggest(name, known) or '.'} {has}"
            )
        hint = known[name][0]
        if not _fits(value, hint):
            raise UsageError(f"{name} of {stage.__name__} must be {_words(hint)}, got {shown(value)}")
    for name, (hint, required) in known.items():
        if required and name not in options:
            raise UsageError(f"{stage.__name__} needs the option {name}: {_words(hint)}")


@lru_cache(maxsize=128)
def _options(stage: type) -> dict[str, tuple[Any, bool]]:
    constructor = next(vars(c)["__init__"] for c in stage.__mro__ if "__init__" in vars(c))
    hints = get_type_hints(constructor, include_extras=True)
    arguments = signature(constructor).parameters.values()
    return {
        p.name: (hints[p.name], p.default is Parameter.empty)
        for p in arguments
        if p.kind is Parameter.KEYWORD_ONLY
    }


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(value, parts[0]) and parts[1].low <= value <= parts[1].high
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin in (Union, types.UnionType):
        return any(_fits(value, p) for p in parts)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin in (list, tuple):
        return isinstance(value, list | tuple) and all(_fits(v, parts[0]) for v in value)
    return isinstance(value, origin or hint)


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        low, high = (f"{n:,.0f}" if n == int(n) else f"{n:g}" for n in parts[1])
        return f"{_words(parts[0])} from {low} to {high}"
    if origin is Literal:
        return "one of " + ", ".join(shown(p) for p in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(p) for p in parts)
    if origin in (list, tuple):
        return f"a list, each {_words(parts[0])}"
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "text", type(None): "null"}
    return words.get(origin or hint, "a table of names")

"""Options of stages, checked against what the constructors declare: one table for message and rule.

`fits` and `words` are the rule and the message; estimators check their parameters by them too.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from functools import lru_cache
from inspect import Parameter, signature
from math import inf
from numbers import Integral, Real
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np

from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.recipe import TINY

__all__ = ["JSON", "Between", "Channels", "Count", "Positive", "Share", "Window", "checked", "fits", "words"]


class Between(NamedTuple):
    """The least and the largest number that an option may be; up to inf, any that is finite."""

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
Positive = Annotated[float, Between(TINY, inf)]
"""More than nothing."""

JSON: Mapping[Any, str] = {
    float: "a number", int: "a whole number", bool: "true or false", str: "text", type(None): "null",
    Mapping: "a table of names",
}  # fmt: skip
"""What the kinds of values are called where options are written as JSON."""


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
        if not fits(value, hint):
            raise UsageError(f"{name} of {stage.__name__} must be {words(hint)}, got {shown(value)}")
    for name, (hint, required) in known.items():
        if required and name not in options:
            raise UsageError(f"{stage.__name__} needs the option {name}: {words(hint)}")


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


def fits(value: Any, hint: Any) -> bool:
    """Whether the annotation `hint` allows `value`; numbers of numpy count as numbers."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        number = value.item() if isinstance(value, np.generic) else value  # float32 rounds what it is held to
        return fits(value, parts[0]) and parts[1].low <= number <= parts[1].high and number < inf
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin in (Union, types.UnionType):
        return any(fits(value, p) for p in parts)
    if hint in (float, int):
        return isinstance(value, Real if hint is float else Integral) and not isinstance(value, bool)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    if origin in (list, tuple):
        return isinstance(value, list | tuple) and all(fits(v, parts[0]) for v in value)
    if origin is Sequence:
        row = isinstance(value, np.ndarray) and value.ndim == 1
        several = row or (isinstance(value, Sequence) and not isinstance(value, str | bytes))
        return several and all(fits(v, parts[0]) for v in value)
    return isinstance(value, origin or hint)


def words(hint: Any, names: Mapping[Any, str] = JSON) -> str:
    """What the annotation `hint` allows; kinds of values by their `names`."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        noun, (low, high) = words(parts[0], names), parts[1]
        if low == TINY:
            return "a positive number"
        ends = [f"{n:,.0f}" if n == int(n) else f"{n:g}" for n in (low, high) if n < inf]
        return f"{noun} from {' to '.join(ends)}"
    if origin is Literal:
        return "one of " + ", ".join(shown(p) for p in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(words(p, names) for p in parts)
    if origin in (list, tuple, Sequence):
        return f"a list, each {words(parts[0], names)}"
    return names.get(origin or hint, names[Mapping])

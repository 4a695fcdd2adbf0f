"""What the parameters of an estimator may be: as its constructor's annotations say, looked at by `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any, TypeAlias, get_type_hints

import numpy as np

from layerwise.errors import UsageError, shown
from layerwise.nn.options import JSON, Between, fits, words

__all__ = ["AtLeastZero", "RandomState", "Whole", "check", "check_parameters", "seed_of"]

AtLeastZero = Annotated[float, Between(0, inf)]
Whole = Annotated[int, Between(1, inf)]
"""How many of something, at least one."""
RandomState: TypeAlias = int | np.random.RandomState | None
"""What scikit-learn calls a random state."""

PYTHON: Mapping[Any, str] = {
    **JSON, bool: "True or False", type(None): "None", Mapping: "a dict", np.random.RandomState: "a RandomState",
}  # fmt: skip
"""What the kinds of values are called in Python."""


def check_parameters(estimator: Any) -> None:
    """Raise UsageError for the first parameter that the constructor's annotations do not allow.

    scikit-learn has constructors store and nothing else, so that every `fit` begins with this.
    """
    hints = get_type_hints(type(estimator).__init__, include_extras=True)
    for name, value in estimator.get_params(deep=False).items():
        check(f"{name} of {type(estimator).__name__}", value, hints[name])


def check(name: str, value: Any, hint: Any) -> None:
    """Raise UsageError where the annotation `hint` does not allow `value`."""
    if not fits(value, hint):
        raise UsageError(f"{name} must be {words(hint, PYTHON)}, got {shown(value)}")


def seed_of(random_state: RandomState) -> int:
    """What scikit-learn calls a random state as a seed; None draws one."""
    check("random_state", random_state, RandomState)
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    return int(random_state)

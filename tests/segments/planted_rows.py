"""Small tables whose segments are known, as a reader gives them."""

from __future__ import annotations

import numpy as np

from layerwise.kinds.base import Values
from layerwise.kinds.table.bins import numbers_spec
from layerwise.spec import Spec


def rows(
    n: int = 300, *, gap: float = 3.0, missing: float = 0.05, seed: int = 0
) -> tuple[Values, Spec, np.ndarray]:
    """Three segments in four numbers, one of them skewed and one of two values, and two categories."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 6 // np.array([3, 2, 2])[np.arange(n) % 3]) % 3
    means = gap * np.array([[0, 0, 0], [1, 0, 1], [0, 1, -1]])
    x = means[labels] + rng.normal(size=(n, 3))
    x[:, 2] = np.exp(0.7 * x[:, 2])
    x[rng.random(x.shape) < missing] = np.nan
    switch = (rng.random(n) < np.array([0.1, 0.5, 0.9])[labels]).astype(float)
    numbers = np.column_stack([x, switch]).astype(np.float32)
    colour = np.where(rng.random(n) < 0.8, labels, rng.integers(3, size=n)) + 1
    noise = rng.integers(0, 3, n)
    names = ("balance", "visits", "amount", "member")
    spec = Spec(
        columns={
            "numbers": numbers_spec(numbers, names, 64),
            "categories": Spec(
                ("category",),
                (2,),
                "int32",
                sizes=(4, 3),
                tokens=(("(rare or new)", "red", "green", "blue"), ("(rare or new)", "yes", "no")),
                names=("colour", "noise"),
            ),
        }
    )
    return {"numbers": numbers, "categories": np.column_stack([colour, noise]).astype(np.int32)}, spec, labels

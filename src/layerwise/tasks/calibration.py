"""Temperature scaling: confidence that can be believed, fitted on validation outputs."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import torch
from torch import Tensor

__all__ = ["fit_temperature"]

WIDEST = 3.0  # of the logarithm, either way
STEPS = 40  # each narrows the bracket by .618: to 1e-8 of its width


def fit_temperature(loss: Callable[[float], Tensor], n: int) -> float:
    """The temperature T that minimises the mean validation loss `loss(1 / T)` over `n` rows.

    Guo et al. 2017, with a standard normal prior on log T that counts as one row: without it a perfectly
    separated validation set would ask for boundless confidence. Golden-section search over log T.
    """
    if n == 0:
        return 1.0

    def cost(log_t: float) -> float:
        return float(loss(exp(-log_t))) + 0.5 * log_t * log_t / n

    ratio = (5**0.5 - 1) / 2
    low, high = -WIDEST, WIDEST
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    with torch.no_grad():
        at_a, at_b = cost(a), cost(b)
        for _ in range(STEPS):
            if at_a <= at_b:
                high, b, at_b = b, a, at_a
                a = high - ratio * (high - low)
                at_a = cost(a)
            else:
                low, a, at_a = a, b, at_b
                b = low + ratio * (high - low)
                at_b = cost(b)
    return exp((low + high) / 2)

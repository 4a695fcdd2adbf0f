"""Held-out answers and what they should have been."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from layerwise.tasks.base import Task

__all__ = ["Held"]


class Held(NamedTuple):
    """`decoded` answers of one method with encoded `targets` of the same rows, and their `groups` (N,)."""

    task: Task
    decoded: np.ndarray
    targets: np.ndarray
    groups: np.ndarray | None
    seed: int

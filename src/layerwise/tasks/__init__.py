"""What an answer is: one of many, several of many, a number, the next h values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerwise.errors import ModelError, listed, shown
from layerwise.tasks.base import Answers, Metric, Task
from layerwise.tasks.classify import Classify
from layerwise.tasks.metrics import paired

__all__ = ["TASKS", "Answers", "Classify", "Metric", "Task", "paired", "restore"]

TASKS: tuple[type[Task], ...] = (Classify,)


def restore(plain: Mapping[str, Any]) -> Task:
    """The task that its `state` described. Raises ModelError on anything else."""
    for task in TASKS:
        if plain.get("task") == task.name:
            return task.restore(plain)
    raise ModelError(f"unknown task {shown(plain.get('task'))}; known are {listed(t.name for t in TASKS)}")

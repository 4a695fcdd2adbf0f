"""What an answer is: one of many, several of many, a number, the next h values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerwise.errors import ModelError, UsageError, listed, shown, suggest
from layerwise.tasks.base import Answers, Metric, Task
from layerwise.tasks.classify import Classify
from layerwise.tasks.forecast import Forecast
from layerwise.tasks.guess import guess_task
from layerwise.tasks.metrics import paired
from layerwise.tasks.regress import Regress
from layerwise.tasks.tags import Tags

__all__ = [
    "TASKS",
    "Answers",
    "Classify",
    "Forecast",
    "Metric",
    "Regress",
    "Tags",
    "Task",
    "guess_task",
    "paired",
    "restore",
    "task_named",
]

TASKS: tuple[type[Task], ...] = (Classify, Tags, Regress, Forecast)


def task_named(name: str) -> type[Task]:
    """The task of that name. Raises UsageError with the nearest one suggested."""
    names = {task.name: task for task in TASKS}
    if name not in names:
        raise UsageError(f"no task {shown(name)}{suggest(name, names) or '.'} Tasks: {listed(names)}")
    return names[name]


def restore(plain: Mapping[str, Any]) -> Task:
    """The task that its `state` described. Raises ModelError on anything else."""
    for task in TASKS:
        if plain.get("task") == task.name:
            return task.restore(plain)
    raise ModelError(f"unknown task {shown(plain.get('task'))}; known are {listed(t.name for t in TASKS)}")

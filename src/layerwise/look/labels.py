"""Encoded targets in the words of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from layerwise.errors import listed, shown
from layerwise.figures import number
from layerwise.tasks.base import Task

__all__ = ["label_names", "labels_of"]


def label_names(task: Task) -> list[str]:
    """The class or tag of each output, as text that is safe to print."""
    labels = task.answers(np.eye(task.outputs)).answer
    return [shown(label[0] if isinstance(label, list) else label, 30)[1:-1] for label in labels]


def labels_of(task: Task, targets: np.ndarray) -> list[str]:
    """What each row's encoded target is: a class, its tags, a number, or where the next values end."""
    return WORDS.get(task.name, _nothing)(task, targets)


def _classes(task: Task, targets: np.ndarray) -> list[str]:
    names = label_names(task)
    return [names[t] if t >= 0 else "a class unseen in training" for t in targets.tolist()]


def _tags(task: Task, targets: np.ndarray) -> list[str]:
    names = np.array(label_names(task))
    return [listed(names[row > 0.5]) or "no tag" for row in targets]


def _numbers(task: Task, targets: np.ndarray) -> list[str]:  # noqa: ARG001
    return [number(float(t)) for t in targets]


def _courses(task: Task, targets: np.ndarray) -> list[str]:  # noqa: ARG001
    return [f"then {number(float(row[0]))} to {number(float(row[-1]))}" for row in targets]


def _nothing(task: Task, targets: np.ndarray) -> list[str]:  # noqa: ARG001
    return [""] * len(targets)


WORDS: Mapping[str, Callable[[Task, np.ndarray], list[str]]] = {
    "classify": _classes,
    "tags": _tags,
    "regress": _numbers,
    "forecast": _courses,
}
"""By the name of the task."""

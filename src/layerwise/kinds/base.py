"""A kind of data as one vertical slice: what it claims, its reader, blueprint, alterations, rivals, looks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
from torch import nn

from layerwise.data.source import Column
from layerwise.errors import DataError, Rejected, listed
from layerwise.findings import Gallery, Media
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec
from layerwise.tasks.base import Task
from layerwise.values import ONLY, Batch

__all__ = [
    "ONLY",
    "Alter",
    "Blueprint",
    "Describe",
    "Kind",
    "Read",
    "Reader",
    "Rival",
    "Values",
    "only",
    "read_each",
    "readable",
]

_T = TypeVar("_T")

Values: TypeAlias = Mapping[str, "np.ndarray | list[np.ndarray]"]
"""Read examples by field: (N, ...) stacked, or a list of N arrays where the Spec says unequal lengths."""

Alter: TypeAlias = Callable[[Batch, Randomness], Batch]
"""A change of a training batch that leaves its meaning: flips, shifts, noise. Never called in evaluation."""


class Read(NamedTuple):
    """A chunk after reading: the good examples in order, which they are, and why the others are not."""

    values: Values
    kept: np.ndarray  # positions in the chunk, rising
    rejected: Mapping[int, str]  # position in the chunk -> reason
    facts: Mapping[str, np.ndarray] = {}  # of the container, not seen by the network: rate_hz, seconds, width


class Reader(ABC):
    """Raw examples -> numbers. Fitted on training rows only; reads the same ever after.

    The constructor takes only the settings a person may change, keyword-only, each with a default of None
    that means "choose from the training rows". `choices` says what was chosen, and why.
    """

    @abstractmethod
    def fit(self, columns: Mapping[str, Column], rows: np.ndarray) -> Self:
        """Choose what is open (size, rate, vocabulary, scale) from these rows; sets `spec`.

        Raises DataError where no row can be read.
        """

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """What one read example looks like."""

    @abstractmethod
    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Read:
        """Read some rows. Pure: an example's reading does not depend on its neighbours."""

    def needs(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the columns it was fitted on that new data must have."""
        return tuple(names)

    def check(self, columns: Mapping[str, Column]) -> None:
        """Raise DataError where whole columns of new data are not what was read in training."""
        return  # most kinds tell example by example

    @abstractmethod
    def choices(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The settings as chosen, and the reason for each: the recipe's `reading` lines."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that reading needs, as JSON and arrays."""

    @classmethod
    @abstractmethod
    def restore(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The reader that `state` described."""


class Blueprint(NamedTuple):
    """What a kind proposes for data of this look: the network without its head, training, and reasons."""

    network: tuple[StageChoice, ...]
    training: Training
    why: Mapping[str, str]


Describe: TypeAlias = Callable[
    [Values, Mapping[str, np.ndarray], Spec], Callable[[Values, Mapping[str, np.ndarray]], Any]
]
"""Looks at training examples (values, facts) of that Spec; returns what makes others a matrix (N, F) of
features, dense or sparse."""


@dataclass(frozen=True)
class Rival:
    """A simple method to beat: features of read examples, and what learns from them.

    A learner of `majority` needs no features; for `distances` they are the distances to the training
    examples, in their order.
    """

    name: str  # "boosting on mel statistics"
    learner: Literal["majority", "linear", "neighbours", "distances", "boosting", "naive"]
    features: Describe | None = None
    most: int = 20_000  # training rows it is given; more are thinned by a fair draw
    most_pairs: int | None = None  # of training and held-out rows; where there are more, it is left out


@dataclass(frozen=True)
class Kind:
    """All that layerwise knows of one kind of data."""

    name: str  # "image"
    plural: str  # "images"
    claims: Callable[[Mapping[str, Column]], str | None]
    """The reason, in words, why these input columns are of this kind; None where they are not."""
    reader: type[Reader]
    blueprint: Callable[[Spec, Task, int], Blueprint]
    """(spec, task, training rows) -> what to build. The head is added by the caller."""
    likes: Mapping[str, Callable[[Spec, Task, int], Blueprint]]
    """Named recipes of the literature that suit this kind."""
    branch: Callable[[Spec], tuple[StageChoice, ...]] | None
    """Stages that turn one column of this kind into a vector, for a table that has such a column."""
    alter: Callable[[Spec, Mapping[str, Any]], Alter | None]
    rivals: Callable[[Spec, Task], tuple[Rival, ...]]
    show: Callable[[Mapping[str, np.ndarray], Spec], Media]
    """One read example (field -> array without the batch axis) as something to look at or listen to."""
    filters: Callable[[nn.Module, Spec], Gallery | None]
    """What the units of a stage look for, drawn from its weights; None where weights say little."""
    methods: Mapping[str, Callable[[Spec, int], Blueprint]]
    """How to learn features without labels, the usual way first: (spec, training rows) -> what to build."""
    verb: str = "seen"  # what one does with examples: seen, heard, read
    patches: Describe | None = None
    """Features learned without labels and without a network: what a network that learns so has to beat."""
    cuts: Mapping[str, Any] | None = None
    """How examples are read to be cut into segments by their columns; None: by features that are learned."""
    unlike: Callable[[Values, Spec], Mapping[int, str]] | None = None
    """Which of these read examples are unlike all that were learned from, by their place, and why."""
    copies: Callable[[Column], Sequence[int | None]] | None = None
    """One mark a row, equal where two rows of a column hold the same but for format or compression."""


def read_each(raw: Sequence[Any], read: Callable[[Any], np.ndarray], *, stack: bool) -> Read:
    """Read one by one; what raises Rejected goes to `rejected`. For readers of one field."""
    values: list[np.ndarray] = []
    kept: list[int] = []
    rejected: dict[int, str] = {}
    for position, one in enumerate(raw):
        try:
            values.append(read(one))
            kept.append(position)
        except Rejected as reason:
            rejected[position] = str(reason)
    field: np.ndarray | list[np.ndarray] = np.stack(values) if stack and values else values
    return Read({ONLY: field}, np.array(kept, np.int64), rejected)


def only(columns: Mapping[str, Column], *, plural: str) -> Column:
    """The one input column. Raises DataError where there are several."""
    if len(columns) != 1:
        raise DataError(f"{plural} are read from one column, found {listed(columns)}: name it with --input")
    return next(iter(columns.values()))


def readable(raw: Sequence[Any], read: Callable[[Any], _T], *, plural: str) -> list[_T]:
    """What `read` makes of those of `raw` that it does not reject. Raises DataError where it rejects all."""
    good: list[_T] = []
    reasons: list[str] = []
    for one in raw:
        try:
            good.append(read(one))
        except Rejected as reason:
            reasons.append(str(reason))
    if not good:
        first = reasons[0] if reasons else "there are none"
        raise DataError(f"none of {len(raw):,} training {plural} can be read; the first: {first}")
    return good

"""Associative memories: networks whose energy has its valleys at the patterns that were stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Self

import torch
from torch import Generator, Tensor

from layerwise.errors import UsageError

__all__ = ["DenseMemory", "Hopfield", "ModernHopfield"]


@dataclass(frozen=True)
class Hopfield:
    """The classical network of units -1 and 1 (Hopfield 1982), with `weights` (U, U).

    States are (N, U), of the type of `weights`. With random patterns about 0.138 U can be recalled, each
    with few wrong units (Amit, Gutfreund and Sompolinsky 1985). Raises UsageError unless the weights are
    symmetric with a zero diagonal: only then is there an energy.
    """

    weights: Tensor

    def __post_init__(self) -> None:
        w = self.weights
        if w.ndim != 2 or not torch.equal(w, w.T) or w.diagonal().any():
            raise UsageError(
                f"a Hopfield network needs symmetric weights with a zero diagonal, got {tuple(w.shape)}"
                " that are not: make them with Hopfield.store(patterns)"
            )

    @classmethod
    def store(cls, patterns: Tensor) -> Self:
        """Hebbian storage of `patterns` (K, U) of -1 and 1: the mean over the units of their products."""
        _signs(patterns)
        return cls((patterns.T @ patterns / patterns.shape[1]).fill_diagonal_(0))

    def energy(self, states: Tensor) -> Tensor:
        """-1/2 s W s: (N,). Never rises when units change one at a time."""
        return -((states @ self.weights) * states).sum(1) / 2

    def retrieve(self, states: Tensor, *, generator: Generator | None = None, sweeps: int = 100) -> Tensor:
        """What `states` (N, U) settle into, after at most `sweeps` updates of all units: (N, U).

        With a generator units change one at a time, in a fresh random order each sweep (the same for every
        row); without, all at once. Then -1/2 s(t) W s(t+1) is what never rises, and states end in a fixed
        point or in a cycle of two (Goles, Fogelman and Pellegrin 1985). A unit without a pull keeps its value.
        """
        if generator is None:
            return _settled(lambda s: _aligned(s, s @ self.weights), states, sweeps)
        return _settled(lambda s: self._one_by_one(s, generator), states, sweeps)

    def _one_by_one(self, states: Tensor, generator: Generator) -> Tensor:
        states = states.clone()
        for unit in _order(states, generator):
            states[:, unit] = _aligned(states[:, unit], states @ self.weights[unit])
        return states


@dataclass(frozen=True)
class DenseMemory:
    """The dense associative memory of Krotov and Hopfield (2016): `patterns` (K, U) of -1 and 1.

    Its energy is a sum over patterns of the overlap to the power `order`, and it keeps of the order of
    U**(order - 1) patterns; at order 2 it recalls as `Hopfield` does.
    """

    patterns: Tensor
    order: int

    def __post_init__(self) -> None:
        _signs(self.patterns)
        if self.order < 2:
            raise UsageError(f"order must be at least 2, got {self.order}: 2 is the classical network")

    def energy(self, states: Tensor) -> Tensor:
        """Minus the sum over patterns of (pattern . state)**order (equation 3): (N,)."""
        return -(states @ self.patterns.T).pow(self.order).sum(1)

    def retrieve(self, states: Tensor, *, generator: Generator, sweeps: int = 100) -> Tensor:
        """What `states` (N, U) settle into when units change one at a time (equation 5): (N, U).

        The order is drawn afresh each sweep, the same for every row. The energy never rises; a unit for
        which both values have the same energy keeps its own.
        """
        return _settled(lambda s: self._one_by_one(s, generator), states, sweeps)

    def _one_by_one(self, states: Tensor, generator: Generator) -> Tensor:
        states = states.clone()
        overlaps = states @ self.patterns.T
        for unit in _order(states, generator):
            pattern = self.patterns[:, unit]
            others = overlaps - states[:, unit, None] * pattern
            up, down = ((others + sign * pattern).pow(self.order).sum(1) for sign in (1, -1))
            states[:, unit] = _aligned(states[:, unit], up - down)
            overlaps = others + states[:, unit, None] * pattern
        return states


@dataclass(frozen=True)
class ModernHopfield:
    """The continuous modern network (Ramsauer et al. 2020): `patterns` (K, U) of real numbers.

    One update is attention over the patterns; at a high `beta` it gives back the nearest one, and the number
    of patterns kept grows exponentially with U.
    """

    patterns: Tensor
    beta: float

    def __post_init__(self) -> None:
        if not self.beta > 0:
            raise UsageError(f"beta must be positive, got {self.beta}: 1 / sqrt(units) is that of attention")

    def energy(self, states: Tensor) -> Tensor:
        """Equation 2 of the paper: (N,), at least 0."""
        beta = self.beta
        among = torch.logsumexp(beta * states @ self.patterns.T, 1) - log(len(self.patterns))
        return states.square().sum(1) / 2 - among / beta + self.patterns.square().sum(1).max() / 2

    def retrieve(self, states: Tensor, *, updates: int = 1) -> Tensor:
        """Softmax(beta * states . patterns) . patterns, `updates` times (equation 3): (N, U).

        The energy never rises (theorem 1). One update is enough where patterns are well apart (theorem 4).
        """
        for _ in range(updates):
            states = torch.softmax(self.beta * states @ self.patterns.T, 1) @ self.patterns
        return states


def _signs(patterns: Tensor) -> None:
    if patterns.ndim != 2 or not patterns.is_floating_point() or not (patterns.abs() == 1).all():
        raise UsageError(
            f"patterns must be (K, U) floats of -1 and 1, got {patterns.dtype} {tuple(patterns.shape)}:"
            " turn bits into signs with 2.0 * bits - 1"
        )


def _order(states: Tensor, generator: Generator) -> list[int]:
    order: list[int] = torch.randperm(states.shape[1], generator=generator, device=generator.device).tolist()
    return order


def _aligned(values: Tensor, pull: Tensor) -> Tensor:
    """The sign of the pull; `values` where there is none."""
    return torch.where(pull == 0, values, pull.sign())


def _settled(update: Callable[[Tensor], Tensor], states: Tensor, sweeps: int) -> Tensor:
    """States after updates until nothing changes, or until everything is as it was two updates ago."""
    before = states
    for _ in range(sweeps):
        after = update(states)
        if torch.equal(after, states) or torch.equal(after, before):
            return after
        before, states = states, after
    return states

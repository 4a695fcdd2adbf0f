"""Nonlinear conjugate gradients with line search: each batch is descended for a few searches, then left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from layerwise.errors import UsageError

__all__ = ["ConjugateGradients"]

DESCENT = 1e-2  # share of the promised descent that a step must bring (c1)
CURVATURE = 0.5  # share of the slope that may be left at its end (c2); strict enough for conjugacy
FURTHEST = 3.0  # times the last step: how far a search may look ahead at once
GROWTH = 100.0  # times the last search's step: how far the first guess of the next may go


class _Point(NamedTuple):
    """A place on the line: how far, the loss, its slope along the line, and its gradient."""

    at: float
    loss: float
    slope: float
    gradient: Tensor


class ConjugateGradients(Optimizer):
    """Polak and Ribiere's directions (never against descent), a search for the strong Wolfe conditions on each.

    `searches` line searches a step, of at most `evaluations` calls of the closure each. Every step begins
    anew with the gradient, because its batch is another function: so Hinton and Salakhutdinov 2006
    fine-tuned their autoencoders, three searches on batches of 1,000. After Nocedal and Wright 2006,
    algorithms 3.5, 3.6 and 5.4. There is no learning rate; its share in a schedule is ignored.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, searches: int = 3, evaluations: int = 20
    ) -> None:
        if searches < 1 or evaluations < 2:
            raise UsageError(
                f"conjugate gradients need at least 1 search of at least 2 evaluations, got {searches} of {evaluations}"
            )
        super().__init__(parameters, {"lr": 1.0})
        self._searches, self._evaluations = searches, evaluations

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Go down a few lines; returns the loss before, as `closure`, which leaves the gradients, gave it."""
        line = _Line([p for group in self.param_groups for p in group["params"]], closure)
        first = line.evaluated()
        here = _Point(0.0, first.item(), 0.0, line.gradient())
        direction = -here.gradient
        last: tuple[float, float] | None = None  # how far the last search went, and its slope
        for _ in range(self._searches):
            slope = float(here.gradient @ direction)
            if not slope < 0:
                direction, slope = -here.gradient, -float(here.gradient @ here.gradient)
            if not slope < 0 or not isfinite(slope):
                break
            guess = 1 / (1 - slope) if last is None else last[0] * min(GROWTH, last[1] / slope)
            there = line.searched(here._replace(at=0.0, slope=slope), direction, guess, self._evaluations)
            if there is None:
                break
            change = float(there.gradient @ (there.gradient - here.gradient))
            beta = max(0.0, change / float(here.gradient @ here.gradient))
            direction = beta * direction - there.gradient
            here, last = there, (there.at, slope)
        line.leave(here.gradient)
        return first


class _Line:
    """The loss along a direction from where the parameters are."""

    def __init__(self, parameters: list[nn.Parameter], closure: Callable[[], Any]) -> None:
        self._parameters, self._closure = parameters, closure

    def evaluated(self) -> Any:
        with torch.enable_grad():
            return self._closure()

    def gradient(self) -> Tensor:
        """All gradients as one vector; what has none counts as zero."""
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        return torch.cat([part.reshape(-1) for part in parts])

    def leave(self, gradient: Tensor) -> None:
        """Leave the parameters the gradient of where they are."""
        for p, part in zip(self._parameters, self._parted(gradient), strict=True):
            p.grad = part.clone()

    def searched(self, start: _Point, direction: Tensor, guess: float, evaluations: int) -> _Point | None:
        """A point that fulfils the strong Wolfe conditions, or the lowest met; None where none is lower.

        The parameters are there afterwards; where there is none, they are at the start.
        """
        origin = [p.clone() for p in self._parameters]
        best = low = start
        high: _Point | None = None  # the other end of what is known to hold a good point
        at = guess
        for _ in range(evaluations):
            here = self._at(origin, direction, at)
            if here.loss < best.loss:
                best = here
            if not here.loss <= start.loss + DESCENT * at * start.slope or here.loss >= low.loss:
                high = here
            elif abs(here.slope) <= -CURVATURE * start.slope:
                best = here
                break
            else:
                turned = here.slope >= 0 if high is None else here.slope * (high.at - low.at) >= 0
                low, high = here, low if turned else high
            at = _beyond(start, low) if high is None else _between(low, high)
        self._go(origin, direction, best.at)
        return None if best is start else best

    def _at(self, origin: list[Tensor], direction: Tensor, at: float) -> _Point:
        self._go(origin, direction, at)
        loss = self.evaluated().item()
        gradient = self.gradient()
        return _Point(at, loss, float(gradient @ direction), gradient)

    def _go(self, origin: list[Tensor], direction: Tensor, at: float) -> None:
        for p, before, part in zip(self._parameters, origin, self._parted(direction), strict=True):
            torch.add(before, part, alpha=at, out=p)

    def _parted(self, vector: Tensor) -> list[Tensor]:
        parts = torch.split(vector, [p.numel() for p in self._parameters])
        return [part.view(p.shape) for part, p in zip(parts, self._parameters, strict=True)]


def _cubic(a: _Point, b: _Point) -> float | None:
    """Where the cubic through both points with their slopes is lowest (Nocedal and Wright, equation 3.59)."""
    if a.at == b.at or not (isfinite(a.loss) and isfinite(b.loss) and isfinite(b.slope)):
        return None
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.at - b.at)
    inside = d1 * d1 - a.slope * b.slope
    if not inside >= 0:
        return None
    d2 = sqrt(inside) if b.at > a.at else -sqrt(inside)
    below = b.slope - a.slope + 2 * d2
    return None if below == 0 else b.at - (b.at - a.at) * (b.slope + d2 - d1) / below


def _between(low: _Point, high: _Point) -> float:
    """A place between both, not too near to either."""
    left, right = min(low.at, high.at), max(low.at, high.at)
    found = _cubic(low, high)
    margin = 0.1 * (right - left)
    middle = (left + right) / 2
    return middle if found is None or not isfinite(found) else min(max(found, left + margin), right - margin)


def _beyond(start: _Point, here: _Point) -> float:
    """A place further on than `here`, at most `FURTHEST` times as far."""
    found = _cubic(start, here)
    if found is None or not isfinite(found) or found <= here.at:
        return FURTHEST * here.at
    return min(max(found, 1.1 * here.at), FURTHEST * here.at)

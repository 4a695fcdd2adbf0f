"""A learning rate from a short trial on training batches."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from torch import nn

from layerwise.errors import DataError, UsageError, shown
from layerwise.randomness import Randomness
from layerwise.train.loop import Data
from layerwise.train.pieces import on
from layerwise.train.plan import Phase
from layerwise.train.running import Running, device_of
from layerwise.train.state import as_found

__all__ = ["RateSearch", "find_rate"]

SMOOTH = 0.9  # of the running mean of the loss
GIVE_UP = 4.0  # times the lowest mean


class RateSearch(NamedTuple):
    """The rates tried, the running mean of the loss at each, and the rate to take."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    rate: float


def find_rate(
    net: nn.Module,
    phase: Phase,
    data: Data,
    *,
    seed: int,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
) -> RateSearch:
    """Train with a rate that rises geometrically until the loss does too (Smith 2017, section 3.3).

    The rate to take is a tenth of the one where the loss was lowest. Only training batches are looked at;
    net and objective are as before afterwards, bit for bit. Raises DataError where no rate lowers the loss.
    """
    if not 0 < lowest < highest or steps < 10:
        raise UsageError(
            f"a search needs 0 < lowest < highest and at least 10 steps, got {lowest}, {highest} and {steps}"
        )
    rng = Randomness(seed).at("search")
    batches = data(phase.size, rng.at("data"))
    rates: list[float] = []
    losses: list[float] = []
    with as_found(net, phase.objective):
        phase.objective.begin(net, on(batches.at(0), device_of(net)), rng.at("begin"))
        run = Running(net, phase, rng=rng, objectives=[phase.objective])
        before = run.state()
        mean = 0.0
        for number in range(steps):
            rate = lowest * (highest / lowest) ** (number / (steps - 1))
            scalars = run.step(batches.at(number), number, rate / run.highest)
            mean = SMOOTH * mean + (1 - SMOOTH) * float(scalars["loss"])
            loss = mean / (1 - SMOOTH ** (number + 1))
            best = min(losses, default=loss)
            if not isfinite(loss) or loss - best > (GIVE_UP - 1) * abs(best):
                break
            rates.append(rate)
            losses.append(loss)
        run.load(before)
        run.close()
    if not losses or min(losses) == losses[0]:
        raise DataError(
            f"no rate from {lowest:g} to {highest:g} lowers the loss of phase {shown(phase.name)}: look for"
            " values that are no numbers or are huge in inputs and targets"
        )
    return RateSearch(tuple(rates), tuple(losses), rates[losses.index(min(losses))] / 10)

"""How likely data are under a restricted Boltzmann machine: its partition function, exact or estimated."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from math import inf, log2, sqrt
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from layerwise.energy.rbm import RestrictedBoltzmannMachine
from layerwise.energy.units import Doubled, Gaussian, Softmax, Units
from layerwise.errors import UsageError
from layerwise.randomness import Randomness

__all__ = ["Estimate", "annealed_log_partition", "exact_log_partition", "log_likelihood"]

MOST_UNITS = 25
BLOCK = 1 << 12  # states summed at a time
RESAMPLES = 1000
NORMAL = 1.959964  # standard errors to either side of 95 %


class Estimate(NamedTuple):
    """A figure in nats and its 95 % interval, which is a point where the figure is exact."""

    value: float
    low: float
    high: float
    method: str  # "exact" or "ais"


@torch.no_grad()
def exact_log_partition(rbm: RestrictedBoltzmannMachine) -> Estimate:
    """log Z by a sum over all states of the layer that has fewer, in float64.

    Raises UsageError where that layer has more than 2^25 states, 25 units of 0 or 1 (real units have more than
    any number), and for "relu" units.
    """
    _check(rbm)
    rbm = deepcopy(rbm).double()
    inputs, width = rbm.weight.shape
    visible, hidden = _log2_states(rbm.visible, inputs), _log2_states(rbm.hidden, width)
    smaller = min(visible, hidden)
    if smaller > MOST_UNITS:
        raise UsageError(
            f"the smaller layer has 2^{smaller:.0f} states, and 2^{MOST_UNITS} are the most that are summed:"
            ' estimate it by log_partition("ais") of an estimator, or annealed_log_partition of a machine'
        )
    terms = _over_visible if smaller == visible else _over_hidden
    sums = []
    count = round(2**smaller)
    for start in range(0, count, BLOCK):
        index = torch.arange(start, min(start + BLOCK, count), device=rbm.weight.device)
        sums.append(terms(rbm, index).logsumexp(0))
    value = float(torch.stack(sums).logsumexp(0))
    return Estimate(value, value, value, "exact")


@torch.no_grad()
def annealed_log_partition(
    rbm: RestrictedBoltzmannMachine,
    rng: Randomness,
    *,
    base: Tensor | None = None,
    chains: int = 100,
    betas: int = 1000,
) -> Estimate:
    """log Z by annealed importance sampling (Neal 2001) along `betas` inverse temperatures, evenly apart.

    Salakhutdinov and Murray 2008, "On the quantitative analysis of deep belief networks", section 4.1: from
    the model without weights whose visible units have the means `base` (V,), best those of the data, or the
    machine's own visible biases where none are given; a block Gibbs sweep at each temperature. The weights
    of independent `chains` are averaged; for the interval see `_interval`. Raises UsageError for "relu".
    """
    _check(rbm)
    if chains < 10 or betas < 2:
        raise UsageError(f"an estimate with error bars takes 10 chains and 2 betas, got {chains} and {betas}")
    start = rbm.visible_bias if base is None else rbm.visible.bias(base.to(rbm.visible_bias))
    device = rbm.weight.device
    generator = rng.generator("annealing", str(device))
    v = rbm.visible.sample(start.repeat(chains, 1), generator)
    x = rbm.hidden_input(v)
    weights = torch.zeros(chains, dtype=torch.float64, device=device)
    for cooler, beta in pairwise(torch.linspace(0, 1, betas, dtype=torch.float64).tolist()):
        rise = (beta - cooler) * (v @ (rbm.visible_bias - start))
        weights += rise + rbm.hidden.log_partition(beta * x) - rbm.hidden.log_partition(cooler * x)
        h = rbm.hidden.sample(beta * x, generator)
        v = rbm.visible.sample(torch.lerp(start, rbm.visible_input(h), beta), generator)
        x = rbm.hidden_input(v)
    known = rbm.visible.log_partition(start) + rbm.hidden.log_partition(torch.zeros_like(rbm.hidden_bias))
    return _interval(weights.cpu() + float(known), rng.generator("resampling"))


@torch.no_grad()
def log_likelihood(rbm: RestrictedBoltzmannMachine, data: Tensor, log_partition: Estimate) -> Estimate:
    """The mean log-likelihood of `data` (N, V) in nats; its interval is what log Z leaves open."""
    _check(rbm)
    mean = -float(rbm.free_energy(data).double().mean())
    value, low, high, method = log_partition
    return Estimate(mean - value, mean - high, mean - low, method)


def _log2_states(units: Units, width: int) -> float:
    """In how many states the layer can be, as a power of 2."""
    if isinstance(units, Gaussian):
        return inf
    if isinstance(units, Softmax):
        return width // units.categories * log2(units.categories)
    return width * log2(_values(units))


def _values(units: Units) -> int:
    """In how many states one unit can be."""
    return 3 if isinstance(units, Doubled) else 2


def _over_visible(rbm: RestrictedBoltzmannMachine, index: Tensor) -> Tensor:
    """log of the unnormalised probability of the visible states of those numbers."""
    width = len(rbm.visible_bias)
    if isinstance(rbm.visible, Softmax):
        digits = _digits(index, rbm.visible.categories, width // rbm.visible.categories)
        return -rbm.free_energy(one_hot(digits, rbm.visible.categories).flatten(1).double())
    return -rbm.free_energy(_digits(index, _values(rbm.visible), width).double())


def _over_hidden(rbm: RestrictedBoltzmannMachine, index: Tensor) -> Tensor:
    """log of the unnormalised probability of the hidden states of those numbers."""
    h = _digits(index, _values(rbm.hidden), len(rbm.hidden_bias)).double()
    own = h @ rbm.hidden_bias - rbm.hidden.cost(h)
    return own + rbm.visible.log_partition(rbm.visible_input(h))


def _digits(index: Tensor, base: int, places: int) -> Tensor:
    """(B, places): each number in that base."""
    powers = torch.tensor([base**p for p in range(places)], device=index.device)
    return index[:, None] // powers % base


def _interval(weights: Tensor, generator: Generator) -> Estimate:
    """The log of the mean of e^weights, with what two ways to a 95 % interval cover together.

    A bootstrap of the studentised log-mean (Efron and Tibshirani 1993, section 12.5) follows whatever skew
    the weights show, but knows nothing of the rare large ones that none of the chains met. Cox's interval
    for the mean of a log-normal (Zhou and Gao 1997) does: weights that are sums over many temperatures are
    near normal.
    """
    n = len(weights)
    top = weights.max()
    w = torch.exp(weights - top)
    value, spread = _log_mean(w[None])
    drawn = torch.randint(n, (RESAMPLES, n), generator=generator)
    means, spreads = _log_mean(w[drawn])
    student = (means - value) / spreads.clamp_min(1e-12)
    ends = value - spread * student.quantile(torch.tensor([0.975, 0.025], dtype=torch.float64))
    variance = float(weights.var())
    centre = float(weights.mean()) + variance / 2
    reach = NORMAL * sqrt(variance / n + variance**2 / (2 * (n - 1)))
    low, high = (float(end + top) for end in ends)
    return Estimate(float(value + top), min(low, centre - reach), max(high, centre + reach), "ais")


def _log_mean(w: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row (R, N): the log of its mean and that log's standard error."""
    mean = w.mean(1)
    return mean.log(), w.std(1) / mean / sqrt(w.shape[1])


def _check(rbm: RestrictedBoltzmannMachine) -> None:
    if not (rbm.visible.exact and rbm.hidden.exact):
        raise UsageError(
            "rectified units have no exact distribution, so there is no partition function to find:"
            " compare free energies or reconstructions instead"
        )

"""Kinds of units, each an exponential family with one interface.

A unit in state s that receives the input x, its bias included, has probability in proportion to
exp(x s - cost(s)). An energy that is bilinear in two layers of such units makes each layer independent
given the other, whatever their kinds (Welling, Rosen-Zvi and Hinton 2004, "Exponential family harmoniums").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import log, pi, prod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError

__all__ = ["Bernoulli", "Doubled", "Gaussian", "Rectified", "Softmax", "Units"]

_SURE = 1e-3  # the nearest to 0 and 1 that a mean may come when a bias is made from it


class Units(nn.Module, ABC):
    """A layer of units of one kind. Inputs and states are (..., units)."""

    exact: ClassVar[bool] = True
    """Whether mean, samples and log-partition are those of one and the same distribution."""

    @abstractmethod
    def mean(self, x: Tensor) -> Tensor:
        """The expected states given input `x`."""

    @abstractmethod
    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """States drawn given input `x`."""

    @abstractmethod
    def log_partition(self, x: Tensor) -> Tensor:
        """(...): the log of the sum, or integral, of exp(x s - cost(s)) over all states of the layer."""

    @abstractmethod
    def cost(self, s: Tensor) -> Tensor:
        """(...): the part of the energy of states `s` that no input enters."""

    @abstractmethod
    def bias(self, mean: Tensor) -> Tensor:
        """The input under which the expected states are `mean`, moved away from where there is none."""


class Bernoulli(Units):
    """On with probability sigmoid(x), else off. Exact."""

    def mean(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        mean = torch.sigmoid(x)
        if mean.dtype == torch.float64:
            uniform = torch.rand(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
            return torch.lt(uniform, mean, out=mean)
        # 16 bits for each unit, four units from one draw: probabilities are rounded to 1 / 65536
        return mean.sub_(_sixteen_bits(mean, generator), alpha=2**-16).gt_(0.5 + 2**-17)

    def log_partition(self, x: Tensor) -> Tensor:
        return F.softplus(x).sum(-1)

    def cost(self, s: Tensor) -> Tensor:
        return s.new_zeros(s.shape[:-1])

    def bias(self, mean: Tensor) -> Tensor:
        return mean.clamp(_SURE, 1 - _SURE).logit()


class Doubled(Units):
    """Two units of 0 or 1 that share an input, as one: how many of them are on, 0, 1 or 2. Exact.

    Replicated units (Teh and Hinton 2001, "Rate-coded restricted Boltzmann machines for face recognition"),
    two of each: the layer that stands there twice while a part of a deep Boltzmann machine is learned
    (Salakhutdinov and Hinton 2009, section 3.1). States between, which are means, are allowed.
    """

    def mean(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x).mul_(2)

    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        one = Bernoulli()
        return one.sample(x, generator).add_(one.sample(x, generator))

    def log_partition(self, x: Tensor) -> Tensor:
        return 2 * F.softplus(x).sum(-1)

    def cost(self, s: Tensor) -> Tensor:
        """Minus the log of in how many ways: log 2 less where one of the two is on."""
        return (torch.lgamma(s + 1) + torch.lgamma(3 - s)).sum(-1) - s.shape[-1] * log(2)

    def bias(self, mean: Tensor) -> Tensor:
        return (mean / 2).clamp(_SURE, 1 - _SURE).logit()


class Gaussian(Units):
    """Real, normal around variance * x. Exact.

    With standard deviations sigma, given and kept (1 where none are), the cost is s^2 / (2 sigma^2). In the
    notation of Hinton 2010, section 13.2, weights and biases here are w_ij / sigma_i and b_i / sigma_i^2.
    """

    variance: Tensor

    def __init__(self, deviations: Sequence[float] | None = None) -> None:
        super().__init__()
        if deviations is not None and not all(0 < d < float("inf") for d in deviations):
            raise UsageError(f"standard deviations must be positive and finite, got {min(deviations)}")
        one = torch.ones(1) if deviations is None else torch.tensor(deviations, dtype=torch.float32)
        self.register_buffer("variance", one**2)

    def mean(self, x: Tensor) -> Tensor:
        return x * self.variance

    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return noise.mul_(self.variance.sqrt()).addcmul_(x, self.variance)

    def log_partition(self, x: Tensor) -> Tensor:
        return 0.5 * (x * x * self.variance + (2 * pi * self.variance).log()).sum(-1)

    def cost(self, s: Tensor) -> Tensor:
        return 0.5 * (s * s / self.variance).sum(-1)

    def bias(self, mean: Tensor) -> Tensor:
        return mean / self.variance


class Softmax(Units):
    """Groups of `categories` units that follow one another, in each of which exactly one is on. Exact."""

    def __init__(self, categories: int) -> None:
        super().__init__()
        self.categories = categories

    def mean(self, x: Tensor) -> Tensor:
        return self._grouped(x).softmax(-1).flatten(-2)

    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        mean = self._grouped(x).softmax(-1)
        # the first of several exponential clocks to ring is each one in proportion to its speed
        winner = (mean / torch.empty_like(mean).exponential_(generator=generator)).argmax(-1, keepdim=True)
        return torch.zeros_like(mean).scatter_(-1, winner, 1).flatten(-2)

    def log_partition(self, x: Tensor) -> Tensor:
        return self._grouped(x).logsumexp(-1).sum(-1)

    def cost(self, s: Tensor) -> Tensor:
        return s.new_zeros(s.shape[:-1])

    def bias(self, mean: Tensor) -> Tensor:
        return mean.clamp_min(_SURE).log()

    def _grouped(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.categories)


class Rectified(Units):
    """Noisy rectified linear units: max(0, x + noise of variance sigmoid(x)). Approximate.

    Nair and Hinton 2010, section 2: they stand for endlessly many logistic units with one set of weights and
    biases of x - 0.5, x - 1.5, ... `mean` and `sample` are exactly those of the noisy rectifier.
    `log_partition` is that of the many logistic units, with the sum over them taken as an integral, which is
    at most 1/24 a unit too high (Euler and Maclaurin); the noisy rectifier draws from them only roughly. An
    energy of (v, h) does not exist: a state does not say which of the many are on.
    """

    exact = False

    def mean(self, x: Tensor) -> Tensor:
        spread = _spread(x)
        z = x / spread
        density = torch.exp(-0.5 * z * z) / (2 * pi) ** 0.5
        mean: Tensor = x * torch.special.ndtr(z) + spread * density
        return mean

    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return noise.mul_(_spread(x)).add_(x).relu_()

    def log_partition(self, x: Tensor) -> Tensor:
        left = _softplus_integral(-x.abs())
        return torch.where(x > 0, 0.5 * x * x + pi**2 / 6 - left, left).sum(-1)

    def cost(self, s: Tensor) -> Tensor:
        raise UsageError(
            f"states {tuple(s.shape)} of rectified units have no energy: use free_energy(v), which is approximate"
        )

    def bias(self, mean: Tensor) -> Tensor:
        positive = mean.clamp_min(_SURE)
        return positive + torch.log(-torch.expm1(-positive))


def _sixteen_bits(like: Tensor, generator: torch.Generator) -> Tensor:
    """Whole numbers from -32768 to 32767, all alike likely, in the shape of `like`."""
    count = prod(like.shape)
    draws = torch.empty((count + 3) // 4, dtype=torch.int64, device=like.device)
    draws.random_(-(1 << 63), None, generator=generator)
    return draws.view(torch.int16)[:count].view(like.shape)


def _spread(x: Tensor) -> Tensor:
    return torch.sigmoid(x.clamp_min(-30)).sqrt()  # below, it vanishes, and its gradient is no number


def _softplus_integral(x: Tensor) -> Tensor:
    """The integral of log(1 + e^u) over u from -infinity to `x` <= 0, which is -Li2(-e^x).

    By Landen's identity and the series of Li2 in u = log(1 + e^x) with Bernoulli's numbers (Lewin 1981,
    "Polylogarithms and associated functions", chapter 1); u is at most log 2, so seven terms reach 1e-16.
    """
    u = F.softplus(x)
    series = torch.zeros_like(u)
    for coefficient in reversed(_LI2):
        series = series * u * u + coefficient
    return u + 0.25 * u * u + u**3 * series


_LI2 = (1 / 36, -1 / 3600, 1 / 211680, -1 / 10886400, 1 / 526901760, -691 / 16999766784000, 1 / 1120863744000)

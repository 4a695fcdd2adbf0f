"""The restricted Boltzmann machine: one layer of visible and one of hidden units, tied only across."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from layerwise.energy.units import Bernoulli, Gaussian, Rectified, Softmax, Units
from layerwise.errors import UsageError
from layerwise.nn.dense import flat, inputs_of
from layerwise.nn.initialise import normal
from layerwise.nn.options import Between, Channels
from layerwise.nn.stage import Reach, Stage, spatial, vector
from layerwise.spec import Spec

__all__ = ["Hidden", "RestrictedBoltzmannMachine", "Visible"]

Visible: TypeAlias = Literal["bernoulli", "gaussian", "softmax"]
Hidden: TypeAlias = Literal["bernoulli", "gaussian", "relu"]

_HIDDEN: Mapping[Hidden, Callable[[], Units]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "relu": Rectified,
}


class RestrictedBoltzmannMachine(Stage):
    """V visible and H = `width` hidden units with the energy cost(v) + cost(h) - b v - c h - v W h.

    **Shape** (N, ...) to the means of the hidden units (N, H), so that it is a level of a Pipeline.

    Visible units are 0 or 1 ("bernoulli"; data between are taken as probabilities), real ("gaussian", with
    fixed standard `deviations`, 1 where none are given) or groups of `categories` of which one is on
    ("softmax"); hidden ones 0 or 1, real with noise of variance 1 ("gaussian", the linear code of Hinton and
    Salakhutdinov 2006) or noisy rectified linear ("relu"). See `units` for the costs, and for what is
    approximate of "relu". Where both layers are real there is a distribution only while all singular values of
    W, in units of the deviations, are below 1. First weights are normal of deviation 0.01, hidden biases 0; for the
    visible ones call `start_at` (Hinton 2010, "A practical guide to training restricted Boltzmann
    machines", section 8).

    `beta` is an inverse temperature: it scales W and c, and leaves b and the costs, so that at 0 the visible
    units are independent and follow b. One number, or one for each row (N,).
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        visible: Visible = "bernoulli",
        hidden: Hidden = "bernoulli",
        categories: Annotated[int, Between(2, 1 << 16)] | None = None,
        deviations: list[float] | None = None,
    ) -> None:
        super().__init__()
        if spec.padded:
            raise UsageError("RestrictedBoltzmannMachine takes examples of one shape, got unequal lengths")
        units = inputs_of(self, spec)
        self.visible = _visible(visible, units, categories, deviations)
        self.hidden = _HIDDEN[hidden]()
        self.weight = nn.Parameter(normal(torch.empty(units, width), 0.01))
        self.visible_bias = nn.Parameter(torch.zeros(units))
        self.hidden_bias = nn.Parameter(torch.zeros(width))
        self._axes, self._words = spatial(spec), f"{units} {visible} to {width} {hidden}"

    @torch.no_grad()
    def start_at(self, means: Tensor) -> None:
        """Set the visible biases to those under which, without hidden units, data have these means (V,)."""
        self.visible_bias.copy_(self.visible.bias(means))

    def forward(self, x: Tensor) -> Tensor:
        return self.hidden_mean(flat(x))

    def hidden_input(self, v: Tensor) -> Tensor:
        """What reaches the hidden units: (N, V) to (N, H)."""
        return torch.addmm(self.hidden_bias, v, self.weight)

    def visible_input(self, h: Tensor, *, beta: float | Tensor = 1.0) -> Tensor:
        """What reaches the visible units: (N, H) to (N, V)."""
        return torch.addmm(self.visible_bias, _scaled(h, beta), self.weight.t())

    def hidden_mean(self, v: Tensor) -> Tensor:
        """Expected hidden states given (N, V): (N, H)."""
        return self.hidden.mean(self.hidden_input(v))

    def visible_mean(self, h: Tensor) -> Tensor:
        """Expected visible states given (N, H): (N, V)."""
        return self.visible.mean(self.visible_input(h))

    def reconstruct(self, v: Tensor) -> Tensor:
        """(N, V) there and back by means."""
        return self.visible_mean(self.hidden_mean(v))

    @torch.no_grad()
    def sample_hidden(self, v: Tensor, *, generator: Generator) -> Tensor:
        """Hidden states (N, H) drawn given (N, V)."""
        return self.hidden.sample(self.hidden_input(v), generator)

    @torch.no_grad()
    def sample_visible(self, h: Tensor, *, generator: Generator) -> Tensor:
        """Visible states (N, V) drawn given (N, H)."""
        return self.visible.sample(self.visible_input(h), generator)

    @torch.no_grad()
    def gibbs(
        self, v: Tensor, *, generator: Generator, sweeps: int = 1, beta: float | Tensor = 1.0
    ) -> Tensor:
        """`sweeps` times all hidden units given all visible ones, then those given the hidden: (N, V).

        Block Gibbs sampling; it leaves exp(-free_energy(v, beta=beta)) as it is where the units are exact.
        """
        for _ in range(sweeps):
            h = self.hidden.sample(_scaled(self.hidden_input(v), beta), generator)
            v = self.visible.sample(self.visible_input(h, beta=beta), generator)
        return v

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """Of (N, V) with (N, H): (N,). Raises UsageError for "relu", of which there is none."""
        own = self.visible.cost(v) - v @ self.visible_bias + self.hidden.cost(h)
        return own - (self.hidden_input(v) * h).sum(-1)

    def free_energy(self, v: Tensor, *, beta: float | Tensor = 1.0) -> Tensor:
        """-log of the sum of exp(-energy) over all hidden states: (N, V) to (N,). Approximate for "relu"."""
        gain = self.hidden.log_partition(_scaled(self.hidden_input(v), beta))
        return self.visible.cost(v) - v @ self.visible_bias - gain

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.weight.shape[1])

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self._axes)

    def cost(self, _spec: Spec) -> int:
        return self.weight.numel()

    def words(self) -> str:
        return f"restricted Boltzmann machine, {self._words}"


def _visible(kind: Visible, units: int, categories: int | None, deviations: list[float] | None) -> Units:
    if (kind == "softmax") != (categories is not None):
        raise UsageError(f"categories belong to softmax visible units, and they need them; got {categories}")
    if deviations is not None and (kind != "gaussian" or len(deviations) not in (1, units)):
        raise UsageError(
            f"deviations are for gaussian visible units, one or {units} of them; got {len(deviations)}"
            f" for {kind} units"
        )
    if kind == "gaussian":
        return Gaussian(deviations)
    if categories is None:
        return Bernoulli()
    if units % categories:
        raise UsageError(f"{units} visible units do not make groups of {categories} categories")
    return Softmax(categories)


def _scaled(x: Tensor, beta: float | Tensor) -> Tensor:
    if isinstance(beta, Tensor):
        return x * beta[:, None]
    return x if beta == 1.0 else x * beta

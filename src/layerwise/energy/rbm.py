"""The restricted Boltzmann machine: one layer of visible and one of hidden units, tied only across."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.energy.harmonium import Harmonium, scaled
from layerwise.energy.units import Bernoulli, Doubled, Gaussian, Rectified, Softmax, Units
from layerwise.errors import UsageError
from layerwise.nn.dense import flat, inputs_of
from layerwise.nn.initialise import normal
from layerwise.nn.options import Between, Channels
from layerwise.nn.stage import Reach, spatial, vector
from layerwise.spec import Spec

__all__ = ["Hidden", "RestrictedBoltzmannMachine", "Visible"]

Visible: TypeAlias = Literal["bernoulli", "gaussian", "softmax", "doubled"]
Hidden: TypeAlias = Literal["bernoulli", "gaussian", "relu", "doubled"]

_HIDDEN: Mapping[Hidden, Callable[[], Units]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "relu": Rectified,
    "doubled": Doubled,
}


class RestrictedBoltzmannMachine(Harmonium):
    """V visible and H = `width` hidden units with the energy cost(v) + cost(h) - b v - c h - v W h.

    **Shape** (N, ...) to the means of the hidden units (N, H), so that it is a level of a Pipeline.

    Visible units are 0 or 1 ("bernoulli"; data between are taken as probabilities), real ("gaussian", with
    fixed standard `deviations`, 1 where none are given) or groups of `categories` of which one is on
    ("softmax"); hidden ones 0 or 1, real with noise of variance 1 ("gaussian", the linear code of Hinton and
    Salakhutdinov 2006) or noisy rectified linear ("relu"); either may be "doubled", 0, 1 or 2, in a part of a
    deep Boltzmann machine. See `units` for the costs, and for what is approximate of "relu". Where both
    layers are real there is a distribution only while all singular values of W, in units of the deviations,
    are below 1. First weights are normal of deviation 0.01, hidden biases 0; for the visible ones call
    `start_at` (Hinton 2010, "A practical guide to training restricted Boltzmann machines", section 8).
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

    def forward(self, x: Tensor) -> Tensor:
        return self.hidden_mean(flat(x))

    def seen(self, x: Tensor) -> Tensor:
        """(N, ...) to (N, V)."""
        return flat(x)

    def hidden_input(self, v: Tensor) -> Tensor:
        """(N, V) to (N, H)."""
        return torch.addmm(self.hidden_bias, v, self.weight).to(v.dtype)

    def visible_input(self, h: Tensor, *, beta: float | Tensor = 1.0) -> Tensor:
        """(N, H) to (N, V)."""
        return F.linear(scaled(h, beta), self.weight, self.visible_bias).to(h.dtype)

    def contrast(self, v: Tensor, h: Tensor, other_v: Tensor, other_h: Tensor) -> Tensor:
        """(V, H)."""
        if torch.is_autocast_enabled(v.device.type):  # one sum, so that the difference is rounded once
            both = torch.mm(torch.cat([v, other_v]).t(), torch.cat([h, -other_h]))
            return both.to(self.weight.dtype)
        return torch.mm(v.t(), h).addmm_(other_v.t(), other_h, alpha=-1)

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
        return Doubled() if kind == "doubled" else Bernoulli()
    if units % categories:
        raise UsageError(f"{units} visible units do not make groups of {categories} categories")
    return Softmax(categories)

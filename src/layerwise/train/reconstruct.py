"""Autoencoders: the net makes a code, and a decoder, which the objective holds, brings back what went in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.randomness import Randomness
from layerwise.train.objectives import Descent
from layerwise.values import Batch

__all__ = ["Corrupt", "Reconstruction", "Variational", "blurred", "masked"]

Corrupt: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""Spoils inputs (N, ...), each value apart."""

Error: TypeAlias = Literal["squared", "cross-entropy"]


def masked(share: float) -> Corrupt:
    """Sets each value to 0 with that probability (Vincent et al. 2010, section 3.3)."""

    def corrupt(x: Tensor, generator: torch.Generator) -> Tensor:
        return x * (torch.rand(x.shape, generator=generator, device=x.device) >= share)

    return corrupt


def blurred(spread: float) -> Corrupt:
    """Adds normal noise of that standard deviation (Vincent et al. 2010, section 3.3)."""

    def corrupt(x: Tensor, generator: torch.Generator) -> Tensor:
        return x + spread * torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)

    return corrupt


class Reconstruction(Descent):
    """Bring back the inputs (N, ...) from the net's codes.

    `decoder`  from codes to values of the inputs' shape; learned with the net. For `cross-entropy`, of inputs
               from 0 to 1, it gives logits
    `corrupt`  spoils what the net sees; what is to be brought back stays whole: a denoising autoencoder
               (Vincent et al. 2008)
    `sparsity` (activity, weight): pulls the mean activity of each code unit, from 0 to 1, to this one by the
               divergence of the two (Ng 2011, "Sparse autoencoder", equation 8)
    `contraction` weight of the squared norm of the codes' Jacobian (Rifai et al. 2011, equation 2), estimated
               without bias from one random direction an example (Hutchinson 1990)

    Scalars: "loss"; "error", the squared error of an example, summed over its values.
    """

    def __init__(
        self,
        decoder: nn.Module,
        *,
        error: Error = "squared",
        corrupt: Corrupt | None = None,
        sparsity: tuple[float, float] | None = None,
        contraction: float = 0.0,
    ) -> None:
        super().__init__()
        if sparsity is not None and not 0 < sparsity[0] < 1:
            raise UsageError(f"the activity of sparsity lies between 0 and 1, got {sparsity[0]}")
        self.decoder = decoder
        self._error: Error = error
        self._corrupt, self._sparsity, self._contraction = corrupt, sparsity, contraction

    def altered(self, batch: Batch, rng: Randomness) -> Batch:
        x = floats(batch.inputs)
        seen = x if self._corrupt is None else self._corrupt(x, rng.generator("corruption", x.device.type))
        return replace(batch, inputs=seen, targets=x)

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        seen, x = floats(batch.inputs), floats(batch.targets)
        if self._contraction:
            seen = seen.detach().requires_grad_()
        code = net(seen)
        losses, error = compared(self.decoder(code), x, self._error)
        loss = mean(losses, batch.weights)
        if self._sparsity is not None:
            loss = loss + self._sparsity[1] * _divergence(code.flatten(1).mean(0), self._sparsity[0])
        if self._contraction:
            loss = loss + self._contraction * mean(_jacobian(code, seen, rng), batch.weights)
        return {"loss": loss, "error": mean(error, batch.weights)}


class Variational(Descent):
    """The evidence bound of Kingma and Welling 2014: the net gives means and log variances of K code units.

    The net's output is (N, 2 K), means first; `decoder` takes codes (N, K). For `squared` the inputs have
    unit variance about what the decoder says. `weight` is that of the divergence from a standard normal
    (Higgins et al. 2017); 1 is the bound. Scalars: "loss", in nats without constants; "error";
    "divergence".
    """

    def __init__(self, decoder: nn.Module, *, error: Error = "cross-entropy", weight: float = 1.0) -> None:
        super().__init__()
        self.decoder = decoder
        self._error: Error = error
        self._weight = weight

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        x = floats(batch.inputs)
        mean_code, log_variance = net(x).chunk(2, dim=1)
        noise = torch.randn(mean_code.shape, generator=rng.generator("code", x.device.type), device=x.device)
        code = mean_code + (log_variance / 2).exp() * noise.to(x.dtype)
        losses, error = compared(self.decoder(code), x, self._error)
        scale = 0.5 if self._error == "squared" else 1.0  # half the square is the log density
        divergence = (mean_code.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
        loss = mean(scale * losses + self._weight * divergence, batch.weights)
        return {
            "loss": loss,
            "error": mean(error, batch.weights),
            "divergence": mean(divergence, batch.weights),
        }


def compared(decoded: Tensor, x: Tensor, error: Error) -> tuple[Tensor, Tensor]:
    """(N,) the loss of each example, summed over its values, and its squared error."""
    decoded, x = decoded.flatten(1), x.flatten(1)
    if decoded.shape != x.shape:
        raise UsageError(
            f"the decoder gives {decoded.shape[1]:,} values an example, the inputs have {x.shape[1]:,}"
        )
    if error == "squared":
        squares = (decoded - x).square().sum(1)
        return squares, squares.detach()
    losses = F.binary_cross_entropy_with_logits(decoded, x, reduction="none").sum(1)
    return losses, (decoded.detach().sigmoid() - x).square().sum(1)


def mean(each: Tensor, weights: Tensor | None) -> Tensor:
    """The mean of (N,), by weight where there are weights."""
    return each.mean() if weights is None else (each * weights).sum() / weights.sum()


def _divergence(activity: Tensor, wanted: float) -> Tensor:
    """Kullback and Leibler's, of Bernoulli variables of those means (K,) from the one wanted, summed."""
    a = activity.clamp(1e-6, 1 - 1e-6)
    return (wanted * (wanted / a).log() + (1 - wanted) * ((1 - wanted) / (1 - a)).log()).sum()


def _jacobian(code: Tensor, seen: Tensor, rng: Randomness) -> Tensor:
    """(N,) an unbiased estimate of the squared norm of the Jacobian of each code by what was seen."""
    draw = torch.randn(code.shape, generator=rng.generator("direction", code.device.type), device=code.device)
    (found,) = torch.autograd.grad(code, seen, draw.to(code.dtype), create_graph=True)
    return found.flatten(1).square().sum(1)


def floats(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise UsageError(
            "a reconstruction needs examples of one shape, got several columns or unequal lengths"
        )
    return value if value.is_floating_point() else value.float()

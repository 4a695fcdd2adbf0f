"""Optimisers, each as a function from what is to be learned to a `torch.optim.Optimizer`.

Weight decay never acts on biases and gains of norms. Rows of an embedding that stand for padding are
zero and have no gradient, so they stay zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.adamw import adamw

from layerwise.errors import UsageError, shown, suggest

__all__ = ["OPTIMISERS", "Learned", "Maker", "Muon", "optimiser", "orthogonalised"]

Role: TypeAlias = Literal["matrix", "embedding", "head", "vector"]


class Learned(list[nn.Parameter]):
    """The parameters that a phase learns, and the role of each: any torch optimiser takes it as a list."""

    def __init__(self, parameters: list[nn.Parameter], roles: list[Role]) -> None:
        super().__init__(parameters)
        self.roles = roles

    @classmethod
    def of(cls, net: nn.Module, *others: nn.Module) -> Learned:
        """All parameters that require gradients, shared ones once. The net's last matrix is its head."""
        found: dict[nn.Parameter, Role] = {}
        head: nn.Parameter | None = None
        for top in (net, *others):
            for owner in top.modules():
                for name, parameter in owner.named_parameters(recurse=False):
                    role = _role(owner, name, parameter)
                    if top is net and role == "matrix":
                        head = parameter
                    if parameter.requires_grad:
                        found.setdefault(parameter, role)
        if head in found and sum(role == "matrix" for role in found.values()) > 1:
            found[head] = "head"
        return cls(list(found), list(found.values()))

    def having(self, *roles: Role) -> list[nn.Parameter]:
        """The parameters of these roles, in order."""
        return [p for p, role in zip(self, self.roles, strict=True) if role in roles]

    def groups(self, *roles: Role, decay: float) -> list[dict[str, Any]]:
        """Parameter groups of these roles: with weight decay and, where they are vectors, without."""
        if not decay:
            return [{"params": group, "weight_decay": 0.0} for group in [self.having(*roles)] if group]
        decayed = self.having(*(r for r in roles if r != "vector"))
        plain = self.having("vector") if "vector" in roles else []
        pairs = ((decayed, decay), (plain, 0.0))
        return [{"params": group, "weight_decay": d} for group, d in pairs if group]


Maker: TypeAlias = Callable[[Learned], Optimizer]

_EVERY: tuple[Role, ...] = ("matrix", "embedding", "head", "vector")


def _role(owner: nn.Module, name: str, parameter: nn.Parameter) -> Role:
    if parameter.ndim < 2 or "bias" in name or "Norm" in type(owner).__name__:
        return "vector"
    return "embedding" if isinstance(owner, nn.Embedding | nn.EmbeddingBag) else "matrix"


def optimiser(name: str, *, rate: float, momentum: float = 0.9, decay: float = 0.0) -> Maker:
    """The optimiser of that name: sgd, nesterov, adamw or muon.

    `decay` is added to the gradient for sgd and nesterov, and decoupled for adamw (Loshchilov and Hutter
    2019) and muon. `momentum` is the first of adamw's two; muon's own is 0.95 as published. Raises
    UsageError for another name.
    """
    if name not in OPTIMISERS:
        raise UsageError(
            f"no optimiser {shown(name)}{suggest(name, OPTIMISERS) or '.'} Optimisers: {', '.join(OPTIMISERS)}"
        )

    def make(learned: Learned) -> Optimizer:
        groups = learned.groups(*_EVERY, decay=decay)
        if name == "adamw":
            return AdamW(groups, lr=rate, betas=(momentum, 0.999), fused=True)
        if name == "muon":
            return Muon(learned, rate=rate, decay=decay)
        return SGD(groups, lr=rate, momentum=momentum, nesterov=name == "nesterov", fused=True)

    return make


OPTIMISERS = ("sgd", "nesterov", "adamw", "muon")


def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """(..., rows, columns) with its singular values brought near 1, its singular vectors kept.

    Jordan 2024, "Muon": Newton-Schulz iteration with a quintic whose coefficients trade exactness (the
    values end between about 0.7 and 1.2) for speed.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    answer: Tensor = x.mT if tall else x
    return answer


class Muon(Optimizer):
    """Momentum whose step is orthogonalised, for weight matrices and kernels; AdamW for all else.

    Jordan 2024: kernels (out, in, ...) count as matrices (out, in * ...); embeddings, the head, biases and
    norms are AdamW's. The step is scaled by 0.2 sqrt(max(rows, columns)) (Liu et al. 2025, "Muon is
    scalable"), which gives it the size of a step of AdamW: one rate and one decay serve both.
    """

    def __init__(self, learned: Learned, *, rate: float, decay: float = 0.0, momentum: float = 0.95) -> None:
        matrices = [{**g, "matrices": True} for g in learned.groups("matrix", decay=decay)]
        others = [
            {**g, "matrices": False} for g in learned.groups("embedding", "head", "vector", decay=decay)
        ]
        super().__init__(matrices + others, {"lr": rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns what `closure`, which leaves the gradients, returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["matrices"]:
                self._orthogonal(group, parameters)
            elif parameters:
                self._adam(group, parameters)
        return loss

    def _orthogonal(self, group: dict[str, Any], parameters: list[nn.Parameter]) -> None:
        for p in parameters:
            assert p.grad is not None
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            state["momentum"].lerp_(p.grad, 1 - group["momentum"])
            ahead = p.grad.lerp(state["momentum"], group["momentum"])  # Nesterov's look ahead
            step = orthogonalised(ahead.flatten(1))
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(step.reshape(p.shape), alpha=-0.2 * group["lr"] * max(step.shape) ** 0.5)

    def _adam(self, group: dict[str, Any], parameters: list[nn.Parameter]) -> None:
        for p in parameters:
            if not self.state[p]:
                self.state[p] = {
                    "step": torch.zeros((), device=p.device),
                    "mean": torch.zeros_like(p),
                    "square": torch.zeros_like(p),
                }
        states = [self.state[p] for p in parameters]
        adamw(
            list[Tensor](parameters),
            [p.grad for p in parameters if p.grad is not None],
            [s["mean"] for s in states],
            [s["square"] for s in states],
            [],
            [s["step"] for s in states],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )

"""A running average of the weights, which answers better than the last step does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from layerwise.train.state import tensors

__all__ = ["Average"]

EVERY = 8  # steps: averaging each step costs more than a small network's step


class Average:
    """Exponential average of every floating tensor of a net, statistics of batch norm included.

    Updated every 8 steps with decay^8. Early on the decay is smaller, (1 + u) / (10 + u) at update u, so
    that the first weights are soon forgotten. Integer tensors (counters) are copied.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._decay = decay**EVERY
        self._live = tensors(net)
        self.values = {name: t.detach().clone() for name, t in self._live.items()}

    @torch.no_grad()
    def update(self, step: int, *, last: bool = False) -> None:
        """Take in the weights after step number `step`, counted from 1, if its turn has come."""
        if step % EVERY and not last:
            return
        turn = -(-step // EVERY)
        share = 1.0 - min(self._decay, (1 + turn) / (10 + turn))
        floating = [name for name, t in self._live.items() if t.is_floating_point()]
        torch._foreach_lerp_([self.values[n] for n in floating], [self._live[n] for n in floating], share)
        for name in self._live.keys() - set(floating):
            self.values[name].copy_(self._live[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages into the net for as long as this lasts."""
        kept = {name: t.detach().clone() for name, t in self._live.items()}
        self._put(self.values)
        try:
            yield
        finally:
            self._put(kept)

    @torch.no_grad()
    def _put(self, values: Mapping[str, Tensor]) -> None:
        for name, t in self._live.items():
            t.copy_(values[name])

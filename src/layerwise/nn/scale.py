"""The first stage of most networks: whatever the reader hands on becomes float32 about 0."""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.errors import UsageError
from layerwise.nn.stage import IMAGE, SEQUENCE, SPECTROGRAM, Stage
from layerwise.spec import Spec
from layerwise.values import Padded

__all__ = ["Scale"]


class Scale(Stage):
    """To float32, then (x - centre) / spread along the channel or feature axis; `spec` holds the two.

    **Shape** any to the same. A Spec without centre leaves values as they are, as float32.
    """

    takes_padded = True
    centre: Tensor
    spread: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        if spec.columns:
            raise UsageError(
                "Scale takes one group of columns, got several: put it into the branches of Columns"
            )
        self.register_buffer("centre", _along(spec, spec.centre or (0.0,)))
        self.register_buffer("spread", _along(spec, spec.spread or (1.0,)))

    def forward(self, x: Tensor | Padded) -> Tensor | Padded:
        if isinstance(x, Padded):
            return Padded(self._scaled(x.values), x.lengths).zeroed()
        return self._scaled(x)

    def _scaled(self, x: Tensor) -> Tensor:
        if x.dtype in (torch.uint16, torch.float64):  # what subtraction would not turn into float32
            x = x.float()
        return (x - self.centre).div_(self.spread)

    def spec(self, spec: Spec) -> Spec:
        return spec.but(dtype="float32", centre=(), spread=())

    def words(self) -> str:
        return "scaled to mean 0 and spread 1"


def _along(spec: Spec, values: tuple[float, ...]) -> Tensor:
    """The values as a tensor that broadcasts along the channel or feature axis of a batch."""
    if len(values) == 1:
        return torch.tensor(values[0])
    trailing = {IMAGE: 2, SPECTROGRAM: 1, SEQUENCE: 0}.get(spec.axes, 0)
    return torch.tensor(values).reshape(-1, *(1,) * trailing)

"""Levels that read a sequence step by step and remember."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.nn.options import Channels, Share
from layerwise.nn.stage import SEQUENCE, SPECTROGRAM, Reach, Stage, spatial, steps, wanted
from layerwise.spec import Spec
from layerwise.values import Padded

__all__ = ["Recurrent", "reversed_within"]


class Recurrent(Stage):
    """LSTM (Hochreiter and Schmidhuber 1997; forget gates: Gers et al. 2000) or GRU (Cho et al. 2014).

    **Shape** sequences (N, T, C) or spectrograms (N, T, C, F), `Padded` or not, to (N, T, width), or
    (N, T, 2 width) for `both_ways`, where the second half has read the sequence from its own end.
    """

    takes_padded = True

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        cell: Literal["lstm", "gru"] = "lstm",
        both_ways: bool = False,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        wanted(self, spec, SEQUENCE, SPECTROGRAM, hint="put Embedding (tokens) or LogMel (sound) before it")
        self.inputs = spec.but(axes=spec.axes[1:], shape=spec.shape[1:]).features
        self.width, self.cell, self.dropout, self.sees = width, cell, dropout, spatial(spec)
        self.forth = _cell(cell, self.inputs, width)
        self.back = _cell(cell, self.inputs, width) if both_ways else None

    def forward(self, x: Tensor | Padded) -> Tensor | Padded:
        values, lengths = x if isinstance(x, Padded) else (x, None)
        values = values.flatten(2)
        y: Tensor = self.forth(values)[0]
        if self.back is not None:
            back = self.back(reversed_within(values, lengths))[0]
            y = torch.cat([y, reversed_within(back, lengths)], 2)
        if self.dropout:
            y = F.dropout(y, self.dropout, self.training)
        return y if lengths is None else Padded(y, lengths).zeroed()

    def spec(self, spec: Spec) -> Spec:
        width = self.width * (1 if self.back is None else 2)
        return Spec(SEQUENCE, (spec.shape[0], width), rate_hz=spec.rate_hz, longest=spec.longest)

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self.sees)

    def cost(self, spec: Spec) -> int:
        return steps(spec) * sum(p.numel() for p in self.parameters() if p.ndim == 2)

    def depth(self, spec: Spec) -> int:
        return steps(spec)

    def words(self) -> str:
        ways = ", both ways" if self.back is not None else ""
        dropout = f", dropout {self.dropout:g}" if self.dropout else ""
        return f"{self.cell.upper()} {self.width}{ways}{dropout}"


def reversed_within(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(N, T, C) with the first `lengths` (N,) steps of each in reverse order, the rest where they are."""
    if lengths is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - steps
    order = torch.where(mirrored >= 0, mirrored, steps)
    return x.gather(1, order[:, :, None].expand_as(x))


def _cell(cell: str, inputs: int, width: int) -> nn.LSTM | nn.GRU:
    """One layer; orthogonal from step to step, forget gates open at first (Jozefowicz et al. 2015)."""
    layer = (nn.LSTM if cell == "lstm" else nn.GRU)(inputs, width, batch_first=True)
    for name, weight in layer.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(weight)
        else:
            fill = nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_
            for gate in torch.split(weight.detach(), width):
                fill(gate)
    if cell == "lstm":
        with torch.no_grad():
            layer.get_parameter("bias_ih_l0")[width : 2 * width].fill_(
                1.0
            )  # gates: input, forget, cell, output
    return layer

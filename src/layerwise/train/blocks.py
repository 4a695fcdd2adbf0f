"""Hidden blocks: patches of a picture, stretches of a series, of time and pitch of a sound."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from math import prod
from typing import Self

import torch
from torch import Generator, Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn import Dense, Pipeline
from layerwise.nn.masks import mask_of
from layerwise.nn.pipeline import after
from layerwise.nn.stage import IMAGE, SEQUENCE, SPECTROGRAM, spatial, steps, vector
from layerwise.spec import Spec
from layerwise.train.hidden import WIDTH, Part, code_width
from layerwise.values import Padded, Value

__all__ = ["Blocks"]

ACROSS = 7  # blocks along an axis


class Blocks(Part):
    """Blocks of pictures, series and sounds; told from the code by their place.

    What is hidden is a part of what the leading stages without parameters make of an example: of its scaled
    values, of a sound its log-mel spectrogram. Each block is hidden with probability `share`: patches of a
    picture, in all its channels; stretches of each channel of a series by itself; stretches of time in bands
    of a sound. They are a seventh of an example long, anywhere, and look like the mean, which is 0. The
    decoder knows nothing but the code and where a block lies; the loss is the squared error.

    Context encoders (Pathak et al. 2016) and masked autoencoders (He et al. 2022) on pictures; on series
    Zerveas et al. 2021.
    """

    SHARE = 0.5

    def __init__(self, look: Spec, width: int, *, front: int, share: float) -> None:
        super().__init__()
        self.front, self.share = front, share
        self.turned, self.apart = look.axes != IMAGE, look.axes == SEQUENCE
        lengths = [look.length(axis) or steps(look) for axis in spatial(look)]
        sides = [min(lengths)] * 2 if look.axes == IMAGE else lengths  # patches are square
        self.block = [max(1, round(n / ACROSS)) for n in sides]
        self.told = _Told(width, look.length("channel") or 1, lengths, self.block)

    @classmethod
    def of(cls, spec: Spec, net: Pipeline, *, share: float | None) -> Self:
        leading = list(takewhile(lambda stage: not any(True for _ in stage[1].parameters()), net.stages()))
        look = spec
        for name, stage in leading:
            look = after(name, stage, look)
        if len(leading) == len(net.stages()):
            raise UsageError("masked reconstruction trains a network, and this one has nothing to learn")
        if look.axes not in (IMAGE, SEQUENCE, SPECTROGRAM):
            raise UsageError(
                f"blocks are hidden of pictures, series and spectrograms, got {' x '.join(look.axes)} ({look})"
            )
        share = cls.SHARE if share is None else share
        return cls(look, code_width(net, spec), front=len(leading), share=share)

    def forward(self, net: Pipeline, x: Value, generator: Generator) -> Tensor:
        stages = net.stages()
        with torch.no_grad():
            whole = net.upto(x, stages[self.front][0])
        assert isinstance(whole, Tensor | Padded)
        values, lengths = whole if isinstance(whole, Padded) else (whole, None)
        maps = values.transpose(1, 2) if self.turned else values  # (N, C, ...)
        hidden = self._hidden(maps, generator)
        known = mask_of(maps, lengths)
        if known is not None:
            hidden = hidden & known
        seen = maps.masked_fill(hidden, 0.0)
        seen = seen.transpose(1, 2) if self.turned else seen
        code = Pipeline(**dict(stages[self.front :]))(seen if lengths is None else Padded(seen, lengths))
        wrong = (self.told(code.flatten(1), maps.shape[2:]) - maps).square()
        count = maps[0].numel() if known is None else known.expand_as(maps).flatten(1).sum(1).clamp_min(1)
        return torch.where(hidden, wrong, 0).flatten(1).sum(1) / (self.share * count)

    def _hidden(self, maps: Tensor, generator: Generator) -> Tensor:
        """(N, C or 1, ...), True in blocks; their grid is moved by less than a block, anew each time."""
        n, channels, *lengths = maps.shape
        coarse = [-(-length // b) + 1 for length, b in zip(lengths, self.block, strict=True)]
        shape = (n, channels if self.apart else 1, *coarse)
        hidden = torch.rand(shape, generator=generator, device=maps.device) < self.share
        for axis, (length, b) in enumerate(zip(lengths, self.block, strict=True), 2):
            start = int(torch.randint(b, (), generator=generator, device=maps.device))
            hidden = hidden.repeat_interleave(b, axis).narrow(axis, start, length)
        return hidden


class _Told(nn.Module):
    """Codes (N, K) to maps (N, C, *lengths), block by block, from the code and the place of the block.

    `lengths` are those of the longest examples; past them the last place stands for all.
    """

    def __init__(self, width: int, channels: int, lengths: Sequence[int], block: Sequence[int]) -> None:
        super().__init__()
        self.block = tuple(block)
        level = Dense.from_spec(vector(width), width=WIDTH, norm="batch")
        self.code = nn.Sequential(level, nn.Linear(WIDTH, WIDTH))
        self.place = nn.Parameter(torch.randn(*self._grid(lengths), WIDTH))
        self.values = nn.Linear(WIDTH, channels * prod(block))

    def forward(self, code: Tensor, lengths: Sequence[int]) -> Tensor:
        grid = self._grid(lengths)
        place: Tensor = self.place
        for axis, n in enumerate(grid):
            index = torch.arange(n, device=code.device).clamp_max(place.shape[axis] - 1)
            place = place.index_select(axis, index)
        level = self.code(code).reshape(len(code), *(1,) * len(grid), -1) + place
        blocks = self.values(level.relu()).unflatten(-1, (-1, *self.block))  # (N, *grid, C, *block)
        axes = range(1, len(grid) + 1)
        y: Tensor = blocks.permute(0, len(grid) + 1, *(a for i in axes for a in (i, len(grid) + 1 + i)))
        y = y.reshape(len(code), -1, *(g * b for g, b in zip(grid, self.block, strict=True)))
        for axis, length in enumerate(lengths, 2):
            y = y.narrow(axis, 0, length)
        return y

    def _grid(self, lengths: Sequence[int]) -> list[int]:
        return [-(-n // b) for n, b in zip(lengths, self.block, strict=True)]

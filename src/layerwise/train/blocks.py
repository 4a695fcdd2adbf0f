"""Blocks of maps: patches of a picture, stretches of a series, stretches of time and pitch of a sound."""

from __future__ import annotations

from math import prod
from typing import Self

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.nn.pipeline import after
from layerwise.nn.stage import IMAGE, SEQUENCE, SPECTROGRAM, spatial, steps
from layerwise.spec import Spec
from layerwise.train.hidden import Part
from layerwise.values import Padded, Value

__all__ = ["Blocks"]

WIDTH = 256  # of the decoder's hidden level
ACROSS = 7  # blocks along an axis, about
MODE = "auto"
FILL = "zero"


class Blocks(Part):
    """x"""

    SHARE = 0.5

    def __init__(self, net: Pipeline, spec: Spec, *, share: float) -> None:
        super().__init__()
        self.share = share
        self.front, looks = _front(net, spec)
        seen = looks[0]
        if seen.axes not in (IMAGE, SEQUENCE, SPECTROGRAM):
            raise UsageError(f"nothing to hide in {spec}")
        self.axes = seen.axes
        self.each = seen.axes == SEQUENCE  # channels are hidden apart
        lengths = [seen.length(a) or steps(seen) for a in spatial(seen)]
        self.block = (
            [max(2, round(min(lengths) / ACROSS))] * 2
            if seen.axes == IMAGE
            else [max(2, round(n / ACROSS)) for n in lengths]
        )
        channels = seen.length("channel") or 1
        end = looks[-1]
        place = max(i for i, s in enumerate(looks) if spatial(s))
        names = [name for name, _ in net.stages()][self.front :]
        self.level = names[place - 1]
        mode = MODE
        if mode == "auto":
            mode = "map" if spatial(end) else "code"
        self.mode = mode
        code = 0 if mode == "map" else end.features
        maps = 0 if mode == "code" else looks[place].length("channel")
        if mode == "code":
            self.decoder = FromCode(code, lengths, self.block, channels)
        else:
            strides = _strides(net.stages()[self.front : self.front + place], spatial(seen))
            self.decoder = FromMap(maps, code, strides, channels)

    @classmethod
    def of(cls, spec: Spec, net: Pipeline, *, share: float | None) -> Self:
        return cls(net, spec, share=cls.SHARE if share is None else share)

    def forward(self, net: Pipeline, x: Value, generator: Generator) -> Tensor:
        stages = net.stages()
        with torch.no_grad():
            goal = net.upto(x, stages[self.front][0])
        values, lengths = goal if isinstance(goal, Padded) else (goal, None)
        turned = self.axes != IMAGE
        maps = values.transpose(1, 2) if turned else values  # (N, C, *S)
        shape = list(maps.shape)
        if not self.each:
            shape[1] = 1
        hidden = blocks(shape, self.block, self.share, generator)
        known = torch.ones_like(hidden)
        if lengths is not None:
            mask = goal.mask()
            known = mask[:, None].reshape(len(mask), 1, -1, *(1,) * (maps.ndim - 3)) & known
            hidden = hidden & known
        seen = maps.masked_fill(hidden, 0.0)
        if FILL == "scale":
            seen = seen / (1 - self.share)
        if FILL == "swap":
            other = maps.roll(1, 0)
            seen = torch.where(hidden, other, maps)
        if turned:
            seen = seen.transpose(1, 2)
        seen = seen if lengths is None else Padded(seen, lengths)
        rest = Pipeline(**dict(stages[self.front :]))
        if self.mode == "code":
            told = self.decoder(rest(seen), maps.shape[2:])
        else:
            found = {}
            for name, value in rest.levels(seen):
                found[name] = value
            m = found[self.level]
            m = m.values if isinstance(m, Padded) else m
            if turned:
                m = m.transpose(1, 2)
            code = value if self.mode == "both" else None
            told = self.decoder(m, code, maps.shape[2:])
        wrong = torch.where(hidden, told - maps, 0).square().flatten(1).sum(1)
        return wrong / (self.share * known.expand(maps.shape).flatten(1).sum(1)).clamp_min(1)


class FromCode(nn.Module):
    def __init__(self, code, lengths, block, channels):
        super().__init__()
        self.block, self.channels = block, channels
        self.grid = [-(-n // b) for n, b in zip(lengths, block)]
        self.code = nn.Linear(code, WIDTH)
        self.place = nn.Parameter(torch.randn(*self.grid, WIDTH))
        self.patch = nn.Linear(WIDTH, channels * prod(block))

    def forward(self, code, lengths):
        grid = [-(-n // b) for n, b in zip(lengths, self.block)]
        place = self.place
        for axis, n in enumerate(grid):
            index = torch.arange(n, device=code.device).clamp_max(place.shape[axis] - 1)
            place = place.index_select(axis, index)
        dims = len(grid)
        h = (self.code(code).reshape(len(code), *(1,) * dims, -1) + place).relu()
        return unfolded(self.patch(h), self.block, lengths)


class FromMap(nn.Module):
    def __init__(self, maps, code, strides, channels):
        super().__init__()
        self.strides = strides
        self.maps = nn.Linear(maps, WIDTH)
        self.code = nn.Linear(code, WIDTH) if code else None
        self.patch = nn.Linear(WIDTH, channels * prod(strides))

    def forward(self, maps, code, lengths):
        h = self.maps(maps.movedim(1, -1))
        if code is not None:
            h = h + self.code(code).reshape(len(code), *(1,) * len(self.strides), -1)
        return unfolded(self.patch(h.relu()), self.strides, lengths)


def unfolded(y, block, lengths):
    """(N, *grid, C * block) to (N, C, *lengths)"""
    dims = len(block)
    n, grid = len(y), y.shape[1:-1]
    y = y.reshape(n, *grid, -1, *block)
    order = [0, dims + 1]
    for i in range(dims):
        order += [1 + i, dims + 2 + i]
    y = y.permute(order).reshape(n, -1, *(g * b for g, b in zip(grid, block)))
    for axis, length in enumerate(lengths, 2):
        short = length - y.shape[axis]
        if short > 0:
            y = F.pad(y, [0, 0] * (y.ndim - 1 - axis) + [0, short])
        y = y.narrow(axis, 0, length)
    return y


def blocks(shape, block, share, generator):
    n, c, *lengths = shape
    coarse = [-(-length // b) + 1 for length, b in zip(lengths, block)]
    y = torch.rand((n, c, *coarse), generator=generator, device=generator.device) < share
    for axis, (length, b) in enumerate(zip(lengths, block), 2):
        off = int(torch.randint(b, (), generator=generator, device=generator.device))
        y = y.repeat_interleave(b, axis).narrow(axis, off, length)
    return y


def _front(net, spec):
    """How many stages lead without parameters, and the Specs after those and each further stage"""
    stages = net.stages()
    front = next(i for i, (_, s) in enumerate(stages) if any(True for _ in s.parameters()))
    for name, s in stages[:front]:
        spec = after(name, s, spec)
    looks = [spec]
    for name, s in stages[front:]:
        looks.append(after(name, s, looks[-1]))
    return front, looks


def _strides(stages, axes):
    out = dict.fromkeys(axes, 1)
    for _, stage in stages:
        for axis, reach in stage.field().items():
            if reach is not None and axis in out:
                out[axis] *= reach.stride
    return list(out.values())

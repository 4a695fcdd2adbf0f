"""Changes of training series that leave their meaning: time moved and bent, size, level, noise, gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import pi
from typing import Any

import torch
from torch import Tensor

from layerwise.kinds.amounts import amounts
from layerwise.kinds.base import Alter
from layerwise.kinds.series.reader import KNOWN
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Batch, Padded

__all__ = ["Amounts", "alter"]


@dataclass(frozen=True)
class Amounts:
    """How far each change may go; 0 leaves it out. Every series draws its own."""

    shift: float = 0  # share of the length, either way; the ends are held
    crop: float = 0  # share of the length: at most so much is cut off, and the rest stretched to the length
    warp: float = 0  # share of the length: time runs faster here and slower there, by at most so much
    scale: float = 0  # share: 0.1 draws factors from 0.9 to 1.1, one a channel
    level: float = 0  # in standard deviations of the channel, either way
    noise: float = 0  # in standard deviations of the channel, at the loudest draw
    gap: float = 0  # share of the length: one stretch of at most so much lies at the channel's mean


def alter(spec: Spec, options: Mapping[str, Any]) -> Alter | None:
    """The alteration that the recipe's `training.alter` lines describe; None where all amounts are 0.

    It maps series (N, T, C), `Padded` or not, to series of the same lengths, each apart, and is a function
    of the randomness alone. Masks, which are 0 or 1, are only moved in time. Raises UsageError for an unknown
    name or an amount below 0.
    """
    wanted = amounts(Amounts, options, plural="series")
    if wanted is None:
        return None
    masks = tuple(name.endswith(KNOWN) for name in spec.names) or (False,)
    return _Alteration(wanted, spec.centre or (0.0,), spec.spread or (1.0,), masks)


@dataclass(frozen=True)
class _Alteration:
    amounts: Amounts
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    masks: tuple[bool, ...]  # which channels say where others are known

    def __call__(self, batch: Batch, rng: Randomness) -> Batch:
        given = batch.inputs
        values, lengths = given if isinstance(given, Padded) else (given, None)
        if not isinstance(values, Tensor):
            raise TypeError(f"series come as tensors (N, T, C), got {type(values).__name__}")
        a, draw = self.amounts, _Draw(rng, values)
        if a.shift or a.crop or a.warp:
            values = _read_at(values, self._moments(values, lengths, draw))
        centre, spread = (torch.tensor(one, device=values.device) for one in (self.centre, self.spread))
        z = (values - centre) / spread
        if a.scale:
            z = z * (1 + a.scale * draw.either(channels=True))
        if a.level:
            z = z + a.level * draw.either(channels=True)
        if a.noise:
            z = z + a.noise * draw.share() * draw.noise()
        if a.gap:
            z = torch.where(_gap(values, lengths, a.gap * draw.share(), draw.share()), 0, z)
        values = torch.where(torch.tensor(self.masks, device=values.device), values, z * spread + centre)
        if lengths is None:
            return replace(batch, inputs=values)
        return replace(batch, inputs=Padded(values, lengths).zeroed())

    def _moments(self, values: Tensor, lengths: Tensor | None, draw: _Draw) -> Tensor:
        """(N, T) where each step is read from, in steps from 0 to the length - 1."""
        a = self.amounts
        last = (_lengths(values, lengths) - 1).clamp_min(0)[:, None]
        at = torch.arange(values.shape[1], device=values.device) / last.clamp_min(1)
        cut = a.crop * draw.share()[..., 0]
        at = cut * draw.share()[..., 0] + at * (1 - cut) - a.shift * draw.either()[..., 0]
        if a.warp:
            # one and two waves over the length: their slopes together stay below 1 for warps up to 0.1
            for waves in (1, 2):
                phase = pi * draw.either()[..., 0]
                at = at + a.warp / 2 / waves * draw.either()[..., 0] * torch.sin(2 * pi * waves * at + phase)
        return torch.minimum((at * last).clamp_min(0), last)


class _Draw:
    """Random numbers, one a series, or one a series and channel."""

    def __init__(self, rng: Randomness, values: Tensor) -> None:
        self._like = values
        self._generator = rng.generator("series alter", values.device.type)

    def share(self, *, channels: bool = False) -> Tensor:
        """(N, 1, 1) or (N, 1, C) floats from 0 to 1."""
        n, _, c = self._like.shape
        device = self._like.device
        return torch.rand((n, 1, c if channels else 1), generator=self._generator, device=device)

    def either(self, *, channels: bool = False) -> Tensor:
        """The same from -1 to 1."""
        return 2 * self.share(channels=channels) - 1

    def noise(self) -> Tensor:
        """Standard normal numbers (N, T, C)."""
        shape, device = self._like.shape, self._like.device
        return torch.randn(shape, generator=self._generator, device=device)


def _lengths(values: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is not None:
        return lengths
    return torch.full((len(values),), values.shape[1], device=values.device)


def _read_at(values: Tensor, at: Tensor) -> Tensor:
    """Values (N, T, C) at moments (N, T), on the line between the steps before and after."""
    before = at.floor().long()
    after = (before + 1).clamp_max(values.shape[1] - 1)
    part = (at - before)[..., None]
    wide = (-1, -1, values.shape[2])
    early = values.gather(1, before[..., None].expand(wide))
    late = values.gather(1, after[..., None].expand(wide))
    # a part of 0 takes the early value alone: what lies past a length may be anything
    return torch.where(part > 0, early + part * (late - early), early)


def _gap(values: Tensor, lengths: Tensor | None, span: Tensor, where: Tensor) -> Tensor:
    """(N, T, 1) True within one stretch of that share of each length."""
    length = _lengths(values, lengths)[:, None, None]
    start = where * (1 - span) * length
    steps = torch.arange(values.shape[1], device=values.device)[:, None]
    return (steps >= start) & (steps < start + span * length)

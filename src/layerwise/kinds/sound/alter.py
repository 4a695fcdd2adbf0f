"""Changes of training clips that leave their meaning: shift, speed, loudness, noise, silenced stretches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.kinds.amounts import amounts
from layerwise.kinds.base import Alter
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Batch, Padded

__all__ = ["Amounts", "alter"]


@dataclass(frozen=True)
class Amounts:
    """How far each change may go; 0 leaves it out. Every clip draws its own."""

    shift_seconds: float = 0  # either way; what leaves at one end is lost, silence enters at the other
    speed: float = 0  # share: 0.1 draws factors from 0.9 to 1.1, pitch and all
    gain_db: float = 0  # either way
    noise_db: float = 0  # white noise this far below full scale at the loudest draw; 0: none
    gaps: int = 0  # stretches of at most a tenth of the clip that are silenced (after Park et al. 2019)


def alter(spec: Spec, options: Mapping[str, Any]) -> Alter | None:
    """The alteration that the recipe's `training.alter` lines describe; None where all amounts are 0.

    It maps clips (N, T), `Padded` or not, to clips of the same dtype, each apart, and is a function of the
    randomness alone. Raises UsageError for an unknown name or an amount below 0.
    """
    wanted = amounts(Amounts, options, plural="sounds")
    return None if wanted is None else _Alteration(spec.rate_hz or 1.0, wanted)


@dataclass(frozen=True)
class _Alteration:
    rate_hz: float
    amounts: Amounts

    def __call__(self, batch: Batch, rng: Randomness) -> Batch:
        clips = batch.inputs
        if not isinstance(clips, Padded):
            raise TypeError(f"clips come as Padded (N, T), got {type(clips).__name__}")
        a, given = self.amounts, clips.values.dtype
        full = 1.0 if given.is_floating_point else 32768.0
        draw = _Draw(rng, clips)
        if a.speed or a.shift_seconds:
            clips = _moved(
                clips, 1 + draw.within(a.speed), draw.within(a.shift_seconds * self.rate_hz).round()
            )
        values = clips.values.float()
        if a.gain_db:
            values = values * torch.exp(draw.within(a.gain_db * log(10) / 20))[:, None]
        if a.noise_db:
            values = values + draw.share()[:, None] * full * 10 ** (-a.noise_db / 20) * draw.noise(values)
        for _ in range(a.gaps):
            values = _silenced(values, clips.lengths, draw.share(), draw.share())
        if not given.is_floating_point:
            values = values.round().clamp(-full, full - 1)
        return replace(batch, inputs=Padded(values.to(given), clips.lengths).zeroed())


class _Draw:
    """Random numbers, one a clip."""

    def __init__(self, rng: Randomness, clips: Padded) -> None:
        self._n, self._device = len(clips.lengths), clips.values.device
        self._generator = rng.generator("sound alter", self._device.type)

    def share(self) -> Tensor:
        """(N,) floats from 0 to 1."""
        return torch.rand(self._n, generator=self._generator, device=self._device)

    def within(self, most: float) -> Tensor:
        """(N,) floats from -most to most."""
        return (2 * self.share() - 1) * most

    def noise(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape of `like`."""
        return torch.randn(like.shape, generator=self._generator, device=self._device)


def _moved(clips: Padded, factors: Tensor, shifts: Tensor) -> Padded:
    """Clips read `factors` times as fast, by linear interpolation, and `shifts` samples later."""
    # clip by clip: gathering all at once through an index takes ten times as long
    lengths = torch.where(clips.lengths > 0, (clips.lengths / factors).round().long().clamp_min(1), 0)
    moved = torch.zeros(len(lengths), max(1, int(lengths.max())), device=clips.values.device)
    plan = zip(clips.values, clips.lengths.tolist(), lengths.tolist(), shifts.long().tolist(), strict=True)
    for row, (clip, before, after, shift) in enumerate(plan):
        shift = max(-after, min(after, shift))
        if before:
            heard = F.interpolate(clip[None, None, :before].float(), size=after, mode="linear")[0, 0]
            moved[row, max(0, shift) : after + min(0, shift)] = heard[max(0, -shift) : after - max(0, shift)]
    return Padded(moved, lengths)


def _silenced(values: Tensor, lengths: Tensor, where: Tensor, how_long: Tensor) -> Tensor:
    """Values (N, T) with one stretch of at most a tenth of each clip set to zero."""
    span = how_long * lengths * 0.1
    start = where * (lengths - span)
    steps = torch.arange(values.shape[1], device=values.device)
    gap = (steps >= start[:, None]) & (steps < (start + span)[:, None])
    return torch.where(gap, 0, values)

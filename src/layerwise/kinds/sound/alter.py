"""Changes of training clips that leave their meaning: stretch, shift, speed, loudness, tone, noise, silences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import log, log1p
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.errors import UsageError
from layerwise.kinds.amounts import amounts
from layerwise.kinds.base import Alter
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Batch, Padded

__all__ = ["Amounts", "alter", "views"]


TONES = 8  # evenly spaced in mel from 0 Hz to half the rate


@dataclass(frozen=True)
class Amounts:
    """How far each change may go; 0 leaves it out. Every clip draws its own."""

    shift_seconds: float = 0  # either way; what leaves at one end is lost, silence enters at the other
    speed: float = 0  # share: 0.1 draws factors from 0.9 to 1.1, pitch and all
    gain_db: float = 0  # either way
    noise_db: float = 0  # white noise this far below full scale at the loudest draw; 0: none
    gaps: int = 0  # stretches of at most a tenth of the clip that are silenced (after Park et al. 2019)
    crop: float = 0  # share: 0.5 keeps a stretch of from half to all of the clip
    tone_db: float = 0  # either way at each of TONES frequencies, in between by interpolation
    bands: int = 0  # bands of at most a tenth of the pitches that are silenced (after Park et al. 2019)


def alter(spec: Spec, options: Mapping[str, Any]) -> Alter | None:
    """The alteration that the recipe's `training.alter` lines describe; None where all amounts are 0.

    It maps clips (N, T), `Padded` or not, to clips of the same dtype, each apart, and is a function of the
    randomness alone. Raises UsageError for an unknown name or an amount below 0.
    """
    wanted = amounts(Amounts, options, plural="sounds")
    if wanted is not None and wanted.crop >= 1:
        raise UsageError(f"training.alter.crop is a share of the clip below 1, got {wanted.crop}")
    return None if wanted is None else _Alteration(spec.rate_hz or 1.0, wanted)


def views(spec: Spec) -> dict[str, Any]:
    """Other stretches of a clip, faster or slower, through other rooms and microphones."""
    wanted = Amounts(crop=0.5, speed=0.15, gain_db=10.0, tone_db=6.0, noise_db=40.0, gaps=2, bands=2)
    return {name: value for name, value in asdict(wanted).items() if value}


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
        if a.crop:
            clips = _stretch(clips, 1 - a.crop * draw.share(), draw.share())
        if a.speed or a.shift_seconds:
            clips = _moved(
                clips, 1 + draw.within(a.speed), draw.within(a.shift_seconds * self.rate_hz).round()
            )
        values = clips.values.float()
        if a.gain_db:
            values = values * torch.exp(draw.within(a.gain_db * log(10) / 20))[:, None]
        if a.tone_db or a.bands:
            values = _toned(values, draw, a, self.rate_hz)
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


def _stretch(clips: Padded, shares: Tensor, where: Tensor) -> Padded:
    """Of each clip a stretch of that share of its length; `where`, from 0 to 1, is how late it is."""
    lengths = torch.where(clips.lengths > 0, (clips.lengths * shares).round().long().clamp_min(1), 0)
    start = (where * (clips.lengths - lengths)).round().long()
    steps = torch.arange(max(1, int(lengths.max())), device=lengths.device)
    places = (start[:, None] + steps).clamp_max(clips.values.shape[1] - 1)
    return Padded(clips.values.gather(1, places), lengths).zeroed()


def _toned(values: Tensor, draw: _Draw, amounts: Amounts, rate_hz: float) -> Tensor:
    """Values (N, T) with some pitches louder, softer or silent."""
    spectrum = torch.fft.rfft(values, 1 << (values.shape[1] - 1).bit_length())
    hz = torch.linspace(0, rate_hz / 2, spectrum.shape[1], device=values.device)
    mel = torch.log1p(hz / 700) / log1p(rate_hz / 1400)  # from 0 to 1
    gain = torch.ones(spectrum.shape, device=values.device)
    if amounts.tone_db:
        knots = torch.stack([draw.within(amounts.tone_db * log(10) / 20) for _ in range(TONES)], dim=1)
        left = (mel * (TONES - 1)).long().clamp_max(TONES - 2)
        part = mel * (TONES - 1) - left
        gain = torch.exp(knots[:, left] * (1 - part) + knots[:, left + 1] * part)
    for _ in range(amounts.bands):
        width = 0.1 * draw.share()
        low = draw.share() * (1 - width)
        gain = torch.where((mel >= low[:, None]) & (mel < (low + width)[:, None]), 0, gain)
    toned: Tensor = torch.fft.irfft(spectrum * gain)
    return toned[:, : values.shape[1]]


def _silenced(values: Tensor, lengths: Tensor, where: Tensor, how_long: Tensor) -> Tensor:
    """Values (N, T) with one stretch of at most a tenth of each clip set to zero."""
    span = how_long * lengths * 0.1
    start = where * (lengths - span)
    steps = torch.arange(values.shape[1], device=values.device)
    gap = (steps >= start[:, None]) & (steps < (start + span)[:, None])
    return torch.where(gap, 0, values)

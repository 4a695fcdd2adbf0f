"""Sound as a picture: how loud each band of pitch is, moment by moment."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from layerwise.errors import UsageError
from layerwise.nn.masks import mask_of, zero_
from layerwise.nn.norms import BatchNorm, normed
from layerwise.nn.options import Between, Count
from layerwise.nn.stage import SAMPLES, SPECTROGRAM, Reach, Stage, steps, wanted
from layerwise.spec import Spec
from layerwise.values import Padded

__all__ = ["LogMel"]

Seconds = Annotated[float, Between(1e-5, 100.0)]
Hertz = Annotated[float, Between(0.0, 1e7)]
FLOOR = 1e-9  # of the power: 90 dB below full scale, which stands for silence
MOST = 1 << 25  # window x bands
AT_ONCE = 1 << 22  # numbers transformed in one go: enough to be fast, few enough to stay in the caches


def mel_corners(rate_hz: float, transform: int, bands: int, low_hz: float, high_hz: float) -> list[float]:
    """Corners in Hz of at most `bands` triangles that overlap by half, evenly spaced in mel.

    Where the transform is too coarse to tell that many bands apart, so that a triangle would fall between two
    of its frequencies or hold the very frequencies of another, there are fewer.
    """
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (low_hz, high_hz))
    apart, last = rate_hz / transform, transform // 2
    for count in range(bands, 0, -1):
        mels = [low + (high - low) * i / (count + 1) for i in range(count + 2)]
        hz = [700 * (10 ** (m / 2595) - 1) for m in mels]
        first = [math.floor(left / apart) + 1 for left in hz[:-2]]
        final = [min(last, math.ceil(right / apart) - 1) for right in hz[2:]]
        inside = set(zip(first, final, strict=True))
        if len(inside) == count and all(a <= b for a, b in inside):
            return hz
    raise UsageError(
        f"no frequency of a window at {rate_hz:g} Hz lies between {low_hz:g} and {high_hz:g} Hz:"
        " widen the band, or make window_seconds longer"
    )


def mel_filters(rate_hz: float, transform: int, corners: list[float]) -> np.ndarray:
    """(transform // 2 + 1, bands), float32: the triangles over the transform's frequencies, each of sum 1."""
    hz = np.arange(transform // 2 + 1)[:, None] * (rate_hz / transform)
    left, peak, right = (np.array(corners[i : len(corners) - 2 + i]) for i in range(3))
    triangles = np.minimum((hz - left) / (peak - left), (right - hz) / (right - peak)).clip(0)
    return np.asarray(triangles / triangles.sum(0), np.float32)


class LogMel(Stage):
    """The logarithm of the power in mel bands, frame by frame, each band scaled as in batch normalisation.

    **Shape** samples (N, T), int16 (full scale 32768) or float32 (full scale 1), `Padded` or not, to
    (N, frames, 1, bands), with 1 + ceil((T - window) / hop) frames; silence follows the last sample. Bands
    reach from `low_hz` to `high_hz`, half the rate at most; `context` seconds about a frame, where given, are
    what each band's mean is taken over and subtracted, which removes the channel and steady noise.
    """

    takes_padded = True
    hann: Tensor
    filters: Tensor

    def __init__(
        self,
        spec: Spec,
        *,
        bands: Count = 64,
        window_seconds: Seconds = 0.025,
        hop_seconds: Seconds = 0.010,
        low_hz: Hertz = 0.0,
        high_hz: Hertz | None = None,
        context: Seconds | None = None,
    ) -> None:
        super().__init__()
        wanted(self, spec, SAMPLES)
        if spec.rate_hz is None:
            raise UsageError("LogMel needs the sampling rate of the sound, got a Spec without rate_hz")
        rate = spec.rate_hz
        high_hz = min(high_hz or math.inf, rate / 2)
        if low_hz >= high_hz:
            raise UsageError(f"low_hz must be below {high_hz:g} Hz, got {low_hz:g}")
        self.window, self.hop = max(4, round(window_seconds * rate)), max(1, round(hop_seconds * rate))
        if self.window * bands > MOST:
            raise UsageError(
                f"{bands} bands of windows of {self.window:,} samples are too many:"
                " make bands or window_seconds smaller"
            )
        self.transform = 1 << (self.window - 1).bit_length()
        self.around = 0 if context is None else round(context * rate / self.hop / 2)  # frames on either side
        corners = mel_corners(rate, self.transform, bands, low_hz, high_hz)
        self.bands, self.range_hz = len(corners) - 2, (low_hz, high_hz)
        hann = np.sin(np.pi * np.arange(self.window) / self.window) ** 2
        hann = (hann / np.linalg.norm(hann)).astype(np.float32)
        self.register_buffer("hann", torch.from_numpy(hann), persistent=False)
        filters = mel_filters(rate, self.transform, corners)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        self.norm = BatchNorm(self.bands, affine=False)

    def frames(self, samples: int) -> int:
        """How many frames stand on so many samples, one at least."""
        return 1 + max(0, -((self.window - samples) // self.hop))

    def forward(self, x: Tensor | Padded) -> Tensor | Padded:
        samples, lengths = x if isinstance(x, Padded) else (x, None)
        frames = self.frames(samples.shape[1])
        rows = max(1, AT_ONCE // (frames * self.transform))
        y = torch.cat([self._loudness(part, frames) for part in torch.split(samples, rows)])
        if lengths is not None:
            some = 1 - ((self.window - lengths) // self.hop).clamp_max(0)
            lengths = torch.where(lengths > 0, some, 0)
        y = zero_(y.transpose(1, 2), lengths)  # (N, bands, frames)
        mask = mask_of(y, lengths)
        if self.around:
            y = zero_(y - self._surroundings(y, mask), lengths)
        y = normed(y, self.norm, mask)
        y = zero_(y, lengths).transpose(1, 2)[:, :, None]
        return y if lengths is None else Padded(y, lengths)

    def _loudness(self, samples: Tensor, frames: int) -> Tensor:
        """(n, T) to (n, frames, bands)."""
        full_scale = 1.0 if samples.is_floating_point() else 32768.0
        missing = (frames - 1) * self.hop + self.window - samples.shape[1]
        with torch.autocast(samples.device.type, enabled=False):
            windows = F.pad(samples.float(), (0, missing)).unfold(1, self.window, self.hop)
            spectrum = torch.view_as_real(torch.fft.rfft(windows * (self.hann / full_scale), self.transform))
            return (spectrum.square().sum(-1) @ self.filters + FLOOR).log()

    def _surroundings(self, y: Tensor, mask: Tensor | None) -> Tensor:
        size = 2 * self.around + 1
        if mask is None:
            return F.avg_pool1d(y, size, 1, self.around, count_include_pad=False)
        total = F.avg_pool1d(y, size, 1, self.around)
        return total / F.avg_pool1d(mask.to(y.dtype), size, 1, self.around).clamp_min(1e-9)

    def spec(self, spec: Spec) -> Spec:
        samples = spec.shape[0]
        return Spec(
            SPECTROGRAM,
            (None if samples is None else self.frames(samples), 1, self.bands),
            rate_hz=spec.rate_hz and spec.rate_hz / self.hop,
            longest=None if spec.longest is None else self.frames(spec.longest),
        )

    def field(self) -> dict[str, Reach | None]:
        return {"time": Reach(self.window + 2 * self.around * self.hop, self.hop)}

    def cost(self, spec: Spec) -> int:
        transform = 2 * self.transform * int(math.log2(self.transform))  # a split-radix transform, about
        return self.frames(steps(spec)) * (transform + self.window + self.filters.numel())

    def words(self) -> str:
        low, high = self.range_hz
        about = "" if not self.around else f", less the mean of {2 * self.around + 1} frames"
        return f"log-mel {self.bands} bands, {low:,.0f} to {high:,.0f} Hz{about}"

"""Pictures whose frequencies are all alike strong, so that what is learned is where things are and not how smooth."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from layerwise.nn.options import Between
from layerwise.nn.stage import IMAGE, Stage, wanted
from layerwise.spec import Spec

__all__ = ["Whitening"]

_LEAST = 1e-6  # the least deviation that a picture is divided by


class Whitening(Stage):
    """Each channel filtered by f exp(-(f / cutoff)^4), then each picture to mean 0 and deviation 1.

    **Shape** (N, C, H, W) to the same. The spectrum of natural pictures falls as 1 / f: the filter flattens it,
    and takes away what is finer than `cutoff`, in parts of the highest frequency (Olshausen and Field 1997,
    "Sparse coding with an overcomplete basis set", section 4; Lee et al. 2009 learn from such pictures). Nothing
    is fitted. Pictures go on mirrored beyond their edges, so that these are no edges to the filter.
    """

    gain: Tensor

    def __init__(self, spec: Spec, *, cutoff: Annotated[float, Between(0.05, 2)] = 0.8) -> None:
        super().__init__()
        wanted(self, spec, IMAGE)
        height, width = (2 * (spec.length(axis) or 1) for axis in ("height", "width"))
        f = 2 * torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width))
        self.register_buffer("gain", f * torch.exp(-((f / cutoff) ** 4)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = x if x.is_floating_point() else x.float()
        mirrored = torch.cat([x, x.flip(3)], 3)
        mirrored = torch.cat([mirrored, mirrored.flip(2)], 2)
        flat = torch.fft.irfft2(torch.fft.rfft2(mirrored) * self.gain, s=mirrored.shape[2:])
        y: Tensor = flat[:, :, :height, :width]
        y = y - y.mean((1, 2, 3), keepdim=True)
        spread = y.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(_LEAST)
        return y / spread

    def spec(self, spec: Spec) -> Spec:
        return spec.but(dtype="float32", centre=(), spread=())

    def field(self) -> dict[str, None]:
        return dict.fromkeys(("height", "width"))

    def words(self) -> str:
        return "whitened"

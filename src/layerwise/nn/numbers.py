"""Columns of numbers, with gaps, as something a network learns from easily."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn.initialise import initialise
from layerwise.nn.options import Channels
from layerwise.nn.stage import VECTOR, Stage, vector, wanted
from layerwise.spec import Spec

__all__ = ["PiecewiseLinear"]


MOST_BINS = 1 << 20  # features x bins


class PiecewiseLinear(Stage):
    """Each number as how far it has come through each bin of its feature (Gorishniy et al. 2022, eq. 1).

    **Shape** (N, F) with NaN where a number is missing, to (N, sum of bins + F), or (N, F * width) with
    `width`: then each feature has a linear map of its own, and relu. `spec.edges` are the bins' borders. A
    bin holds 0 before it, 1 past it, linear between; the first and last go on beyond the training values, for
    one more bin's width at most, so that an outlier cannot swamp the rest. One more number a feature says
    that its value is missing.
    """

    left: Tensor
    inverse: Tensor
    low: Tensor
    high: Tensor
    real: Tensor

    def __init__(self, spec: Spec, *, width: Channels | None = None) -> None:
        super().__init__()
        wanted(self, spec, VECTOR)
        if len(spec.edges) != spec.features:
            raise UsageError(
                f"PiecewiseLinear needs bins for each of {spec.features} features, got {len(spec.edges)}:"
                " use Scale where the Spec has no edges"
            )
        edges = [sorted(set(e)) for e in spec.edges]
        bins = max(1, *(len(e) - 1 for e in edges)) if edges else 1
        if bins * len(edges) > MOST_BINS:
            raise UsageError(
                f"{len(edges):,} features of up to {bins:,} bins are too many: at most {MOST_BINS:,}"
            )
        for name, rows in _bins(edges, bins).items():
            self.register_buffer(name, torch.tensor(rows))
        self.width, self.features, self.bins = width, len(edges), bins
        self.numbers = sum(max(0, len(e) - 1) for e in edges) + len(edges)
        if width is not None:
            self.weight = nn.Parameter(torch.empty(self.features, bins + 1, width))
            for weight in self.weight.detach():
                initialise(weight.T, "he")
            self.bias = nn.Parameter(torch.zeros(self.features, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        missing = x.isnan()
        finite = torch.nan_to_num(x.float(), nan=0.0)[:, :, None]
        share = ((finite - self.left) * self.inverse).clamp(self.low, self.high)
        encoded = torch.cat(
            [share.masked_fill(missing[:, :, None], 0.0), missing[:, :, None].to(share.dtype)], 2
        )
        if self.width is None:
            return encoded.flatten(1)[:, self.real]
        y = torch.baddbmm(self.bias, encoded.transpose(0, 1), self.weight)
        return y.relu_().transpose(0, 1).flatten(1)

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.numbers if self.width is None else self.features * self.width)

    def cost(self, _spec: Spec) -> int:
        return self.features * (self.bins + (self.bins + 1) * (self.width or 0))

    def words(self) -> str:
        after = "" if self.width is None else f", a linear map to {self.width} for each feature, relu"
        return f"piecewise-linear encoding in up to {self.bins} bins{after}"


def _bins(edges: list[list[float]], bins: int) -> dict[str, list[list[float]] | list[int]]:
    """Rows of `bins` for each feature; bins that a feature has not are 0 whatever the number."""
    left, inverse, low, high = ([[0.0] * bins for _ in edges] for _ in range(4))
    real: list[int] = []
    for f, borders in enumerate(edges):
        last = len(borders) - 2
        for b in range(last + 1):
            left[f][b], inverse[f][b] = borders[b], 1 / (borders[b + 1] - borders[b])
            low[f][b], high[f][b] = -1.0 * (b == 0), 1.0 + (b == last)
            real.append(f * (bins + 1) + b)
        real.append(f * (bins + 1) + bins)
    return {"left": left, "inverse": inverse, "low": low, "high": high, "real": real}

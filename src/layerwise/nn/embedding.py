"""Tokens and categories as vectors that are learned."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn.initialise import normal
from layerwise.nn.options import Channels, Share
from layerwise.nn.stage import CATEGORIES, SAMPLES, SEQUENCE, Reach, Stage, steps, vector, wanted
from layerwise.spec import Spec
from layerwise.values import Padded

__all__ = ["Categories", "Embedding", "NgramBag"]

START = 0.01  # spread of the vectors of a bag before training


def _vocabulary(stage: Stage, spec: Spec) -> int:
    wanted(stage, spec, SAMPLES)
    if len(spec.sizes) != 1:
        raise UsageError(
            f"{type(stage).__name__} takes tokens, got a Spec that does not say how many there are (sizes)"
        )
    return spec.sizes[0]


def _table(rows: int, width: int, spread: float = 1.0) -> nn.Parameter:
    """A row of so many standard deviations for each token; row 0, of padding and the unknown, is zero."""
    table = normal(torch.empty(rows, width), spread)
    with torch.no_grad():
        table[0].zero_()
    return nn.Parameter(table)


def _numbers(tokens: Tensor) -> Tensor:
    return tokens if tokens.dtype in (torch.int32, torch.int64) else tokens.int()


class Embedding(Stage):
    """A learned vector for each token. Token 0 is padding or unknown: zero, and stays so.

    **Shape** tokens (N, T), `Padded` or not, to (N, T, width).
    """

    takes_padded = True

    def __init__(self, spec: Spec, *, width: Channels, dropout: Share = 0.0) -> None:
        super().__init__()
        self.weight = _table(_vocabulary(self, spec), width)
        self.width, self.dropout = width, dropout

    def forward(self, x: Tensor | Padded) -> Tensor | Padded:
        # past each length stand tokens 0, so zeros come out there
        return Padded(self._looked_up(x.values), x.lengths) if isinstance(x, Padded) else self._looked_up(x)

    def _looked_up(self, tokens: Tensor) -> Tensor:
        y = F.embedding(_numbers(tokens), self.weight, padding_idx=0)
        return F.dropout(y, self.dropout, self.training) if self.dropout else y

    def spec(self, spec: Spec) -> Spec:
        return Spec(SEQUENCE, (spec.shape[0], self.width), rate_hz=spec.rate_hz, longest=spec.longest)

    def words(self) -> str:
        return f"embedding of {len(self.weight):,} tokens in {self.width}"


class NgramBag(Stage):
    """The mean, sum or largest of the vectors of an example's tokens, in whatever order (Joulin et al. 2017).

    "root" is the sum over the square root of their number: between the mean, in which the one telling token
    of a long text is lost, and the sum, which grows with length. Vectors start small, so that tokens too rare
    to learn say little.

    **Shape** tokens (N, T), `Padded` or not, to (N, width). Tokens 0 do not count; of none comes zero.
    """

    takes_padded = True

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        dropout: Share = 0.0,
        how: Literal["mean", "sum", "max", "root"] = "mean",
    ) -> None:
        super().__init__()
        self.weight = _table(_vocabulary(self, spec), width, START)
        self.width, self.dropout, self.how = width, dropout, how

    def forward(self, x: Tensor | Padded) -> Tensor:
        tokens = x.values if isinstance(x, Padded) else x
        mode = "sum" if self.how == "root" else self.how
        y = F.embedding_bag(_numbers(tokens), self.weight, mode=mode, padding_idx=0)
        if self.how == "root":
            y = y / (tokens != 0).sum(1, keepdim=True).clamp_min(1).sqrt()
        return F.dropout(y, self.dropout, self.training) if self.dropout else y

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.width)

    def field(self) -> dict[str, Reach | None]:
        return {"time": None}

    def cost(self, spec: Spec) -> int:
        return steps(spec) * self.width

    def words(self) -> str:
        how = "sum over root of number" if self.how == "root" else self.how
        return f"{how} of the vectors of its tokens, {len(self.weight):,} in {self.width}"


class Categories(Stage):
    """A learned vector for each category of each column, side by side (Guo and Berkhahn 2016).

    **Shape** (N, K) to (N, sum of widths). Category 0 is unknown or missing and starts at zero. A column of n
    categories takes 1.6 n ** 0.56 numbers, at most 50, where no width is given.
    """

    def __init__(self, spec: Spec, *, width: Channels | None = None) -> None:
        super().__init__()
        wanted(self, spec, CATEGORIES)
        widths = [width or max(1, min(50, round(1.6 * n**0.56))) for n in spec.sizes]
        self.tables = nn.ParameterList(_table(n, w) for n, w in zip(spec.sizes, widths, strict=True))
        self.width = sum(widths)

    def forward(self, x: Tensor) -> Tensor:
        columns = _numbers(x).unbind(1)
        return torch.cat([F.embedding(c, t) for c, t in zip(columns, self.tables, strict=True)], 1)

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.width)

    def words(self) -> str:
        return f"a vector for each category of {len(self.tables)} columns, {self.width} numbers in all"

"""What is hidden of an example, and how it is told from the code of the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from math import sqrt
from typing import Self

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.nn.stage import CATEGORIES, VECTOR
from layerwise.spec import Spec
from layerwise.values import Padded, Value

__all__ = ["WIDTH", "Cells", "Part", "Words", "code_width"]

WIDTH = 256  # of the decoder's hidden level
UNKNOWN = 0  # the category and the token that say nothing


class Part(nn.Module, ABC):
    """How examples of one look are hidden in part, with a decoder from codes to what was hidden."""

    @classmethod
    @abstractmethod
    def of(cls, spec: Spec, net: Pipeline, *, share: float | None) -> Self:
        """The part for that net on examples of look `spec`."""

    @abstractmethod
    def forward(self, net: Pipeline, x: Value, generator: Generator) -> Tensor:
        """(N,) the loss of each example on what is hidden of it; `net` sees the rest only."""


def code_width(net: Pipeline, spec: Spec) -> int:
    """How many numbers the net makes of an example of look `spec`."""
    code = net.spec(spec)
    if code.padded:
        raise UsageError(
            f"what was hidden is told from one code an example, and the network ends in {code}: end it with"
            " GlobalPool"
        )
    return code.features


class Cells(Part):
    """Cells of a table: numbers and categories; columns of other kinds stay as they are.

    Of each row a share of its own is hidden, uniform about `share`, so that the net knows rows that are
    nearly whole too. A hidden cell looks like a missing one. A number is told as the share of training values
    below it, scaled to unit variance, which outliers cannot sway; a category by cross-entropy. Cells that are
    missing or unknown have nothing to tell. After VIME (Yoon et al. 2020) and TabTransformer's and SAINT's
    pretraining (Huang et al. 2020; Somepalli et al. 2021).
    """

    SHARE = 0.5

    def __init__(self, columns: Mapping[str, Spec], width: int, *, share: float) -> None:
        super().__init__()
        self.numbers = {name: s.features for name, s in columns.items() if s.axes == VECTOR and s.edges}
        self.sizes = {name: s.sizes for name, s in columns.items() if s.axes == CATEGORIES}
        self.cells = sum(self.numbers.values()) + sum(map(len, self.sizes.values()))
        if not self.cells:
            raise UsageError(
                f"a table is hidden cell by cell, but has neither numbers nor categories: {columns}"
            )
        self.share = share
        self.ranks = nn.ModuleList(_Rank(columns[name]) for name in self.numbers)
        outputs = sum(self.numbers.values()) + sum(map(sum, self.sizes.values()))
        self.decoder = nn.Sequential(nn.Linear(width, WIDTH), nn.ReLU(), nn.Linear(WIDTH, outputs))

    @classmethod
    def of(cls, spec: Spec, net: Pipeline, *, share: float | None) -> Self:
        return cls(spec.columns, code_width(net, spec), share=cls.SHARE if share is None else share)

    def forward(self, net: Pipeline, x: Value, generator: Generator) -> Tensor:
        table = _tensors(x, [*self.numbers, *self.sizes])
        known = {name: ~t.isnan() if name in self.numbers else t != UNKNOWN for name, t in table.items()}
        hidden = dict(zip(known, self._hidden(torch.cat([*known.values()], 1), generator), strict=True))
        seen = {
            name: t.masked_fill(hidden[name], torch.nan if name in self.numbers else UNKNOWN)
            for name, t in table.items()
        }
        assert isinstance(x, Mapping)
        told = self.decoder(net({**x, **seen}))
        return self._losses(told, table, hidden) / (self.share * self.cells)

    def _hidden(self, known: Tensor, generator: Generator) -> tuple[Tensor, ...]:
        """Which of the known cells (N, cells) are hidden, field by field."""
        most = min(1.0, 2 * self.share)
        draw = torch.rand((len(known), self.cells + 1), generator=generator, device=known.device)
        share = 2 * self.share - most + 2 * (most - self.share) * draw[:, :1]
        widths = [*self.numbers.values(), *map(len, self.sizes.values())]
        return torch.split(known & (draw[:, 1:] < share), widths, 1)

    def _losses(self, told: Tensor, table: Mapping[str, Tensor], hidden: Mapping[str, Tensor]) -> Tensor:
        """(N,) summed over the hidden cells of each row."""
        losses = torch.zeros_like(told[:, 0])
        start = 0
        for (name, width), rank in zip(self.numbers.items(), self.ranks, strict=True):
            wrong = told[:, start : start + width] - rank(table[name])
            losses = losses + torch.where(hidden[name], wrong, 0).square().sum(1)
            start += width
        for name, sizes in self.sizes.items():
            for column, size in enumerate(sizes):
                goal = table[name][:, column].long().where(hidden[name][:, column], -100)  # not looked at
                losses = losses + F.cross_entropy(told[:, start : start + size], goal, reduction="none")
                start += size
        return losses


class _Rank(nn.Module):
    """Numbers (N, F) as the share of training values below each, of mean 0 and variance 1 where they are dense."""

    left: Tensor
    inverse: Tensor
    bins: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        edges = [sorted(set(e)) for e in spec.edges]
        most = max(len(e) for e in edges)
        left = [[*e[:-1], *[torch.inf] * (most - len(e))] for e in edges]
        inverse = [[1 / (b - a) for a, b in pairwise(e)] + [0.0] * (most - len(e)) for e in edges]
        self.register_buffer("left", torch.tensor(left), persistent=False)
        self.register_buffer("inverse", torch.tensor(inverse), persistent=False)
        self.register_buffer("bins", torch.tensor([len(e) - 1.0 for e in edges]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        columns = x.float().nan_to_num().t().contiguous()
        place = (torch.searchsorted(self.left, columns, right=True) - 1).clamp_min(0)
        within = (columns - self.left.gather(1, place)) * self.inverse.gather(1, place)
        rank = (place + within.clamp(0, 1)) / self.bins[:, None]
        return (rank.t() - 0.5) * sqrt(12)


def _tensors(x: Value, names: list[str]) -> dict[str, Tensor]:
    if not isinstance(x, Mapping):
        raise UsageError("cells are hidden of a table, got examples without columns")
    found = {name: x[name] for name in names}
    return {name: t for name, t in found.items() if not isinstance(t, Padded)}


class Words(Part):
    """Words of a text: all places of some words are left out, and told from the others.

    Each word of a text is left out with probability `share`, and with it the n-grams that hold it, so that
    nothing gives it away. A word left out looks like an unknown one, which bags do not count. The softmax is
    over the tokens that come first, the commonest, and asks which of them were left out, each once: continuous
    bags of words (Mikolov et al. 2013) on whole texts.
    """

    SHARE = 0.3
    MOST = 5_000  # tokens that are told

    parts: Tensor

    def __init__(self, spec: Spec, width: int, *, share: float) -> None:
        super().__init__()
        self.share, self.told = share, min(self.MOST, spec.sizes[0])
        self.register_buffer("parts", _parts(spec), persistent=False)
        self.decoder = nn.Linear(width, self.told)
        with torch.no_grad():  # tokens are numbered by how common they are: Zipf's law
            self.decoder.bias.copy_(-torch.arange(1, self.told + 1).log())

    @classmethod
    def of(cls, spec: Spec, net: Pipeline, *, share: float | None) -> Self:
        return cls(spec, code_width(net, spec), share=cls.SHARE if share is None else share)

    def forward(self, net: Pipeline, x: Value, generator: Generator) -> Tensor:
        assert isinstance(x, Tensor | Padded)
        tokens = (x.values if isinstance(x, Padded) else x).long()
        hidden = self._hidden(tokens, generator)
        seen = tokens.masked_fill(hidden, UNKNOWN)
        code = net(Padded(seen, x.lengths) if isinstance(x, Padded) else seen)
        assert isinstance(code, Tensor)
        wanted = torch.where(hidden & (tokens < self.told), tokens, UNKNOWN)
        goal = code.new_zeros(len(tokens), self.told).scatter_(1, wanted, 1.0)
        goal[:, UNKNOWN] = 0.0
        chances: Tensor = self.decoder(code.flatten(1)).log_softmax(1)
        return -(goal * chances).sum(1) / goal.sum(1).clamp_min(1)

    def _hidden(self, tokens: Tensor, generator: Generator) -> Tensor:
        """(N, T) which are left out. A draw for each word and one for each text make draws for all their
        pairs, independent within a text."""
        words = torch.rand(len(self.parts), generator=generator, device=tokens.device)
        texts = torch.rand((len(tokens), 1, 1), generator=generator, device=tokens.device)
        parts = self.parts[tokens]  # (N, T, words of an n-gram)
        drawn: Tensor = (words[parts] + texts) % 1 < self.share
        return torch.any(drawn & (parts != UNKNOWN), 2)


def _parts(spec: Spec) -> Tensor:
    """(tokens, words of the longest n-gram): the units that each token consists of; itself where it is one."""
    what = spec.names[0] if spec.names else ""
    if not what.endswith("n-grams"):
        return torch.arange(spec.sizes[0])[:, None]
    names = spec.tokens[0]
    known = {name: token for token, name in reversed(list(enumerate(names)))}
    units = str.split if what.startswith("words") else list
    parts = [[known.get(unit, UNKNOWN) for unit in units(name)] for name in names]
    most = max(map(len, parts))
    return torch.tensor([[*p, *[UNKNOWN] * (most - len(p))] for p in parts])

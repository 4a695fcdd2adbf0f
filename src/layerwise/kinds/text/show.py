"""Texts as they were read, and the n-grams that units look for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from layerwise.findings import Gallery, Rows, Snippet, Tile
from layerwise.kinds.base import ONLY
from layerwise.kinds.text.pairs import START
from layerwise.spec import Spec

__all__ = ["filters", "show"]

MOST_UNITS = 24
MOST_TOKENS = 8


def show(values: Mapping[str, np.ndarray], spec: Spec) -> Snippet:
    """A text put together again from its tokens; a unit that is not in the vocabulary is shown as …"""
    what = spec.names[0] if spec.names else "words"
    tokens = [int(t) for t in values[ONLY]]
    if what.endswith("n-grams"):
        tokens = tokens[: _units_in(tokens, spec)]
    parts = [spec.tokens[0][t] if t else "…" for t in tokens]
    if what.startswith("words"):
        return Snippet(" ".join(parts))
    if what == "bytes":
        data = bytes(t - 1 for t in tokens if t)
        return Snippet(data.decode("utf-8", "replace"))
    return Snippet("".join(parts).replace(START, " ").strip())


def filters(stage: nn.Module, spec: Spec) -> Gallery | None:
    """The tokens with the largest and the smallest weight in each unit of a bag or an embedding."""
    if not spec.tokens or spec.axes != ("time",):
        return None
    weights = _weights(stage, spec.sizes[0])
    if weights is None:
        return None
    order = np.argsort(-weights.std(axis=0), kind="stable")[:MOST_UNITS]
    tiles = [Tile(_strongest(weights[:, unit], spec.tokens[0]), title=f"unit {unit}") for unit in order]
    some = "all" if weights.shape[1] <= MOST_UNITS else f"the {MOST_UNITS} most decided of"
    return Gallery(
        tiles,
        f"What raises and what lowers {some} {weights.shape[1]} units: the tokens with the largest weights.",
    )


def _units_in(tokens: Sequence[int], spec: Spec) -> int:
    """How many of these tokens are units; the n-grams of two and more units that follow are longer."""
    between = " " if spec.names[0].startswith("words") else ""
    for place, token in enumerate(tokens):
        name = spec.tokens[0][token]
        if (between and between in name) or (not between and len(name) > 1):
            return place
    return len(tokens)


def _weights(stage: nn.Module, size: int) -> np.ndarray | None:
    """(V, units) of the first table that holds a row for each token."""
    for module in stage.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim == 2 and len(weight) == size:
            table: np.ndarray = weight.detach().float().cpu().numpy()
            return table
    return None


def _strongest(weights: np.ndarray, names: Sequence[str]) -> Rows:
    order = np.argsort(weights[1:], kind="stable") + 1
    low, high = order[:MOST_TOKENS], order[::-1][:MOST_TOKENS]
    rows = [
        (names[int(h)], round(float(weights[h]), 3), names[int(l)], round(float(weights[l]), 3))
        for h, l in zip(high, low, strict=True)
    ]
    return Rows(
        ("raised by", "weight", "lowered by", "weight"), rows, f"raised most by {names[int(high[0])]}"
    )

"""What the first level learned of each column: response curves of numbers, nearest categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.findings import Curves, Gallery, Rows, Tile
from layerwise.kinds.base import Kind
from layerwise.nn.embedding import Categories
from layerwise.nn.numbers import PiecewiseLinear
from layerwise.spec import Spec

__all__ = ["filters"]

MOST_COLUMNS = 24
POINTS = 61
MOST_ROWS = 12


def filters(stage: nn.Module, spec: Spec, *, members: Sequence[Kind]) -> Gallery | None:
    """Curves or rows for each column that the stage reads; what another kind's stage looks for; else None.

    `spec` is the look of the stage's input.
    """
    if isinstance(stage, PiecewiseLinear):
        return _responses(stage, spec)
    if isinstance(stage, Categories):
        return _likenesses(stage, spec)
    return next((found for member in members if (found := member.filters(stage, spec)) is not None), None)


def _responses(stage: PiecewiseLinear, spec: Spec) -> Gallery | None:
    """For each number: how far its encoding is from that of the median, over the training range."""
    if stage.width is None:
        return None
    edges = [np.asarray(e) for e in spec.edges]
    middle = np.array([np.median(e) for e in edges], np.float32)
    grids = np.stack([np.linspace(e[0], e[-1], POINTS) for e in edges], axis=1).astype(np.float32)
    with torch.no_grad():
        device = stage.left.device
        coded = _coded(stage, torch.from_numpy(grids).to(device))
        at_middle = _coded(stage, torch.from_numpy(middle)[None].to(device))
        distance = (coded - at_middle).norm(dim=2).cpu().numpy()
    order = np.argsort(-np.ptp(distance, axis=0), kind="stable")[:MOST_COLUMNS]
    tiles = [Tile(_curve(grids[:, f], distance[:, f], spec.names[f]), title=spec.names[f]) for f in order]
    some = "every number" if len(order) == len(edges) else f"the {len(order)} numbers that move it most"
    return Gallery(tiles, f"How far {some} moves the first level away from where the median puts it.")


def _coded(stage: PiecewiseLinear, x: Tensor) -> Tensor:
    """(N, F, width)."""
    coded: Tensor = stage(x).unflatten(1, (stage.features, -1))
    return coded


def _curve(x: np.ndarray, y: np.ndarray, name: str) -> Curves:
    line = [round(float(v), 4) for v in y]
    steepest = float(x[int(np.abs(np.diff(y)).argmax())])
    return Curves(
        [float(v) for v in x], {name: line}, name, "distance from the median",
        f"{name} from {x[0]:,.6g} to {x[-1]:,.6g}; steepest near {steepest:,.6g}", small=True,
    )  # fmt: skip


def _likenesses(stage: Categories, spec: Spec) -> Gallery:
    """For each column: the commonest categories, each with the one whose vector is most like its own."""
    tiles = []
    for name, tokens, table in zip(spec.names, spec.tokens, stage.tables, strict=True):
        vectors = table.detach().float().cpu().numpy()
        rows = [
            (tokens[i], tokens[other], round(cosine, 2))
            for i, other, cosine in _nearest(vectors[1:], MOST_ROWS)
        ]
        if rows:
            words = f"{name}: {rows[0][0]} is treated most like {rows[0][1]}"
            tiles.append(Tile(Rows(("category", "treated most like", "cosine"), rows, words), title=name))
    return Gallery(
        tiles[:MOST_COLUMNS], "Which categories the network treats alike: the nearest of the learned vectors."
    )


def _nearest(vectors: np.ndarray, most: int) -> list[tuple[int, int, float]]:
    """(token, nearest token, cosine) for the first `most` tokens, the commonest, counted from 1."""
    if len(vectors) < 2:
        return []
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    near = unit[:most] @ unit.T
    np.fill_diagonal(near[:, :most], -np.inf)
    best = near.argmax(axis=1)
    return [(i + 1, int(b) + 1, float(near[i, b])) for i, b in enumerate(best)]

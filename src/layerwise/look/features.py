"""Any level's value as one plain matrix that a linear probe can be fitted to.

One rule for all levels: average over neighbouring positions until at most `most` numbers are left, and
where even single positions hold more, a seeded sparse random projection (Li, Hastie and Church 2006).
Token numbers count as what they stand for: how often each token occurs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
import scipy.sparse
import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Padded, Value

__all__ = ["MOST", "features", "positions_last", "standardised"]

MOST = 1000  # numbers a level


def features(value: Value, spec: Spec, *, most: int = MOST, seed: int = 0) -> np.ndarray:
    """(N, F) float32, F <= `most`, of the same F for every batch; `spec` is the look of this value.

    Missing numbers (NaN) of plain vectors stay NaN; `standardised` deals with them.
    """
    if isinstance(value, Mapping):
        share = max(1, most // len(value))
        return np.hstack(
            [
                features(one, spec.columns.get(name, Spec()), most=share, seed=seed)
                for name, one in value.items()
            ]
        )
    if spec.sizes:
        return _project(_token_counts(value, spec), most, seed)
    parts = positions_last(value, spec)
    values = _filled(parts.values if isinstance(parts, Padded) else parts, spec)
    if isinstance(parts, Padded):
        values = _pooled_in_lengths(values, parts.lengths, most)
    elif values.ndim > 2:
        values = _pooled(values, most)
    return _project(values.flatten(1).cpu().numpy(), most, seed)


def positions_last(value: Tensor | Padded, spec: Spec) -> Tensor | Padded:
    """The value as (N, C), (N, C, T), (N, C, H, W) or (N, C, T, F): channels second, positions last.

    In a Padded the time axis is then the third. Levels of unknown axes are taken as time first, as
    sequences are, or as plain vectors.
    """
    values = (value.values if isinstance(value, Padded) else value).float()
    axes = spec.axes or {2: ("feature",), 3: ("time", "channel"), 4: ("channel", "height", "width")}.get(
        values.ndim, ("feature",)
    )
    if axes[0] == "time":
        values = values.unsqueeze(2) if values.ndim == 2 else values
        values = values.flatten(3) if values.ndim > 4 else values
        values = values.movedim(2, 1)
    return Padded(values, value.lengths) if isinstance(value, Padded) else values


def standardised(train: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with the training columns' mean 0 and deviation 1; where numbers are missing, a column says so."""
    gaps = np.isnan(train).any(axis=0)
    seen = np.where(np.isnan(train), 0, 1).sum(axis=0).clip(1)
    filled = np.nan_to_num(train, nan=0.0)
    mean = filled.sum(axis=0, dtype=np.float64) / seen
    spread = np.sqrt((np.where(np.isnan(train), 0, train - mean) ** 2).sum(axis=0) / seen)
    spread[spread < 1e-8 * (1 + np.abs(mean))] = np.inf

    def ready(x: np.ndarray) -> np.ndarray:
        scaled = np.nan_to_num((x - mean) / spread, nan=0.0, posinf=0.0, neginf=0.0)
        return np.hstack([scaled, np.isnan(x[:, gaps])]).astype(np.float32)

    return ready(train), ready(held)


def _filled(values: Tensor, spec: Spec) -> Tensor:
    """(N, C, ...) with missing numbers at the channel's mean wherever neighbours will be averaged."""
    if values.ndim == 2 or not bool(torch.isnan(values).any()):
        return values
    known = len(spec.centre) in (1, values.shape[1])
    centre = torch.tensor(spec.centre if known else (0.0,), dtype=values.dtype, device=values.device)
    return torch.where(torch.isnan(values), centre.reshape(1, -1, *[1] * (values.ndim - 2)), values)


def _pooled(values: Tensor, most: int) -> Tensor:
    """(N, C, P) or (N, C, P, Q) averaged over positions until C * P * Q <= most, as far as that goes."""
    channels, places = values.shape[1], values.shape[2:]
    if channels * int(np.prod(places)) <= most:
        return values
    if len(places) == 1:
        return F.adaptive_avg_pool1d(values, max(1, most // channels))
    shrink = sqrt(most / (channels * places[0] * places[1]))
    rows = max(1, min(places[0], int(places[0] * shrink)))
    columns = max(1, min(places[1], most // (channels * rows)))
    return F.adaptive_avg_pool2d(values, (rows, columns))


def _pooled_in_lengths(values: Tensor, lengths: Tensor, most: int) -> Tensor:
    """(N, C, T) or (N, C, T, F) averaged over stretches of each example's own length."""
    if values.ndim == 4:
        bands = min(values.shape[3], max(1, int(sqrt(most / values.shape[1]))))
        flat = F.adaptive_avg_pool1d(values.flatten(0, 2).unsqueeze(1), bands)
        values = flat.reshape(*values.shape[:3], bands).movedim(3, 2).flatten(1, 2)
    stretches = max(1, most // values.shape[1])
    steps = torch.arange(stretches, device=values.device)
    starts = (lengths[:, None] * steps) // stretches
    ends = -((-lengths[:, None] * (steps + 1)) // stretches)
    running = F.pad(values.double().cumsum(2), (1, 0))

    def upto(at: Tensor) -> Tensor:
        return running.gather(2, at[:, None, :].expand(-1, values.shape[1], -1))

    return ((upto(ends) - upto(starts)) / (ends - starts).clamp(min=1)[:, None, :]).float()


def _token_counts(value: Tensor | Padded, spec: Spec) -> scipy.sparse.csr_array:
    """(N, V): how large a part of each text every token is, or one-hot columns of categories."""
    tokens = (value.values if isinstance(value, Padded) else value).cpu().numpy().astype(np.int64)
    n, width = tokens.shape
    if spec.axes == ("category",):
        tokens = tokens + np.concatenate([[0], np.cumsum(spec.sizes)[:-1]])
        real, total = np.ones_like(tokens, bool), np.ones(n)
    else:
        lengths = value.lengths.cpu().numpy() if isinstance(value, Padded) else np.full(n, width)
        real = np.arange(width) < lengths[:, None]
        total = np.maximum(1, real.sum(axis=1))
    rows = np.repeat(np.arange(n), real.sum(axis=1))
    parts = (1.0 / total[rows]).astype(np.float32)
    return scipy.sparse.csr_array((parts, (rows, tokens[real])), shape=(n, sum(spec.sizes)))


def _project(x: np.ndarray | scipy.sparse.csr_array, most: int, seed: int) -> np.ndarray:
    """(N, F) as dense (N, min(F, most))."""
    if x.shape[1] > most:
        x = x @ _projection(x.shape[1], most, seed)
    dense = x if isinstance(x, np.ndarray) else x.toarray()
    return np.asarray(dense, np.float32)


@lru_cache(maxsize=8)
def _projection(wide: int, narrow: int, seed: int) -> scipy.sparse.csr_array:
    """(wide, narrow): signs in about narrow / sqrt(wide) places of each row, at least one."""
    rng = Randomness(seed).at(wide, narrow).numpy("projection")
    each = max(1, ceil(narrow / sqrt(wide)))
    columns = rng.integers(narrow, size=(wide, each))
    signs = rng.choice(np.array([-1, 1], np.float32), size=(wide, each)) / np.float32(sqrt(each))
    rows = np.repeat(np.arange(wide), each)
    return scipy.sparse.csr_array((signs.ravel(), (rows, columns.ravel())), shape=(wide, narrow))

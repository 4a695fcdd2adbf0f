"""Which units of a level differ most between examples, and which examples excite them most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from layerwise.look.examples import Where
from layerwise.look.features import positions_last
from layerwise.look.walk import Place
from layerwise.nn.stage import Reach
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Padded

__all__ = ["ALIKE", "Peaks", "chosen", "most_excited", "peaks", "seen"]

ALIKE = 0.8  # correlation from which on two units count as one
MOST_UNITS = 512  # of a level that are looked at; of more a seeded draw


class Peaks(NamedTuple):
    """Of some examples and units: the largest value over positions, and where it stands."""

    units: np.ndarray  # (U,) their numbers
    values: np.ndarray  # (N, U)
    places: np.ndarray  # (N, U) number of the position, 0 where there are none
    lengths: np.ndarray  # (N,) steps of the time axis; of fixed shapes, the first position axis
    widths: int  # positions of the second position axis, else 1


def peaks(value: Tensor | Padded, spec: Spec, *, seed: int) -> Peaks:
    """The peaks of a level of that Spec in one batch."""
    parts = positions_last(value, spec)
    values = (parts.values if isinstance(parts, Padded) else parts).float()
    n, channels = values.shape[:2]
    units = np.arange(channels)
    if channels > MOST_UNITS:
        units = np.sort(Randomness(seed).at(channels).numpy("units").permutation(channels)[:MOST_UNITS])
        values = values[:, units]
    lengths = np.full(n, values.shape[2] if values.ndim > 2 else 1)
    if isinstance(value, Padded):
        lengths = value.lengths.cpu().numpy()
        mask = value.mask().reshape(n, 1, -1, *[1] * (values.ndim - 3))
        values = values.masked_fill(~mask, float("-inf"))
    widths = values.shape[3] if values.ndim > 3 else 1
    if values.ndim == 2:
        best, at = values, values.new_zeros(values.shape).long()
    else:
        best, at = values.flatten(2).max(dim=2)
    return Peaks(units, best.cpu().numpy(), at.cpu().numpy(), lengths, widths)


def joined(batches: Sequence[Peaks]) -> Peaks:
    """Peaks of several batches as those of one."""
    first = batches[0]
    values, places = (np.concatenate([getattr(b, name) for b in batches]) for name in ("values", "places"))
    return Peaks(first.units, values, places, np.concatenate([b.lengths for b in batches]), first.widths)


def chosen(values: np.ndarray, most: int = 6) -> list[int]:
    """Columns of (N, U) with the greatest variance, none too like an earlier one while there are others."""
    known = np.where(np.isfinite(values), values, np.nan)
    filled = np.where(np.isnan(known), np.nanmin(known, initial=0.0), known).astype(np.float64)
    variance = filled.var(axis=0)
    order = [int(i) for i in np.argsort(-variance, kind="stable") if variance[i] > 1e-12]
    centred = (filled - filled.mean(axis=0)) / np.sqrt(np.maximum(variance, 1e-24))
    picked: list[int] = []
    for unit in order:
        alike = np.abs(centred[:, picked].T @ centred[:, unit]) / len(filled) if picked else np.zeros(0)
        if (alike < ALIKE).all():
            picked.append(unit)
        if len(picked) == most:
            return picked
    rest = [unit for unit in order if unit not in picked]
    return picked + rest[: most - len(picked)]


def most_excited(values: np.ndarray, most: int = 6) -> np.ndarray:
    """The examples (of (N,)) with the largest values, largest first; earlier ones first among equals."""
    return np.argsort(-values, kind="stable")[:most]


def seen(
    place: Place, found: Peaks, example: int, unit: int, shape: Sequence[int], axes: Sequence[str]
) -> Where | None:
    """The part of an input of `shape`, lengths along its position `axes`, that a peak saw; None: all of it.

    Windows are taken to overhang the input evenly on both sides, as padding to the same size does.
    """
    reaches = [place.reach.get(axis, Reach(1)) for axis in axes]
    if not axes or any(r is None for r in reaches) or not place.reach:
        return None
    at = (
        divmod(int(found.places[example, unit]), found.widths)
        if len(axes) == 2
        else (int(found.places[example, unit]) // found.widths,)
    )
    counts = (int(found.lengths[example]), found.widths)[: len(axes)]
    where = []
    for reach, position, count, length in zip(reaches, at, counts, shape, strict=True):
        assert reach is not None
        overhang = max(0, (count - 1) * reach.stride + reach.size - length)
        start = min(max(0, position * reach.stride - overhang // 2), max(0, length - 1))
        where.append(
            (start, max(start + 1, min(length, position * reach.stride - overhang // 2 + reach.size)))
        )
    return tuple(where)

"""How tables are learned from without labels."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.kinds.base import Blueprint, Kind
from layerwise.kinds.table.blueprint import columns
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec

__all__ = ["by_masks"]


def by_masks(spec: Spec, n: int, *, members: Sequence[Kind]) -> Blueprint:
    """Each column in its own encoding, then two dense levels; cells that are hidden are told from the others."""
    width = 64 if n < 2_000 else 128
    batch = 64 if n < 2_000 else 256
    epochs = float(max(4, min(200, round(2_000 * batch / n))))
    why = {
        "network": "numbers in pieces between quantiles, categories as vectors, then two dense levels",
        "training.method": "cells that are hidden are told from the others",
        "training.epochs": f"about 2,000 steps of {batch}, at least 4 passes and at most 200",
    }
    network = (
        columns(spec, members, numbers=8),
        StageChoice("dense1", "Dense", {"width": width}),
        StageChoice("dense2", "Dense", {"width": width}),
    )
    return Blueprint(network, Training(rate=2e-3, decay=0.01, batch=batch, epochs=epochs, average=0.99), why)

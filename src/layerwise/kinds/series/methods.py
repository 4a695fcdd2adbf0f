"""How series are learned from without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from layerwise.kinds.base import Blueprint
from layerwise.kinds.series.blueprint import levels
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec

__all__ = ["METHODS"]


def by_masks(spec: Spec, n: int) -> Blueprint:
    """Convolutions over time; stretches that are hidden are to be told from the rest."""
    batch = 32 if n < 2_000 else 128
    epochs = float(max(5, min(200, round(2_000 * batch / n))))
    why = {
        "network": "convolutions over time, the mean and the largest of each over all steps",
        "training.method": "stretches that are hidden are told from the rest",
        "training.epochs": f"about 2,000 steps of {batch}, at least 5 passes and at most 200",
    }
    network = (*levels(spec), StageChoice("pool", "GlobalPool", {"how": "both"}))
    return Blueprint(network, Training(rate=2e-3, decay=0.01, batch=batch, epochs=epochs, average=0.99), why)


METHODS: Mapping[str, Callable[[Spec, int], Blueprint]] = {"masked": by_masks}

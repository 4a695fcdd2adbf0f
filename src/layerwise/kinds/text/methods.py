"""How texts are learned from without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from layerwise.kinds.base import Blueprint
from layerwise.kinds.text.blueprint import branch
from layerwise.recipe import Training
from layerwise.spec import Spec

__all__ = ["METHODS"]


def by_masks(spec: Spec, n: int) -> Blueprint:
    """A bag of n-grams, or windows of words or characters; words left out are to be told from the rest."""
    batch = 64 if n < 5_000 else 128
    epochs = float(max(3, min(60, round(2_000 * batch / n))))
    why = {
        "network": "what a text holds as one vector",
        "training.method": "words that are left out are told from the others (Mikolov et al. 2013)",
        "training.epochs": f"about 2,000 steps of {batch}, at least 3 passes and at most 60",
    }
    network = tuple(replace(s, options={**s.options, "dropout": 0.0}) for s in branch(spec))
    return Blueprint(network, Training(rate=2e-3, decay=0.01, batch=batch, epochs=epochs, average=0.99), why)


METHODS: Mapping[str, Callable[[Spec, int], Blueprint]] = {"masked": by_masks}

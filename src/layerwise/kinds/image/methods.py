"""How pictures are learned from without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from layerwise.kinds.base import Blueprint
from layerwise.kinds.image.alter import views
from layerwise.kinds.image.blueprint import levels
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec

__all__ = ["METHODS"]


def by_views(spec: Spec, n: int) -> Blueprint:
    """Convolutional levels and their mean over the picture; two views of each picture are to agree."""
    network = (*levels(spec, n), StageChoice("pool", "GlobalPool", {"how": "both"}))
    batch = 64 if n < 2_000 else 256
    epochs = float(max(5, min(200, round(2_000 * batch / n))))
    why = {
        "network": "levels of 3 x 3 convolutions, the mean and the largest of each map",
        "training.method": "two views of a picture agree, and are told from those of others (Chen et al. 2020)",
        "training.epochs": f"about 2,000 steps of {batch}, at least 5 passes and at most 200",
    }
    training = Training(
        rate=2e-3, decay=0.01, batch=batch, epochs=epochs, alter=dict(views(spec)), average=0.99
    )
    return Blueprint(network, training, why)


def by_masks(spec: Spec, n: int) -> Blueprint:
    """Convolutional levels and a code of 128; what is hidden of a picture is to be told from the rest."""
    network = (*levels(spec, n), StageChoice("code", "Dense", {"width": 128, "norm": "batch"}))
    batch = 64 if n < 2_000 else 128
    epochs = float(max(5, min(200, round(2_000 * batch / n))))
    why = {
        "network": "levels of 3 x 3 convolutions, and a code that keeps where things are",
        "training.method": "patches that are hidden are told from the rest (Vincent et al. 2008, He et al. 2022)",
        "training.epochs": f"about 2,000 steps of {batch}, at least 5 passes and at most 200",
    }
    training = Training(rate=2e-3, decay=0.01, batch=batch, epochs=epochs, average=0.99)
    return Blueprint(network, training, why)


METHODS: Mapping[str, Callable[[Spec, int], Blueprint]] = {"views": by_views, "masked": by_masks}

"""How pictures are learned from without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from layerwise.kinds.base import Blueprint
from layerwise.kinds.image.alter import views
from layerwise.kinds.image.blueprint import FEW, TINY, levels, widening
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec

__all__ = ["METHODS"]


def by_views(spec: Spec, n: int) -> Blueprint:
    """Convolutional levels and their mean over the picture; two views of each picture are to agree."""
    many = n >= FEW and min(side or 0 for side in spec.shape[1:]) > TINY
    network = (
        *(widening(spec) if many else levels(spec, n)),
        StageChoice("pool", "GlobalPool", {"how": "both"}),
    )
    batch = 256 if n >= FEW else 64
    epochs = float(max(5, min(200, round(2_000 * batch / n))))
    why = {
        "network": "levels of 3 x 3 convolutions, the mean and the largest of each map",
        "training.method": "two views of a picture agree, and are told from those of others (Chen et al. 2020)",
        "training.epochs": f"about 2,000 steps of {batch}, at least 5 passes and at most 200",
    }
    optimiser, rate, decay = ("muon", 3e-3, 0.05) if many else ("adamw", 2e-3, 0.01)
    training = Training(
        optimiser, rate, decay=decay, batch=batch, epochs=epochs, alter=views(spec), average=0.99
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


def by_belief(spec: Spec, n: int) -> Blueprint:
    """Levels of 0 and 1, each a restricted Boltzmann machine on the one below."""
    widths = (100, 100) if spec.features < 400 else (500, 500)
    levels = tuple(
        StageChoice(f"level{i + 1}", "Dense", {"width": width, "activation": "sigmoid"})
        for i, width in enumerate(widths)
    )
    why = {
        "network": "levels of units that are 0 or 1, each with the probabilities of the one below",
        "training.method": "a machine a level, which makes up pictures too (Hinton, Osindero and Teh 2006)",
        "training.epochs": "about 10,000 steps a level, at least 10 passes and at most 100",
    }
    epochs = float(max(10, min(100, round(10_000 * 100 / n))))
    training = Training("sgd", 0.1, decay=0.0002, schedule="constant", batch=100, epochs=epochs)
    return Blueprint((StageChoice("scale", "Scale"), *levels), training, why)


METHODS: Mapping[str, Callable[[Spec, int], Blueprint]] = {
    "views": by_views,
    "masked": by_masks,
    "dbn": by_belief,
}

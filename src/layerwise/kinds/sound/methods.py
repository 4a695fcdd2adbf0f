"""How sounds are learned from without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from layerwise.kinds.base import Blueprint
from layerwise.kinds.sound.alter import views
from layerwise.kinds.sound.blueprint import levels
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec

__all__ = ["METHODS"]


def by_views(spec: Spec, n: int) -> Blueprint:
    """Levels on a spectrogram, the mean and the largest over time and pitch; two views are to agree."""
    return _blueprint(
        spec, n, "two views of a clip agree, and are told from those of others", dict(views(spec))
    )


def by_masks(spec: Spec, n: int) -> Blueprint:
    """The same levels; stretches of time and pitch that are hidden are to be told from the rest."""
    return _blueprint(spec, n, "stretches that are hidden are told from the rest", {})


def _blueprint(spec: Spec, n: int, why: str, alter: Mapping[str, float]) -> Blueprint:
    network = (*levels(spec, (16, 32, 64, 128)), StageChoice("pool", "GlobalPool", {"how": "both"}))
    batch = 64
    epochs = float(max(5, min(200, round(1_500 * batch / n))))
    whys = {
        "network": "a sound shows in its spectrogram; levels that halve it see ever longer stretches",
        "training.method": why,
        "training.epochs": f"about 1,500 steps of {batch}, at least 5 passes and at most 200",
    }
    training = Training(rate=2e-3, decay=0.01, batch=batch, epochs=epochs, alter=alter, average=0.99)
    return Blueprint(network, training, whys)


METHODS: Mapping[str, Callable[[Spec, int], Blueprint]] = {"views": by_views, "masked": by_masks}

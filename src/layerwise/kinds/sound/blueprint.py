"""What to build for sounds of a rate, length and number; and networks of the literature by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from layerwise.kinds.base import Blueprint
from layerwise.kinds.sound.alter import Amounts
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["LIKES", "blueprint", "branch", "levels"]


def blueprint(spec: Spec, task: Task, n: int) -> Blueprint:
    """A log-mel spectrogram, convolutional levels on it, the mean and the largest over time and pitch."""
    network = (
        *levels(spec, (16, 32, 64, 128)),
        StageChoice("pool", "GlobalPool", {"how": "both"}),
        StageChoice("dense", "Dense", {"width": 128, "norm": "batch", "dropout": 0.3}),
    )
    alter = asdict(Amounts(shift_seconds=0.05, speed=0.1, gain_db=6.0, noise_db=45.0, gaps=1))
    batch = 64 if n >= 1_000 else 16
    epochs = float(max(10, min(60, round(1_200 * batch / n))))
    why = {
        "network": "a sound shows in its spectrogram; levels that halve it see ever longer stretches",
        "training.alter.speed": "the same thing said faster or slower, higher or lower",
        "training.epochs": f"about 1,200 steps of {batch}, at least 10 passes and at most 60",
    }
    training = Training(
        rate=2e-3, decay=0.05, batch=batch, epochs=epochs, alter=alter, average=0.998, smoothing=0.05
    )
    return Blueprint(network, training, why)


def branch(spec: Spec) -> tuple[StageChoice, ...]:
    """A small network to a vector of 64, for a column of sounds in a table."""
    return (
        *levels(spec, (16, 32, 64)),
        StageChoice("pool", "GlobalPool"),
        StageChoice("vector", "Dense", {"width": 64}),
    )


def lstm(spec: Spec, task: Task, n: int) -> Blueprint:
    """250 LSTM cells each way on 40 mel bands: the one-level network of Graves, Mohamed and Hinton 2013."""
    network = (
        _spectrum(spec, bands=40),
        StageChoice("lstm", "Recurrent", {"width": 250, "both_ways": True, "dropout": 0.2}),
        StageChoice("pool", "GlobalPool"),
    )
    training = Training(
        rate=2e-3,
        batch=32,
        epochs=float(max(10, min(40, round(40_000 / n)))),
        clip=1.0,
        alter=asdict(Amounts()),
    )
    return Blueprint(network, training, {"network": "250 LSTM cells each way (Graves et al. 2013)"})


def levels(spec: Spec, widths: tuple[int, ...]) -> tuple[StageChoice, ...]:
    convolutions = (
        StageChoice(f"conv{i + 1}", "Convolution", {"width": w, "norm": "batch", "pool": "max"})
        for i, w in enumerate(widths)
    )
    bands = 40 if (spec.rate_hz or 0) <= 8_000 else 64  # more would be narrower than a window can tell apart
    return (_spectrum(spec, bands=bands), *convolutions)


def _spectrum(spec: Spec, *, bands: int) -> StageChoice:
    """Windows of 25 ms; longer ones where the rate is so low that they would hold too few samples."""
    rate_hz = spec.rate_hz or 1.0
    window = max(0.025, 200 / rate_hz)
    long = (spec.longest or 0) / rate_hz > 4
    options: dict[str, Any] = {"bands": bands, "window_seconds": round(window, 4)}
    options["hop_seconds"] = round(window * (0.8 if long else 0.4), 4)
    return StageChoice("mel", "LogMel", options)


LIKES = {"lstm": lstm}

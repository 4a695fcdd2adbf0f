"""What to build for series of a length, channels and number; and for forecasts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from layerwise.kinds.base import Blueprint
from layerwise.kinds.series.alter import Amounts
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["LIKES", "blueprint", "branch", "levels"]

FEW = 2_000  # training series; below, all levels keep the full length and changes are many


def blueprint(spec: Spec, task: Task, n: int) -> Blueprint:
    """Convolutions over time and their mean and largest over all steps; for forecasts a linear map."""
    if task.name == "forecast":
        return _forecast(spec, n)
    return _few(spec, n) if n < FEW else _many(spec, n)


def branch(spec: Spec) -> tuple[StageChoice, ...]:
    """A small network to a vector of 64, for a column of series in a table."""
    return (
        StageChoice("scale", "Scale"),
        _conv("conv1", 32, 7, pool=_pool(spec)),
        _conv("conv2", 64, 5),
        StageChoice("pool", "GlobalPool", {"how": "both"}),
        StageChoice("vector", "Dense", {"width": 64}),
    )


def lstm(spec: Spec, task: Task, n: int) -> Blueprint:
    """100 LSTM cells each way and their mean over time; for forecasts 100 one way and the last step.

    Hochreiter and Schmidhuber 1997; both ways: Graves and Schmidhuber 2005.
    """
    ahead, scale = task.name == "forecast", StageChoice("scale", "Scale")
    cells = StageChoice("lstm", "Recurrent", {"width": 100, "both_ways": not ahead})
    pool = StageChoice("pool", "GlobalPool", {"how": "last" if ahead else "average"})
    epochs = float(max(5, min(200, round(40_000 / n))))
    if ahead:
        training = Training(rate=1e-3, batch=64, epochs=epochs, clip=1.0, patience=4)
        why = {"network": "100 LSTM cells on windows less their last value"}
        return Blueprint((scale, _level_free(cells, pool)), training, why)
    alter = asdict(Amounts(shift=0.05, scale=0.1, noise=0.05))
    training = Training(rate=3e-3, batch=32, epochs=epochs, clip=1.0, alter=alter)
    return Blueprint((scale, cells, pool), training, {"network": "100 LSTM cells each way, and their mean"})


def _few(spec: Spec, n: int) -> Blueprint:
    network = (*levels(spec), StageChoice("pool", "GlobalPool", {"how": "average"}))
    batch = 16
    epochs = float(max(20, min(600, round(1_500 * batch / n))))
    alter = asdict(Amounts(shift=0.05, crop=0.1, warp=0.05, scale=0.1, noise=0.05))
    why = {
        "network": f"only {n:,} training series: three levels (Wang et al. 2017), the mean over time",
        "training.alter.warp": "what a series means does not hang on exact moments",
        "training.epochs": f"about 1,500 steps of {batch}, at least 20 passes and at most 600",
    }
    training = Training(
        rate=3e-3, decay=0.05, batch=batch, epochs=epochs, alter=alter, average=0.99, smoothing=0.05
    )
    return Blueprint(network, training, why)


def levels(spec: Spec) -> tuple[StageChoice, ...]:
    """Three plain levels, after Wang, Yan and Oates 2017 (FCN), at a third of their width."""
    return (
        StageChoice("scale", "Scale"),
        _conv("conv1", 48, 7, pool=_pool(spec, 400)),
        _conv("conv2", 96, 5, pool=_pool(spec, 200)),
        _conv("conv3", 96, 3),
    )


def _many(spec: Spec, n: int) -> Blueprint:
    """A wide first window, then residual levels that halve the length (He et al. 2015, in one dimension)."""
    network = (
        StageChoice("scale", "Scale"),
        _conv("conv1", 32, 9, pool=_pool(spec)),
        StageChoice("res1", "Residual", {"width": 48, "size": 5, "stride": 2 if _long(spec, 64) else 1}),
        StageChoice("res2", "Residual", {"width": 96, "size": 5, "stride": 2 if _long(spec, 32) else 1}),
        StageChoice("pool", "GlobalPool", {"how": "both"}),
        StageChoice("dense", "Dense", {"width": 96, "norm": "batch", "dropout": 0.3}),
    )
    batch = 64 if n < 20_000 else 128
    epochs = float(max(3, min(40, round(4_000 * batch / n))))
    alter = asdict(Amounts(shift=0.03, warp=0.03, scale=0.2, level=0.2, noise=0.05))
    why = {
        "network": "levels that halve the length see ever longer stretches",
        "training.alter.level": "what a series means seldom hangs on its level and size",
        "training.epochs": f"about 4,000 steps of {batch}, at least 3 passes and at most 40",
    }
    training = Training(
        rate=3e-3, decay=0.05, batch=batch, epochs=epochs, alter=alter, average=0.99, smoothing=0.05
    )
    return Blueprint(network, training, why)


def _forecast(spec: Spec, n: int) -> Blueprint:
    """Each window less its last value, trend and remainder continued linearly (Zeng et al. 2023)."""
    linear = StageChoice("linear", "Decomposition", {"targets": [0]})
    network = (StageChoice("scale", "Scale"), _level_free(linear))
    why = {
        "network": "a linear map of the past that knows no level: what larger networks seldom beat"
        " (Zeng et al. 2023)",
        "training.rate": "small, as linear maps soon fit the chance in a series",
        "training.patience": "stops when the stretch after the training time gets no better",
    }
    epochs = float(max(5, min(50, round(6_000 * 64 / n))))
    training = Training(rate=2e-4, batch=64, epochs=epochs, average=0.99, patience=8)
    return Blueprint(network, training, why)


def _level_free(*stages: StageChoice) -> StageChoice:
    """Those stages on each window less its last value, which the forecast is given back."""
    network = [{"name": s.name, "stage": s.stage, **s.options} for s in stages]
    return StageChoice("norm", "ReversibleNorm", {"how": "last", "targets": [0], "network": network})


def _conv(name: str, width: int, size: int, **more: Any) -> StageChoice:
    options = {k: v for k, v in more.items() if v is not None}
    return StageChoice(name, "Convolution", {"width": width, "size": size, "norm": "batch", **options})


def _pool(spec: Spec, steps: int = 64) -> str | None:
    """Halve the length where it is over `steps`."""
    return "max" if _long(spec, steps) else None


def _long(spec: Spec, steps: int) -> bool:
    return (spec.shape[0] or spec.longest or 1) > steps


LIKES = {"lstm": lstm}

"""What to build for pictures of a size, in number and colour."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from layerwise.kinds.base import Blueprint
from layerwise.kinds.image.alter import Amounts
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["blueprint", "branch", "levels", "widening"]

TINY = 12  # pixels on the shorter side
MANY = 10_000  # training pictures; from here on they are passed over too seldom to be learnt by heart
FEW = 2_000  # training pictures; below, the network is small and the changes are many


def blueprint(spec: Spec, task: Task, n: int) -> Blueprint:
    """Plain convolutional levels with batch normalisation, as deep as the picture halves.

    The shape follows Simonyan and Zisserman 2014: 3 x 3 kernels in pairs, twice as many where the picture
    is halved.
    """
    small = min(_sides(spec))
    if small <= TINY:
        dropout, why = 0.3, "pictures of a few pixels: three levels, one halving"
    elif n < FEW:
        dropout, why = 0.5, f"only {n:,} training pictures: few units, and positions kept to the end"
    else:  # units are dropped only where pictures are passed over often
        dropout = 0.2 * (n < MANY)
        why = "pairs of 3 x 3 convolutions, halved until a few positions are left"
    dense = StageChoice("dense", "Dense", {"width": 128, "norm": "batch", "dropout": dropout})
    network = (*levels(spec, n), dense)
    whys = {"network": why}
    training = _training(spec, n, small, whys)
    return Blueprint(network, training, whys)


def branch(spec: Spec) -> tuple[StageChoice, ...]:
    """A small network to a vector of 64, for a column of pictures in a table."""
    levels = _halvings(spec, down_to=4)
    convolutions = tuple(
        StageChoice(
            f"conv{i + 1}", "Convolution", {"width": min(16 << i, 64), "norm": "batch", "pool": "max"}
        )
        for i in range(levels)
    )
    return (
        StageChoice("scale", "Scale"),
        *convolutions,
        StageChoice("pool", "GlobalPool"),
        StageChoice("vector", "Dense", {"width": 64}),
    )


def levels(spec: Spec, n: int) -> tuple[StageChoice, ...]:
    """The convolutional levels for so many training pictures."""
    scale = StageChoice("scale", "Scale")
    if min(_sides(spec)) <= TINY:
        return (scale, _conv("conv1", 32), _conv("conv2", 64, pool="max"), _conv("conv3", 96))
    if n < FEW:  # one convolution a halving
        halvings = range(_halvings(spec, down_to=6))
        return (scale, *(_conv(f"conv{i + 1}", min(16 << i, 64), pool="max") for i in halvings))
    stages = [scale]
    for i in range(_halvings(spec, down_to=4)):
        width = min(16 << i, 96)
        stages += [_conv(f"conv{2 * i + 1}", width), _conv(f"conv{2 * i + 2}", width, pool="max")]
    return tuple(stages)


def widening(spec: Spec) -> tuple[StageChoice, ...]:
    """One convolution a halving and one more, each of twice the width of the one below, up to 256."""
    first = 32 if min(_sides(spec)) <= 48 else 16
    halvings = _halvings(spec, down_to=4)
    widths = [min(first << i, 256) for i in range(halvings + 1)]
    convolutions = (_conv(f"conv{i + 1}", width, pool="max") for i, width in enumerate(widths[:-1]))
    return (StageChoice("scale", "Scale"), *convolutions, _conv(f"conv{halvings + 1}", widths[-1]))


def _training(spec: Spec, n: int, small: int, whys: dict[str, str]) -> Training:
    amounts = Amounts(shift=max(1, round(small / 8)))
    whys["training.alter.shift"] = "what is seen does not depend on a few pixels either way"
    if spec.shape[0] == 3:
        amounts = replace(amounts, flip=True)
        whys["training.alter.flip"] = "colour photographs mean the same in a mirror; writing and sides do not"
    else:
        amounts = replace(amounts, turn_degrees=8.0, zoom=0.1)
        whys["training.alter.turn_degrees"] = "grey pictures are often signs or faces: turned a little"
        whys["training.alter.flip"] = "signs and faces do not mean the same in a mirror"
    batch = 128 if n >= 1_000 else 32
    steps = 350 if small <= TINY else 700 if n < FEW else 2_500
    epochs = float(max(5, min(120, round(steps * batch / max(1, n)))))
    whys["training.epochs"] = f"about {steps:,} steps of {batch}, but 5 to 120 passes over {n:,} pictures"
    smoothing = 0.05 * (n < MANY)
    if small <= TINY or n < FEW:
        optimiser, rate = "adamw", 2e-3
    else:
        optimiser, rate = "muon", 6e-3
        whys["training.optimiser"] = "learns kernels in fewer steps than adamw"
    return Training(
        optimiser, rate, decay=0.05, batch=batch, epochs=epochs, alter=asdict(amounts), average=0.998,
        smoothing=smoothing,
    )  # fmt: skip


def _conv(name: str, width: int, **more: Any) -> StageChoice:
    return StageChoice(name, "Convolution", {"width": width, "norm": "batch", **more})


def _sides(spec: Spec) -> tuple[int, int]:
    height, width = spec.length("height"), spec.length("width")
    if height is None or width is None:
        raise ValueError(f"a network for pictures needs axes channel, height and width, got {spec.axes}")
    return height, width


def _halvings(spec: Spec, *, down_to: int) -> int:
    """How often the picture is halved until its shorter side is at most `down_to`; at least once."""
    side, times = min(_sides(spec)), 0
    while side > down_to:
        side, times = side // 2, times + 1
    return max(1, times)

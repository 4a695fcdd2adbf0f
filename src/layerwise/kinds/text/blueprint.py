"""What to build for texts of such units, length and number."""

from __future__ import annotations

from layerwise.kinds.base import Blueprint
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["LIKES", "blueprint", "branch"]


def blueprint(spec: Spec, task: Task, n: int) -> Blueprint:
    """A bag of n-grams where the reader made n-grams; else convolutions over embeddings.

    The bag is that of Joulin et al. 2017; the convolutional network follows Kim 2014 and Zhang, Zhao and
    LeCun 2015.
    """
    whys: dict[str, str] = {}
    if _is_bag(spec):
        whys["network"] = "which n-grams occur says nearly everything, and a bag of them learns it in minutes"
        width = 16 if n < 5_000 else 32
        network: tuple[StageChoice, ...] = (
            StageChoice("bag", "NgramBag", {"width": width, "how": "root", "dropout": 0.5}),
        )
    else:
        whys["network"] = (
            f"{spec.names[0]} in their order: a vector for each, then windows of five and more of them"
        )
        network = _convolutions(spec)
    return Blueprint(network, _training(n, whys), whys)


def branch(spec: Spec) -> tuple[StageChoice, ...]:
    """Stages from a column of texts to a vector, for a table that has one."""
    if _is_bag(spec):
        return (StageChoice("bag", "NgramBag", {"width": 32, "how": "root", "dropout": 0.3}),)
    return _convolutions(spec)


def lstm(spec: Spec, task: Task, n: int) -> Blueprint:
    """Long short-term memory (Hochreiter and Schmidhuber 1997) over embeddings, then pooled over time."""
    network = (
        StageChoice("embedding", "Embedding", {"width": 64, "dropout": 0.2}),
        StageChoice("lstm", "Recurrent", {"width": 128, "cell": "lstm", "dropout": 0.3}),
        StageChoice("pool", "GlobalPool", {"how": "both"}),
    )
    epochs = float(max(3, min(40, round(60_000 / n))))
    training = Training(rate=2e-3, decay=0.01, batch=64, epochs=epochs, clip=1.0, average=0.99)
    return Blueprint(network, training, {"network": "LSTM (Hochreiter and Schmidhuber 1997)"})


LIKES = {"lstm": lstm}


def _is_bag(spec: Spec) -> bool:
    return bool(spec.names) and spec.names[0].endswith("n-grams")


def _convolutions(spec: Spec) -> tuple[StageChoice, ...]:
    words = bool(spec.names) and spec.names[0] == "words"
    first = {"width": 128, "size": 5, "norm": "batch"}
    deeper = {} if words else {"pool": "max", "pool_size": 3}
    stages = [
        StageChoice("embedding", "Embedding", {"width": 64 if words else 32, "dropout": 0.2}),
        StageChoice("conv1", "Convolution", {**first, **deeper}),
    ]
    if not words:
        stages.append(StageChoice("conv2", "Convolution", first))
    return (
        *stages,
        StageChoice("pool", "GlobalPool", {"how": "max"}),
        StageChoice("dense", "Dense", {"width": 64, "dropout": 0.5}),
    )


def _training(n: int, whys: dict[str, str]) -> Training:
    batch = 32 if n < 5_000 else 128
    epochs = float(max(5, min(40, round(1_000 * batch / n))))
    whys["training.epochs"] = f"about 1,000 steps of {batch}, at least 5 passes over {n:,} texts"
    return Training(rate=2e-3, decay=0.05, batch=batch, epochs=epochs, average=0.99, patience=4)

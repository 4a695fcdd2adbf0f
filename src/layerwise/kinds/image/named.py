"""Networks for pictures from the literature, by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from layerwise.kinds.base import Blueprint
from layerwise.kinds.image.alter import Amounts
from layerwise.recipe import StageChoice, Training
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["LIKES"]


def lenet5(spec: Spec, task: Task, n: int) -> Blueprint:
    """LeNet-5 of LeCun, Bottou, Bengio and Haffner 1998: 6@28x28, 6@14x14, 16@10x10, 16@5x5, 120, 84.

    With the paper's scaled tanh, trainable subsampling and sparse table between S2 and C3. The paper pads
    pictures of 28 to 32; here the first level pads.
    """
    height = spec.length("height") or 0
    first = "valid" if height >= 32 else "same"
    second = "valid" if height >= 20 else "same"
    tanh: dict[str, Any] = {"activation": "lecun_tanh", "init": "lecun"}
    network = (
        StageChoice("scale", "Scale"),
        StageChoice("c1", "Convolution", {"width": 6, "size": 5, "padding": first, **tanh}),
        StageChoice("s2", "Pool", {"how": "subsample", "activation": "lecun_tanh"}),
        StageChoice(
            "c3", "Convolution", {"width": 16, "size": 5, "padding": second, "connections": "lenet5", **tanh}
        ),
        StageChoice("s4", "Pool", {"how": "subsample", "activation": "lecun_tanh"}),
        StageChoice("c5", "Dense", {"width": 120, **tanh}),
        StageChoice("f6", "Dense", {"width": 84, **tanh}),
    )
    training = Training("sgd", 0.02, decay=0.0, batch=64, epochs=_epochs(n, 10), alter=asdict(Amounts()))
    return Blueprint(network, training, {"network": "LeNet-5 (LeCun et al. 1998)"})


def mlp2006(spec: Spec, task: Task, n: int) -> Blueprint:
    """500, 500 and 2,000 logistic units: the network of Hinton, Osindero and Teh 2006, trained at once."""
    logistic = {"activation": "sigmoid", "init": "glorot"}
    widths = {"h1": 500, "h2": 500, "h3": 2000}
    levels = (StageChoice(name, "Dense", {"width": w, **logistic}) for name, w in widths.items())
    training = Training("adamw", 1e-3, decay=0.0, batch=100, epochs=_epochs(n, 10), alter=asdict(Amounts()))
    return Blueprint(
        (StageChoice("scale", "Scale"), *levels), training, {"network": "500-500-2000 (Hinton et al. 2006)"}
    )


def alexnet_small(spec: Spec, task: Task, n: int) -> Blueprint:
    """The half of Krizhevsky, Sutskever and Hinton 2012 that ran on one processor, for small pictures.

    48, 128, 192, 192 and 128 kernels, two dense levels of 2,048 with dropout, overlapping pools and response
    normalisation; the first kernel is 5 x 5 without stride where the paper's is 11 x 11 with stride 4.
    """
    overlap = {"pool": "max", "pool_size": 3, "pool_stride": 2}
    network = (
        StageChoice("scale", "Scale"),
        StageChoice("conv1", "Convolution", {"width": 48, "size": 5, "norm": "response", **overlap}),
        StageChoice("conv2", "Convolution", {"width": 128, "size": 5, "norm": "response", **overlap}),
        StageChoice("conv3", "Convolution", {"width": 192}),
        StageChoice("conv4", "Convolution", {"width": 192}),
        StageChoice("conv5", "Convolution", {"width": 128, **overlap}),
        StageChoice("fc6", "Dense", {"width": 2048, "dropout": 0.5}),
        StageChoice("fc7", "Dense", {"width": 2048, "dropout": 0.5}),
    )
    alter = asdict(Amounts(shift=2, flip=spec.shape[0] == 3))
    training = Training("sgd", 0.02, decay=5e-4, batch=128, epochs=_epochs(n, 8), alter=alter, clip=5.0)
    return Blueprint(network, training, {"network": "AlexNet in small (Krizhevsky et al. 2012)"})


def resnet_small(spec: Spec, task: Task, n: int) -> Blueprint:
    """ResNet-20 for small pictures (He et al. 2015, section 4.2): 16, then 3 blocks of 16, 32 and 64."""
    network = (
        StageChoice("scale", "Scale"),
        StageChoice("conv1", "Convolution", {"width": 16, "norm": "batch"}),
        StageChoice("res1", "Residual", {"width": 16, "blocks": 3}),
        StageChoice("res2", "Residual", {"width": 32, "blocks": 3, "stride": 2}),
        StageChoice("res3", "Residual", {"width": 64, "blocks": 3, "stride": 2}),
        StageChoice("pool", "GlobalPool"),
    )
    alter = asdict(Amounts(shift=4, flip=spec.shape[0] == 3))
    training = Training("nesterov", 0.1, decay=1e-4, batch=128, epochs=_epochs(n, 10), alter=alter)
    return Blueprint(network, training, {"network": "ResNet-20 (He et al. 2015)"})


def _epochs(n: int, least: int) -> float:
    """At least `least` passes, more where there are few pictures."""
    return float(max(least, min(100, round(200_000 / n))))


LIKES = {"lenet5": lenet5, "mlp2006": mlp2006, "alexnet-small": alexnet_small, "resnet-small": resnet_small}

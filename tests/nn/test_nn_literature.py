"""The layer tables of the literature, to the unit and the parameter."""

from __future__ import annotations

from typing import Any

import torch

from layerwise.nn import Level, Pipeline, build, describe
from layerwise.recipe import StageChoice
from layerwise.spec import Spec


def levels(network: list[tuple[str, str, dict[str, Any]]], spec: Spec, outputs: int = 10) -> dict[str, Level]:
    with torch.device("meta"):
        net = build([StageChoice(*stage) for stage in network], spec, outputs)
    return {level.name: level for level in describe(net, spec)}


def test_lenet5() -> None:
    """LeCun et al. 1998, section II.B; its output layer of fixed radial units is a linear one here."""
    tanh = {"activation": "lecun_tanh"}
    valid = {"size": 5, "padding": "valid", **tanh}
    table = levels(
        [
            ("c1", "Convolution", {"width": 6, **valid}),
            ("s2", "Pool", {"how": "subsample", **tanh}),
            ("c3", "Convolution", {"width": 16, "connections": "lenet5", **valid}),
            ("s4", "Pool", {"how": "subsample", **tanh}),
            ("c5", "Convolution", {"width": 120, **valid}),
            ("f6", "Dense", {"width": 84, **tanh}),
        ],
        Spec(("channel", "height", "width"), (1, 32, 32)),
    )
    assert {name: level.shape for name, level in table.items()} == {
        "c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5), "c5": (120, 1, 1),
        "f6": (84,), "answer": (10,),
    }  # fmt: skip
    assert {name: level.parameters for name, level in table.items()} == {
        "c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164, "answer": 850,
    }  # fmt: skip
    assert [level.depth for level in table.values()] == [1, 2, 3, 4, 5, 6, 7]
    sees = [level.receptive_field["height"] for level in table.values()]
    assert sees == [5, 6, 14, 16, 32, 32, 32]
    assert table["c1"].cost == 117_600  # its 122,304 connections less the biases
    assert table["c3"].cost == 150_000


def test_alexnet() -> None:
    """Krizhevsky et al. 2012, section 3.5, on pictures of 227 pixels: 61 million parameters."""
    response = {"norm": "response", "pool": "max", "pool_size": 3, "pool_stride": 2, "init": "small"}
    dense = {"width": 4096, "dropout": 0.5, "init": "small"}
    table = levels(
        [
            ("conv1", "Convolution", {"width": 96, "size": 11, "stride": 4, "padding": "valid", **response}),
            ("conv2", "Convolution", {"width": 256, "size": 5, "groups": 2, **response}),
            ("conv3", "Convolution", {"width": 384}),
            ("conv4", "Convolution", {"width": 384, "groups": 2}),
            (
                "conv5",
                "Convolution",
                {"width": 256, "groups": 2, "pool": "max", "pool_size": 3, "pool_stride": 2},
            ),
            ("fc6", "Dense", dense),
            ("fc7", "Dense", dense),
        ],
        Spec(("channel", "height", "width"), (3, 227, 227)),
        1000,
    )
    assert [level.shape for level in table.values()] == [
        (96, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 6, 6), (4096,), (4096,), (1000,),
    ]  # fmt: skip
    assert [level.parameters for level in table.values()] == [
        34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000,
    ]  # fmt: skip
    assert [level.receptive_field["width"] for level in table.values()][:5] == [19, 67, 99, 131, 195]


def test_resnet20() -> None:
    """He et al. 2015, section 4.2, n = 3, shortcuts of option A: 0.27 million parameters, 20 layers."""
    pad = {"blocks": 3, "shortcut": "pad"}
    table = levels(
        [
            ("conv", "Convolution", {"width": 16, "norm": "batch"}),
            ("group1", "Residual", {"width": 16, **pad}),
            ("group2", "Residual", {"width": 32, "stride": 2, **pad}),
            ("group3", "Residual", {"width": 64, "stride": 2, **pad}),
            ("pool", "GlobalPool", {}),
        ],
        Spec(("channel", "height", "width"), (3, 32, 32)),
    )
    assert [level.shape for level in table.values()] == [
        (16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8), (64,), (10,),
    ]  # fmt: skip
    assert sum(level.parameters for level in table.values()) == 269_722
    assert table["answer"].depth == 20
    kernels = {"conv": 432 * 1024, "group1": 6 * 2304 * 1024, "answer": 640}
    assert {name: table[name].cost for name in kernels} == kernels


def test_perceptron_of_2006() -> None:
    """Hinton and Salakhutdinov 2006: 784-500-500-2000-10."""
    table = levels(
        [
            (f"h{i}", "Dense", {"width": width, "activation": "sigmoid", "init": "small"})
            for i, width in enumerate((500, 500, 2000), start=1)
        ],
        Spec(("channel", "height", "width"), (1, 28, 28)),
    )
    assert [level.parameters for level in table.values()] == [392_500, 250_500, 1_002_000, 20_010]


def test_depth_of_a_recurrent_net_counts_its_steps() -> None:
    table = levels(
        [
            ("conv", "Convolution", {"width": 8, "pool": "max"}),
            ("lstm", "Recurrent", {"width": 16, "both_ways": True}),
            ("last", "GlobalPool", {"how": "both"}),
        ],
        Spec(("time", "channel"), (None, 3), longest=50),
    )
    assert [level.depth for level in table.values()] == [1, 26, 26, 27]
    assert [level.shape for level in table.values()] == [(None, 8), (None, 32), (64,), (10,)]
    assert table["lstm"].cost == 25 * 2 * 4 * 16 * (8 + 16)
    assert table["conv"].receptive_field == {"time": 4}
    assert table["lstm"].receptive_field == {"time": None}


def test_modules_of_torch_are_described_too() -> None:
    net = Pipeline(conv=torch.nn.Conv2d(3, 4, 3), act=torch.nn.ReLU(), flat=torch.nn.Flatten())
    table = describe(net.train(), Spec(("channel", "height", "width"), (3, 6, 6)))
    assert [level.shape for level in table] == [(4, 4, 4), (4, 4, 4), (64,)]
    assert [level.parameters for level in table] == [112, 0, 0]
    assert table[0].cost == 108 * 16
    assert all(module.training for module in net.modules())

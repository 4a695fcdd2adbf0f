from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from layerwise.errors import UsageError
from layerwise.nn import Convolution, GlobalPool, Pool, Residual
from layerwise.nn.kernel import LENET5
from layerwise.nn.norms import ResponseNorm
from layerwise.spec import Spec

IMAGES = Spec(("channel", "height", "width"), (6, 11, 10))
PICTURES = torch.randn(4, 6, 11, 10, generator=torch.Generator().manual_seed(0))


def test_a_convolution_is_torchs() -> None:
    stage = Convolution(IMAGES, width=5, size=3, stride=2, activation="tanh")
    expected = F.conv2d(PICTURES, stage.kernel.weight, stage.kernel.bias, stride=2, padding=1).tanh()
    assert torch.equal(stage(PICTURES), expected)
    series = Spec(("time", "channel"), (11, 6))
    stage = Convolution(series, width=5, size=4, padding="valid", activation=None)
    x = PICTURES[..., 0].transpose(1, 2)
    expected = F.conv1d(x.transpose(1, 2), stage.kernel.weight, stage.kernel.bias).transpose(1, 2)
    torch.testing.assert_close(stage(x), expected)


def test_channels_last_comes_out_the_same_and_stays_so() -> None:
    stage = Convolution(IMAGES, width=8, norm="batch", pool="max").to(memory_format=torch.channels_last)
    y = stage(PICTURES.contiguous(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, stage(PICTURES), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "lecun_tanh", "elu"])
def test_pooling_before_the_activation_changes_nothing(activation: str) -> None:
    torch.manual_seed(0)
    stage = Convolution.from_spec(
        IMAGES, width=8, pool="max", pool_size=3, pool_stride=2, activation=activation
    )
    x = PICTURES.clone().requires_grad_()
    y = stage(x)
    other = PICTURES.clone().requires_grad_()
    early = Convolution.from_spec(IMAGES, width=8, activation=activation)
    early.kernel = stage.kernel
    expected = F.max_pool2d(early(other), 3, 2, ceil_mode=True)
    assert torch.equal(y, expected)
    y.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad)


def test_the_connections_of_lenet5() -> None:
    assert [len(maps) for maps in LENET5] == [3] * 6 + [4] * 9 + [6]
    assert len({tuple(sorted(maps)) for maps in LENET5}) == 16
    stage = Convolution(IMAGES, width=16, size=5, padding="valid", connections="lenet5")
    kernel = stage.kernel.kernel()
    for out, maps in enumerate(LENET5):
        for into in range(6):
            assert (kernel[out, into] != 0).all() == (into in maps)
    stage(PICTURES).sum().backward()
    assert stage.kernel.weight.grad.shape == (60, 5, 5)
    with pytest.raises(UsageError, match="need 6 maps, got 1"):
        Convolution(Spec(IMAGES.axes, (1, 9, 9)), width=16, connections="lenet5")


def test_response_norm_is_the_papers() -> None:
    x = PICTURES.double().numpy() * 10
    expected = np.empty_like(x)
    for i in range(6):
        near = x[:, max(0, i - 2) : i + 3]
        expected[:, i] = x[:, i] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
    np.testing.assert_allclose(ResponseNorm()(PICTURES * 10).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_windows_over_the_edge_count_what_is_there() -> None:
    stage = Pool(IMAGES, how="average", size=3, stride=2)
    y = stage(PICTURES)
    assert y.shape == (4, 6, 5, 5)
    torch.testing.assert_close(y[:, :, 4, 4], PICTURES[:, :, 8:11, 8:10].mean((2, 3)))
    tiny = Spec(IMAGES.axes, (6, 1, 1))
    assert Pool(tiny).spec(tiny).shape == (6, 1, 1)
    assert torch.equal(Pool(tiny)(PICTURES[:, :, :1, :1]), PICTURES[:, :, :1, :1])


def test_subsampling_is_a_coefficient_and_a_bias() -> None:
    stage = Pool(IMAGES, how="subsample", activation="sigmoid")
    with torch.no_grad():
        stage.weight.copy_(torch.arange(6.0))
        stage.bias.fill_(0.3)
    total = PICTURES[:, :, :2, :2].sum((2, 3))
    torch.testing.assert_close(stage(PICTURES)[:, :, 0, 0], torch.sigmoid(total * torch.arange(6.0) + 0.3))


def test_residual_blocks_go_round() -> None:
    torch.manual_seed(0)
    stage = Residual(IMAGES, width=8, stride=2, shortcut="pad").eval()
    with torch.no_grad():
        stage.blocks[0].norm2.weight.zero_()
    expected = torch.cat([PICTURES[:, :, ::2, ::2], torch.zeros(4, 2, 6, 5)], 1).relu()
    torch.testing.assert_close(stage(PICTURES), expected)


def test_pooling_by_attention_starts_as_the_mean() -> None:
    pooled = GlobalPool(IMAGES, how="attention")(PICTURES)
    torch.testing.assert_close(pooled, PICTURES.mean((2, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width of Convolution must be a whole number from 1 to 1,048,576, got '0'"),
        ({"width": True}, "must be a whole number"),
        ({"width": 8, "size": 13, "padding": "valid"}, "nothing is left of 6 x 11 x 10"),
        ({"width": 8, "groups": 4}, "groups must divide the channels, got 4 for 6 in and 8 out"),
        (
            {"width": 8, "pool": "maximum"},
            "pool of Convolution must be one of 'max', 'average', 'subsample' or null",
        ),
        ({"width": 8, "pool": "max", "pool_size": 2, "pool_stride": 3}, "leave gaps"),
        ({"width": 8, "dropout": 1}, "dropout of Convolution must be a number from 0 to 0.99, got '1'"),
        ({"width": 8, "activation": "rleu"}, "activation of Convolution must be one of"),
        ({}, "Convolution needs the option width"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Convolution.from_spec(IMAGES, **options)


def test_means_are_taken_after_the_activation() -> None:
    stage = Convolution(IMAGES, width=8, pool="average")
    expected = F.avg_pool2d(F.conv2d(PICTURES, stage.kernel.weight, padding=1).relu(), 2, ceil_mode=True)
    torch.testing.assert_close(stage(PICTURES), expected)
    stage = Convolution(IMAGES, width=8, pool="max", activation="gelu")
    expected = F.max_pool2d(F.gelu(F.conv2d(PICTURES, stage.kernel.weight, padding=1)), 2, ceil_mode=True)
    torch.testing.assert_close(stage(PICTURES), expected)

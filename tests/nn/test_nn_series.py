from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from layerwise.errors import UsageError
from layerwise.nn import Decomposition, build
from layerwise.recipe import StageChoice
from layerwise.spec import Spec

WINDOWS = Spec(("time", "channel"), (48, 3))
X = torch.randn(5, 48, 3, generator=torch.Generator().manual_seed(0)).double().cumsum(1)


def test_decomposition_is_the_papers() -> None:
    stage = Decomposition(WINDOWS, outputs=24, window=25, individual=True).double()
    with torch.no_grad():
        for p in stage.parameters():
            p.normal_()
    past = X.transpose(1, 2)
    padded = torch.cat([past[..., :1].expand(-1, -1, 12), past, past[..., -1:].expand(-1, -1, 12)], 2)
    trend = torch.stack([padded[..., i : i + 25].mean(-1) for i in range(48)], 2)
    expected = torch.stack(
        [
            F.linear(trend[:, c], stage.trend[c].T)
            + F.linear(past[:, c] - trend[:, c], stage.rest[c].T)
            + stage.bias[c]
            for c in range(3)
        ],
        2,
    )
    torch.testing.assert_close(stage(X).reshape(5, 8, 3), expected)


@pytest.mark.parametrize("how", ["instance", "last"])
def test_forecasts_move_with_the_window(how: str) -> None:
    inside = [{"name": "hidden", "stage": "Dense", "width": 16, "activation": "gelu"}]
    options = {"network": inside, "targets": [2, 0], "how": how}
    net = build([StageChoice("series", "ReversibleNorm", options)], WINDOWS, 12).double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn(p.shape, dtype=p.dtype, generator=torch.Generator().manual_seed(1)))
    scale = (
        torch.tensor([3.0, 0.5, 20.0], dtype=torch.double) if how == "instance" else torch.ones(3).double()
    )
    shift = torch.tensor([-4.0, 7.0, 100.0], dtype=torch.double)
    expected = net(X).reshape(5, 6, 2) * scale[[2, 0]] + shift[[2, 0]]
    torch.testing.assert_close(net(X * scale + shift).reshape(5, 6, 2), expected, rtol=1e-4, atol=1e-4)


def test_a_forecast_head_needs_no_other() -> None:
    net = build([StageChoice("line", "Decomposition", {"targets": [1]})], WINDOWS, 7)
    assert [name for name, _ in net.stages()] == ["line"]
    torch.testing.assert_close(net(X.float())[:, 0], X.float()[:, :, 1].mean(1))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (WINDOWS, {}, "7 outputs are not the next values of 3 channels each"),
        (WINDOWS, {"targets": [3]}, "numbers of channels, 0 to 2"),
        (WINDOWS, {"targets": [0.5]}, "targets of Decomposition must be a list"),
        (Spec(("time", "channel"), (None, 3)), {"targets": [0]}, "windows of one length"),
        (Spec(("feature",), (3,)), {"targets": [0]}, "takes sequences of vectors, got vectors"),
    ],
)
def test_wrong_options_are_refused(spec: Spec, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build([StageChoice("line", "Decomposition", options)], spec, 7)

from __future__ import annotations

import pytest
import torch
from torch import nn

from layerwise import device
from layerwise.errors import MachineError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_machine_in_words():
    here = device.machine()
    assert here.cores >= 1
    assert here.memory_bytes > 2**28
    lines = here.words()
    assert [line.split()[0] for line in lines] == ["processor", "vectors", "GPU", "torch"]
    assert all(line.isprintable() for line in lines)


def test_a_measurement_is_kept_for_this_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "_thread_counts", lambda where: [1])
    assert device.measured() is None
    threads = torch.get_num_threads()
    found = device.measure()
    assert torch.get_num_threads() == threads
    assert set(found.speeds) == {
        f"{op} {dtype} 1" for op in ("matmul", "conv") for dtype in ("float32", "bfloat16")
    }
    assert all(0.001 < speed < 1e6 for speed in found.speeds.values())
    assert device.measured() == found
    (kept,) = (tmp_path / "layerwise").iterdir()
    for damaged in ("", "{}", '{"speeds": {"x": 1}, "torch_version": "1"}', "[]"):
        kept.write_text(damaged)
        assert device.measured() is None


def test_advice_follows_from_the_figures():
    def figures(gain):
        speeds = {
            "matmul float32 1": 10.0,
            "conv float32 1": 9.0,
            "matmul float32 2": 19.0,
            "conv float32 2": 20.0,
        }
        return device.Measured(speeds | {"matmul bfloat16 2": 19.0 * gain, "conv bfloat16 2": 50.0}, "2.8")

    assert figures(2.0).fastest_threads() == 2
    assert figures(2.0).advice()["training.precision"][0] == "bfloat16"
    assert figures(1.1).advice()["training.precision"] == (
        "float32",
        "bfloat16 products were measured 1.1 times as fast as float32 ones here",
    )


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(device, "_operations", lambda where, dtype: {})
    with pytest.raises(MachineError, match="XDG_CACHE_HOME"):
        device.measure()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_net_is_placed_and_answers_the_same(precision):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    x = torch.randn(2, 3, 8, 8)
    before = net(x)
    where = device.place(net, precision=precision)
    assert where == device.best_device() == net[0].weight.device
    torch.testing.assert_close(net(x.to(where)).cpu(), before, atol=1e-4, rtol=1e-4)


def test_what_was_placed_is_brought_back_as_it_was_loaded():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(4, 4))
    strides = [p.stride() for p in net.parameters()]
    device.place(net, precision="bfloat16")
    assert net[0].weight.is_contiguous(memory_format=torch.channels_last)
    device.bring_back(net)
    assert [p.stride() for p in net.parameters()] == strides
    assert next(net.parameters()).device.type == "cpu"


def test_threads_follow_the_work_and_are_given_back():
    before = torch.get_num_threads()
    assert device.threads_for(1e6) == 1
    assert device.threads_for(1e12) == before
    with device.threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before

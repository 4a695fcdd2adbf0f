from __future__ import annotations

import os
import pickle

import pytest
import torch
from torch import nn

from layerwise.errors import MachineError, ModelError, UsageError
from layerwise.train import Phase, optimiser, train
from layerwise.train.checkpoint import read, write
from layerwise.train.state import put, put_optimiser

NEST = {
    "a": torch.arange(6).reshape(2, 3).T,
    "b": [1, 2.5, None, True, "word", float("inf")],
    "c": {3: {"x": torch.zeros(())}, "pairs": [], "tensor": "0"},
}


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "deep" / "run", {**NEST, "again": NEST["a"]}, where="at step 3")
    back = read(tmp_path / "deep" / "run")
    assert torch.equal(back["a"], NEST["a"])
    assert torch.equal(back["again"], NEST["a"])
    assert back["b"] == NEST["b"]
    assert back["c"]["tensor"] == "0"
    assert torch.equal(back["c"][3]["x"], torch.zeros(()))
    assert os.listdir(tmp_path / "deep") == ["run"]


def test_nothing_there(tmp_path):
    assert read(tmp_path / "run") is None


def test_a_half_written_file_aside_is_ignored_and_removed(tmp_path):
    write(tmp_path / "run", NEST, where="at step 3")
    (tmp_path / "run.part").write_bytes(b"half")
    assert torch.equal(read(tmp_path / "run")["a"], NEST["a"])
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("keep", [0, 5, 8, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    write(tmp_path / "run", NEST, where="at step 3")
    data = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(data[:keep])
    with pytest.raises(ModelError, match="no whole checkpoint of layerwise: remove it"):
        read(tmp_path / "run")


def test_a_foreign_file_is_refused_and_not_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    (tmp_path / "run").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError):
        read(tmp_path / "run")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path):
    write(tmp_path / "run", NEST, where="at step 3")
    (tmp_path / "run.part").symlink_to("/dev/full")
    with pytest.raises(MachineError, match=r"out of disk at step 6 \(needs 1 MB in .*free space") as caught:
        write(tmp_path / "run", NEST, where="at step 6")
    assert caught.value.exit_code == 6
    assert torch.equal(read(tmp_path / "run")["a"], NEST["a"])
    assert os.listdir(tmp_path) == ["run"]


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"cannot write .* at step 3: .*Nothing was saved yet"):
        write(tmp_path / "file" / "run", NEST, where="at step 3")


def test_state_of_another_network_is_refused():
    net = nn.Linear(3, 2)
    with pytest.raises(ModelError, match="of another network: bias"):
        put(net, {"weight": torch.zeros(2, 3)})
    with pytest.raises(ModelError, match=r"'weight' is \(2, 3\) of torch.float32 here and \(2, 4\)"):
        put(net, {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)})
    saved = torch.optim.SGD(nn.Linear(9, 9).parameters(), momentum=0.9).state_dict()
    with pytest.raises(ModelError, match="a parameter '7'"):
        put_optimiser(torch.optim.SGD(net.parameters()), {**saved, "state": {7: {}}})
    with pytest.raises(ModelError, match="optimiser state is of another network"):
        put_optimiser(torch.optim.SGD(net.parameters()), {**saved, "param_groups": []})


def test_optimiser_state_gets_the_layout_of_its_parameter():
    net = nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
    adam = torch.optim.AdamW(net.parameters(), fused=True)
    net(torch.randn(1, 4, 8, 8)).sum().backward()
    adam.step()
    saved = {"state": {}, "param_groups": adam.state_dict()["param_groups"]}
    for index, state in adam.state_dict()["state"].items():
        saved["state"][index] = {name: t.contiguous() for name, t in state.items()}
    put_optimiser(adam, saved)
    average = adam.state[net.weight]["exp_avg"]
    assert average.stride() == net.weight.stride()
    assert torch.equal(average, saved["state"][0]["exp_avg"])


def test_a_checkpoint_of_another_run_is_refused(digits, tmp_path):
    def start(seed, steps):
        phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), steps=steps)
        return train(digits.net(), (phase,), digits.train, seed=seed, checkpoint=tmp_path / "run")

    next(start(1, 4))
    for seed, steps in ((2, 4), (1, 5)):
        with pytest.raises(ModelError, match="of a run with another plan or seed"):
            next(start(seed, steps))


def test_every_must_be_a_number_of_steps(digits):
    phase = Phase("train", digits.objective(), optimiser("sgd", rate=0.1), steps=1)
    with pytest.raises(UsageError, match="at least 1 step, got 0"):
        next(train(digits.net(), (phase,), digits.train, seed=0, every=0))

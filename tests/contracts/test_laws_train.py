"""Interrupted is undisturbed: a run that was stopped anywhere, in any way, ends bit-identical."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from layerwise.train import Done, Step
from layerwise.train import loop as loop_module

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("train_run", HERE / "train_run.py")
run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run)


def weights(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: t.clone() for name, t in net.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(autouse=True)
def _write_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "WRITING", float("inf"))


@pytest.fixture(scope="module", params=run.OPTIMISERS)
def undisturbed(request) -> tuple[str, dict[str, torch.Tensor], Done]:
    net = run.network()
    *_, done = run.events(net, request.param, None)
    return request.param, weights(net), done


def test_every_phase_moves_the_net(undisturbed):
    _, final, done = undisturbed
    assert done.taken == (4, run.STEPS - 4)
    assert not same(final, weights(run.network()))


@pytest.mark.parametrize("stop_at", range(run.STEPS))
def test_closed_at_any_step_and_resumed(undisturbed, stop_at, tmp_path):
    name, final, whole = undisturbed
    net = run.network()
    events = run.events(net, name, tmp_path / "c")
    taken = 0
    for event in events:
        taken += isinstance(event, Step)
        if taken > stop_at:
            break
    events.close()
    net = run.network()
    *_, done = run.events(net, name, tmp_path / "c")
    assert same(weights(net), final)
    assert done.history["curve"] == whole.history["curve"]
    assert done.taken == whole.taken


@pytest.mark.parametrize("stop_at", [0, 1, 4, 5, 7, 11, 12])
def test_asked_to_stop_between_steps_and_resumed(undisturbed, stop_at, tmp_path):
    name, final, _ = undisturbed
    taken = 0
    events = run.events(run.network(), name, tmp_path / "c", stop=lambda: taken >= stop_at)
    for event in events:
        taken += isinstance(event, Step)
    assert isinstance(event, Done)
    assert event.interrupted
    assert sum(event.taken) == stop_at == taken
    net = run.network()
    *_, done = run.events(net, name, tmp_path / "c")
    assert same(weights(net), final)
    assert not done.interrupted


def test_what_an_objective_has_moved_is_resumed_too(undisturbed, tmp_path):
    name, _, _ = undisturbed
    whole, resumed = run.plan(name), run.plan(name)
    list(run.events(run.network(), name, None, phases=whole))
    taken = itertools.count()
    list(run.events(run.network(), name, tmp_path / "c", stop=lambda: next(taken) >= 9))
    for _ in range(2):  # the second time it is finished already
        list(run.events(run.network(), name, tmp_path / "c", phases=resumed))
        for one, other in zip(whole, resumed, strict=True):
            assert one.objective.moved.min() > 0
            assert torch.equal(one.objective.moved, other.objective.moved)


def test_the_best_weights_outlive_an_interruption(undisturbed, tmp_path):
    name, _, _ = undisturbed

    def worse_and_worse(net: nn.Module) -> dict[str, float]:
        return {"loss": -run.evaluate(net)["loss"]}

    whole, net = run.network(), run.network()
    list(run.events(whole, name, None, evaluate=worse_and_worse))
    taken = itertools.count()
    list(
        run.events(
            run.network(), name, tmp_path / "c", evaluate=worse_and_worse, stop=lambda: next(taken) >= 11
        )
    )
    *_, done = run.events(net, name, tmp_path / "c", evaluate=worse_and_worse)
    assert done.history["epochs"]["validation loss"][-2] < done.history["epochs"]["validation loss"][-1]
    assert same(weights(net), weights(whole))


def test_interrupted_again_and_again(undisturbed, tmp_path):
    name, final, _ = undisturbed
    for _ in range(40):
        net = run.network()
        count = iter(range(9))
        *_, done = run.events(net, name, tmp_path / "c", stop=lambda count=count: next(count) >= 1)
        if not done.interrupted:
            break
    assert same(weights(net), final)


def test_a_finished_run_is_not_run_again(undisturbed, tmp_path):
    name, final, _ = undisturbed
    for _ in run.events(run.network(), name, tmp_path / "c"):
        pass
    net = run.network()
    seen = list(run.events(net, name, tmp_path / "c"))
    assert [type(e) for e in seen] == [Done]
    assert seen[0].taken == (4, run.STEPS - 4)
    assert same(weights(net), final)


def test_the_same_seed_gives_the_same_weights(undisturbed):
    name, final, _ = undisturbed
    torch.rand(3)  # what the user draws in between does not matter
    net = run.network()
    for _ in run.events(net, name, None):
        torch.rand(1)
    assert same(weights(net), final)


@pytest.mark.parametrize("stop_at", [1, 3, 6, 99])
def test_what_is_the_users_is_given_back(stop_at):
    net = run.network()
    net[0].weight.requires_grad_(False)
    net[3].eval()
    required = [p.requires_grad for p in net.parameters()]
    modes = [m.training for m in net.modules()]
    before = torch.get_rng_state()
    events = run.events(net, "adamw", None)
    for event in events:
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.is_grad_enabled()
        if isinstance(event, Step) and event.step == stop_at:
            break
    events.close()
    assert [p.requires_grad for p in net.parameters()] == required
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_killed_at_random_moments(name, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "train_run.py"), name, str(tmp_path), "25"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3, "the kills all came at one place"
    assert same(load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "killed.safetensors"))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "killed.safetensors", "run.checkpoint", "whole.checkpoint", "whole.safetensors",
    ]  # fmt: skip

"""A run that was stopped, killed or refused: nothing is lost, and what goes on ends as if undisturbed."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import layerwise
from layerwise.errors import MachineError, UsageError
from layerwise.model import RUN

SETTINGS = ("--set", "training.epochs=30", "--set", "training.batch=16", "--set", "training.patience=null")
COMMAND = [sys.executable, "-m", "layerwise", "fit", "wine", *SETTINGS, "--out"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(out, *more):
    return subprocess.Popen([*COMMAND, str(out), *more], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, process, seconds=60.0):
    end = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "model"
    process = start(out)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return load_file(out / "weights.safetensors")


def same(out, undisturbed):
    found = load_file(out / "weights.safetensors")
    assert found.keys() == undisturbed.keys()
    for name, value in found.items():
        np.testing.assert_array_equal(value, undisturbed[name])


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
def test_killed_and_resumed(tmp_path, undisturbed, delay):
    out = tmp_path / "model"
    process = start(out)
    wait_for(out / RUN / "checkpoint.safetensors", process)
    time.sleep(delay)
    process.kill()
    process.communicate()
    if (out / RUN / "run.json").exists():
        process = start(out, "--resume")
        _, err = process.communicate()
        assert process.returncode == 0, err
    same(out, undisturbed)
    assert not (out / RUN).exists()


def test_interrupted_and_resumed(tmp_path, undisturbed):
    out = tmp_path / "model"
    process = start(out, "--set", "training.epochs=3000")
    wait_for(out / RUN / "checkpoint.safetensors", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    with pytest.raises(UsageError, match="--resume goes on with it"):
        layerwise.fit("wine", out=out)
    layerwise.fit("wine", out=out, overwrite=True, settings={"training.epochs": 1})
    assert layerwise.load(out).predict("wine").answer


def test_nothing_to_resume(tmp_path):
    with pytest.raises(UsageError, match="nothing to resume"):
        layerwise.fit("wine", out=tmp_path / "model", resume=True)


def test_an_earlier_model_outlives_a_run_that_fails(tmp_path):
    out = tmp_path / "model"
    layerwise.fit("wine", out=out, settings={"training.epochs": 1})
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    process = subprocess.Popen(
        [*COMMAND, str(out), "--overwrite", "--set", "training.epochs=5000"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    wait_for(out / RUN / "checkpoint.safetensors", process)
    with pytest.raises(MachineError, match="in use"):
        layerwise.fit("wine", out=out, overwrite=True)
    process.kill()
    process.communicate()
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before
    assert layerwise.load(out).predict("wine").answer


def test_a_timed_run_repeats_itself(tmp_path):
    timed = layerwise.fit("wine", out=tmp_path / "timed", budget=1.5, settings={"training.patience": None})
    assert timed.recipe.training.seconds is None
    assert timed.recipe.training.steps
    again = layerwise.fit("wine", out=tmp_path / "again", recipe_file=tmp_path / "timed" / "recipe.json")
    for name, value in timed.net.state_dict().items():
        np.testing.assert_array_equal(value, again.net.state_dict()[name])


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"--out|another folder|see to it"):
        layerwise.fit("wine", out=tmp_path / "file" / "model")


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "disk"), (errno.EACCES, "permission")])
@pytest.mark.parametrize("fatal", [1, 2, 4, 7, 11])
def test_a_machine_that_refuses_to_write(tmp_path, monkeypatch, fatal, number, words):
    """Every write is synced; here the machine refuses from the nth sync on."""
    out = tmp_path / "model"
    layerwise.fit("wine", out=out, settings={"training.epochs": 1})
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    calls = 0

    def refusing(handle):
        nonlocal calls
        calls += 1
        if calls >= fatal:
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refusing)
        with pytest.raises(MachineError, match=f"(?i){words}"):
            layerwise.fit("wine", out=out, overwrite=True, settings={"training.epochs": 2})
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before
    assert layerwise.load(out).predict("wine").answer

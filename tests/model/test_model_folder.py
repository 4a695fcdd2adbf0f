"""A model folder: written whole or not at all, checked when read, harmless when hostile."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

import layerwise
from layerwise.errors import MachineError, ModelError
from layerwise.model import folder as folders
from layerwise.model import holding


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """A small trained model, in memory and on disk."""
    out = tmp_path_factory.mktemp("wine") / "wine-model"
    model = layerwise.fit("wine", out=out, settings={"training.epochs": 5})
    return model, out


def changed(folder, tmp_path, name, edit, *, sums=True):
    """A copy of a model folder with one file edited, its checksum made to fit unless told not to."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    (copy / name).write_bytes(edit((copy / name).read_bytes()))
    if sums:
        listing = json.loads((copy / "checksums.json").read_text())
        listing[name] = hashlib.sha256((copy / name).read_bytes()).hexdigest()
        (copy / "checksums.json").write_text(json.dumps(listing))
    return copy


def edited(**changes):
    return lambda data: json.dumps({**json.loads(data), **changes}).encode()


def test_same_answers_after_load(wine):
    model, out = wine
    loaded = layerwise.load(out)
    before, after = model.predict("wine"), loaded.predict("wine")
    assert before.answer == after.answer
    np.testing.assert_array_equal(before.decoded, after.decoded)
    assert loaded.recipe == model.recipe
    assert loaded.spec == model.spec


def test_folder_holds_what_it_says(wine):
    _, out = wine
    sums = json.loads((out / "checksums.json").read_text())
    files = {p.name for p in out.iterdir()} - {"checksums.json", "report.html"}
    assert files == set(sums)
    assert "report.html" not in sums
    assert "| accuracy |" in (out / "README.md").read_text()


def test_report_can_be_deleted(wine, tmp_path):
    _, out = wine
    copy = changed(out, tmp_path, "report.html", lambda d: d, sums=False)
    (copy / "report.html").unlink()
    assert layerwise.load(copy).predict("wine").answer


@pytest.mark.parametrize("name", ["weights.safetensors", "reader.json", "recipe.json", "model.json"])
def test_a_changed_file_is_noticed(wine, tmp_path, name):
    copy = changed(wine[1], tmp_path, name, lambda d: d[:-2] + bytes([d[-2] ^ 1]) + d[-1:], sums=False)
    with pytest.raises(ModelError, match="was changed after it was written"):
        layerwise.load(copy)


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("weights.safetensors", lambda d: d[:100]),
        ("weights.safetensors", lambda d: b""),
        ("weights.safetensors", lambda d: (2**62).to_bytes(8, "little") + d[8:]),
        ("weights.safetensors", lambda d: b"\x80\x04cos\nsystem\n(S'touch owned'\ntR."),
        ("model.json", lambda d: b"[]"),
        ("model.json", lambda d: b"not json"),
        ("model.json", edited(format=99)),
        ("model.json", edited(kind="spell")),
        ("model.json", edited(task={"task": "conquer"})),
        ("model.json", edited(inputs=7)),
        ("reader.json", lambda d: b"{}"),
        ("reader.json", lambda d: b"null"),
        ("recipe.json", lambda d: b"{}"),
        ("recipe.json", lambda d: d.replace(b'"Dense"', b'"os.system"')),
        ("recipe.json", lambda d: d.replace(b'"width": ', b'"width": 99999999')),
    ],
)
def test_damaged_and_hostile_folders_are_refused(wine, tmp_path, name, edit):
    copy = changed(wine[1], tmp_path, name, edit)
    before = set(os.listdir(tmp_path)) | set(os.listdir("."))
    with pytest.raises(ModelError):
        layerwise.load(copy)
    assert set(os.listdir(tmp_path)) | set(os.listdir(".")) == before


def test_newer_format_says_so(wine, tmp_path):
    copy = changed(wine[1], tmp_path, "model.json", edited(format=2))
    with pytest.raises(ModelError, match="install a newer layerwise"):
        layerwise.load(copy)


@pytest.mark.parametrize("name", ["../escape", "/etc/hostname", "a/b"])
def test_checksums_name_no_other_folders(wine, tmp_path, name):
    copy = changed(
        wine[1], tmp_path, "checksums.json", lambda d: json.dumps({name: "0"}).encode(), sums=False
    )
    with pytest.raises(ModelError):
        layerwise.load(copy)


def test_links_are_not_followed(wine, tmp_path):
    copy = changed(wine[1], tmp_path, "model.json", lambda d: d)
    (copy / "weights.safetensors").unlink()
    (copy / "weights.safetensors").symlink_to(wine[1] / "weights.safetensors")
    with pytest.raises(ModelError, match="missing"):
        layerwise.load(copy)


def test_missing_folder_and_foreign_folder(tmp_path):
    with pytest.raises(ModelError, match="no model folder"):
        layerwise.load(tmp_path / "none")
    with pytest.raises(ModelError, match="holds no model"):
        layerwise.load(tmp_path)


class Killed(BaseException):
    """Stands for a process that dies at this very call."""


@pytest.mark.parametrize("fatal", range(1, 40))
def test_a_kill_at_any_step_leaves_a_whole_model(tmp_path, monkeypatch, fatal):
    folder = tmp_path / "model"
    old, new = ({"a.json": text, "b.json": text} for text in (b"old", b"new"))
    folder.mkdir()
    folders.publish(folder, old)
    calls = 0

    def dying(function):
        def wrapped(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == fatal:
                raise Killed
            return function(*args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch:
        for name in ("replace", "fsync", "open"):
            patch.setattr(folders.os, name, dying(getattr(os, name)))
        try:
            folders.publish(folder, new)
            done = True
        except Killed:
            done = False
    found = folders.read_checked(folder)
    assert found in (old, new)
    if done:
        assert found == new


def test_two_runs_cannot_share_a_folder(tmp_path):
    with (
        holding(tmp_path / "model"),
        pytest.raises(MachineError, match="in use by another run"),
        holding(tmp_path / "model"),
    ):
        pass
    with holding(tmp_path / "model"):
        pass


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError), holding(Path(tmp_path / "file" / "model")):
        pass

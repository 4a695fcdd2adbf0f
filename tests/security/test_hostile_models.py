"""Model folders made by an attacker: every checksum fits, and still nothing happens but a message."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

import layerwise


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small model of a table and one of texts."""
    root = tmp_path_factory.mktemp("models")
    layerwise.fit("wine", out=root / "wine", settings={"training.epochs": 1})
    words = ["good fine day", "bad sad night", "good sun up", "bad rain down"]
    rows = "".join(f"{words[i % 4]} number {i},{'pn'[i % 2]}\n" for i in range(80))
    (root / "texts.csv").write_text("text,label\n" + rows)
    layerwise.fit(
        root / "texts.csv",
        target="label",
        kind="text",
        out=root / "text",
        settings={"training.epochs": 1, "reading.units": "words"},
    )
    return root


def seal(folder: Path) -> None:
    """Make the checksums fit whatever lies there."""
    names = [
        p.name for p in folder.iterdir() if p.is_file() and p.name not in ("checksums.json", "report.html")
    ]
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "checksums.json").write_text(json.dumps(sums))


@pytest.fixture
def forged(models, here):
    """A copy of a model in the working folder with one file edited, sealed anew."""

    def make(name: str, edit, of: str = "wine") -> Path:
        shutil.copytree(models / of, here / "forged")
        path = here / "forged" / name
        path.write_bytes(edit(path.read_bytes()))
        seal(here / "forged")
        return here / "forged"

    return make


def refused(seen):
    assert seen.code == 4, seen.err
    assert seen.err.startswith("layerwise: ")
    assert seen.appeared == set()


def edited(**changes):
    return lambda data: json.dumps({**json.loads(data), **changes}).encode()


def header(tensors: dict, data: bytes = b"") -> bytes:
    plain = json.dumps(tensors).encode()
    return struct.pack("<Q", len(plain)) + plain + data


def no_stage(name):
    return edited(network=[{"name": "evil", "stage": name, "command": "touch owned"}])


def widths(*stages):
    return edited(network=[{"name": f"s{i}", **stage} for i, stage in enumerate(stages)])


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
PICKLE = b"\x80\x04cos\nsystem\n(S'touch owned'\ntR."
EDITS = {
    "a pickle for weights": ("weights.safetensors", lambda d: PICKLE),
    "a pickle for a reader": ("reader.json", lambda d: PICKLE),
    "a zip for weights": ("weights.safetensors", lambda d: b"PK\x03\x04" + bytes(100)),
    "a header of 2 ** 63 bytes": ("weights.safetensors", lambda d: struct.pack("<Q", 2**63) + d[8:]),
    "a tensor of 2 ** 60 values": (
        "weights.safetensors",
        lambda d: header({"w": {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 2**62]}}),
    ),
    "a tensor of no values in 100 axes": (
        "weights.safetensors",
        lambda d: header({"w": {"dtype": "F32", "shape": [0] * 100, "data_offsets": [0, 0]}}),
    ),
    "tensors over one another": (
        "weights.safetensors",
        lambda d: header(
            {n: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for n in "ab"}, bytes(16)
        ),
    ),
    "nested without end": ("model.json", lambda d: DEEP),
    "a recipe nested without end": ("recipe.json", lambda d: DEEP),
    "a number of 100,000 digits": ("model.json", lambda d: b'{"format":' + b"9" * 100_000 + b"}"),
    "NaN for a format": ("model.json", edited(format=float("nan"))),
    "a list for a kind": ("model.json", edited(kind=["table"])),
    "a kind that is a path": ("model.json", edited(kind="../../evil")),
    "a task of 2 ** 40 classes": (
        "model.json",
        edited(task={"task": "forecast", "target": "x", "horizon": 2**40, "centre": 0.0, "spread": 1.0}),
    ),
    "a task without spread": (
        "model.json",
        edited(task={"task": "forecast", "target": "x", "horizon": 3, "centre": 0.0, "spread": float("nan")}),
    ),
    "a stage that is a module": ("recipe.json", no_stage("os.system")),
    "a stage of torch": ("recipe.json", no_stage("torch.nn.Linear")),
    "a stage that is an attribute": ("recipe.json", no_stage("__class__")),
    "more stages than any network": ("recipe.json", widths(*[{"stage": "Dense", "width": 1}] * 2000)),
    "a layer of 4 TB": ("recipe.json", widths(*[{"stage": "Dense", "width": 1 << 20}] * 2)),
    "a layer of 1.5 GB that is not there": (
        "recipe.json",
        widths({"stage": "Dense", "width": 20_000}, {"stage": "Dense", "width": 18_000}),
    ),
    "a width that is no number": ("recipe.json", widths({"stage": "Dense", "width": "1e9"})),
    "no list for a network": ("recipe.json", edited(network={"name": "x"})),
    "an invalid byte": ("recipe.json", lambda d: b"\xff\xfe\xfd" + d),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_forged_file_is_refused(forged, command, what):
    folder = forged(*EDITS[what])
    refused(command("predict", folder, "wine"))


def spec_of(data, change):
    plain = json.loads(data)
    change(plain)
    return json.dumps(plain).encode()


def more_bins(plain):
    numbers = plain["spec"]["columns"]["numbers"]
    numbers["edges"][0] = list(range(300_000))


def many_features(plain):
    numbers = plain["spec"]["columns"]["numbers"]
    numbers["shape"], numbers["edges"] = [50_000], [[0, 1]] * 49_999 + [list(range(50_000))]


@pytest.mark.parametrize("change", [more_bins, many_features])
def test_bins_that_are_declared_take_no_memory(forged, measured, change):
    folder = forged("reader.json", lambda data: spec_of(data, change))
    refused(measured("predict", folder, "wine"))


def vocabulary(plain):
    plain["units"] = [f"w{i}" for i in range(1000)]


def test_a_vocabulary_larger_than_its_weights_is_refused(forged, command):
    refused(command("predict", forged("reader.json", lambda d: spec_of(d, vocabulary), of="text"), "x.csv"))


def test_names_of_ngrams_cannot_grow_without_end(forged, measured, here):
    """Each code is the one before with a unit more: the names of n of them are n ** 2 / 2 units."""
    folder = forged("reader.json", lambda d: spec_of(d, vocabulary), of="text")
    count, units = 200_000, 1000
    tokens = np.arange(units + 1, units + 1 + count, dtype=np.int32)
    heads = np.concatenate([[1], tokens[:-1]]).astype(np.int64)
    codes = heads * (units + 1) + 1
    import safetensors.numpy

    (folder / "reader.safetensors").write_bytes(safetensors.numpy.save({"codes": codes, "tokens": tokens}))
    seal(folder)
    refused(measured("predict", folder, "x.csv"))


def test_files_far_larger_than_a_model_are_not_read(forged, measured):
    folder = forged("model.json", lambda d: d)
    with open(folder / "weights.safetensors", "r+b") as file:
        file.truncate(50 << 30)  # takes no disk
    refused(measured("predict", folder, "wine"))


@pytest.mark.parametrize("what", ["checksums.json", "weights.safetensors", "model.json"])
def test_members_that_are_links_are_not_followed(forged, command, here, what):
    folder = forged("model.json", lambda d: d)
    (folder / what).rename(here / "elsewhere")
    (folder / what).symlink_to(here / "elsewhere")
    refused(command("predict", folder, "wine"))


@pytest.mark.parametrize(
    "sums", [b"[]", b"7", b'{"a": 1}', DEEP, b'{"../a": "0"}', b'{"": "0"}', b'{"\\u0000": "0"}']
)
def test_checksums_that_are_none_are_refused(forged, command, sums):
    folder = forged("model.json", lambda d: d)
    (folder / "checksums.json").write_bytes(sums)
    refused(command("predict", folder, "wine"))


@pytest.mark.parametrize("name", ["../../../../escaped", "/tmp/escaped-absolute", "a/../../../escaped"])
def test_a_publication_left_half_way_moves_nothing_out(forged, command, name):
    """Loading finishes what a killed run left; a stranger's list could name any path as its goal."""
    folder = forged("model.json", lambda d: d)
    aside = folder / ".run" / "publish"
    aside.mkdir(parents=True)
    (folder / ".." / "escaped").resolve().write_text("payload")
    (aside / "checksums.json").write_text(json.dumps({name: "0"}))
    refused(command("predict", folder, "wine"))


def test_a_publication_behind_a_link_is_left_alone(forged, command, here):
    folder = forged("model.json", lambda d: d)
    (here / "mine").mkdir()
    (here / "mine" / "checksums.json").write_text(json.dumps({"precious": "0"}))
    (here / "mine" / "precious").write_text("precious")
    (folder / ".run").mkdir()
    (folder / ".run" / "publish").symlink_to(here / "mine")
    assert command("predict", folder, "wine", "--quiet").code == 0


def test_a_run_folder_that_is_a_link_is_not_cleared(forged, command, here):
    folder = forged("model.json", lambda d: d)
    (here / "mine").mkdir()
    (here / "mine" / "precious").write_text("precious")
    (folder / ".run").symlink_to(here / "mine")
    seen = command("fit", "wine", "--out", folder, "--overwrite", "--set", "training.epochs=1")
    assert seen.code == 6
    assert "is a link" in seen.err


def test_nothing_is_written_through_links_left_in_the_folder(forged, command, here):
    folder = forged("model.json", lambda d: d)
    (here / "precious").write_text("precious")
    for name in ("report.html", "report.html.part", "answers.csv", "answers.csv.part"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(here / "precious")
    before = (here / "precious").read_text()
    # links are replaced, so what `command` compares changes; what they led to must not
    from layerwise.cli import run

    assert run(["predict", str(folder), "wine", "--csv", str(folder / "answers.csv"), "--quiet"]) == 0
    assert run(["report", str(folder)]) == 0
    assert (here / "precious").read_text() == before
    assert not os.path.islink(folder / "report.html")


def test_findings_of_a_stranger_draw_no_markup(forged, command, here):
    text = "</p><script>leak(1)</script>"

    def poisoned(data):
        plain = json.loads(data)
        for section in plain:
            section["heading"] = text
        return json.dumps(plain).encode()

    folder = forged("findings.json", poisoned)
    (folder / "report.html").unlink()
    seen = command("report", folder)
    assert seen.code == 0, seen.err
    page = (folder / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("findings", [b"[1]", b'[{"type": "section"}]', b'[{"type": "model"}]', DEEP])
def test_findings_that_are_none_are_refused(forged, command, findings):
    folder = forged("findings.json", lambda d: findings)
    seen = command("report", folder)
    assert seen.code == 4, seen.err

"""A folder as people have them: damaged and foreign files, odd names, links in circles."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

BAD = {  # name: words of the reason
    "cats/broken.jpg": "cut short",
    "cats/letter.png": "no picture: it begins with 'Dear Sir",
    "cats/quiet.wav": "empty",
    "dogs/vast.png": "declares 9,000 x 9,000 pixels",
    "cats/notes.txt": ".txt, where the other 88 are images",
    "dogs/again": "a link to a folder",
    "dogs/gone.png": "a link that leads nowhere",
}
ODD = [
    b"cats/an odd name.png",
    b"dogs/two\nlines.png",
    b"dogs/caf\xe9.png",
    b"cats/SHOUTED.PNG",
    b"cats/Photo.JPeG",
]
QUICK = ("--set", "training.epochs=2", "--set", "reading.size=[16, 16]", "--quiet", "--json")


def picture(rng, bright, form="PNG"):
    pixels = (rng.random((24, 24)) * 90 + (120 if bright else 20)).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, form)
    return held.getvalue()


def fill(root: bytes) -> None:
    """Eighty good pictures and every kind of bad one."""
    rng = np.random.default_rng(0)

    def write(name: bytes, data: bytes) -> None:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    for i in range(80):
        of = b"cats" if i % 2 else b"dogs"
        write(b"%b/%d.png" % (of, i // 2), picture(rng, of == b"cats"))  # cats/7.png and dogs/7.png
    for name in ODD:
        write(name, picture(rng, name.startswith(b"cats"), "JPEG" if b"JP" in name else "PNG"))
    write(b"cats/broken.jpg", picture(rng, True, "JPEG")[:400])
    write(b"cats/letter.png", b"Dear Sir or Madam,\n")
    write(b"cats/quiet.wav", b"")
    write(b"cats/notes.txt", b"bought in May")
    vast = io.BytesIO()
    Image.new("L", (9000, 9000)).save(vast, "PNG")
    write(b"dogs/vast.png", vast.getvalue())
    write(b"dogs/.hidden.png", picture(rng, False))
    write(b".cache/7.png", picture(rng, False))
    os.makedirs(os.path.join(root, b"nothing"))
    os.symlink(b"..", os.path.join(root, b"dogs/again"))
    os.symlink(b"nowhere.png", os.path.join(root, b"dogs/gone.png"))


def layerwise(folder, *arguments):
    command = [sys.executable, "-m", "layerwise", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The results of `fit` with one and with four workers."""
    folder = tmp_path_factory.mktemp("awkward")
    fill(os.fsencode(folder / "pets"))
    told = {}
    for workers in ("1", "4"):
        run = layerwise(folder, "fit", "pets", "--out", f"model-{workers}", "--workers", workers, *QUICK)
        assert run.returncode == 0, run.stderr
        assert run.stderr == ""
        told[workers] = json.loads(run.stdout)
    return folder, told


def test_quarantine_lists_each_bad_file_with_its_reason(runs):
    _, told = runs
    listed = {q["path"]: q["reason"] for q in told["1"]["quarantined"]}
    assert listed.keys() == BAD.keys()
    assert [name for name, words in BAD.items() if words not in listed[name]] == []


def test_workers_change_nothing(runs):
    folder, told = runs
    one, four = (load_file(folder / f"model-{w}" / "weights.safetensors") for w in ("1", "4"))
    assert one.keys() == four.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, four[name], strict=True)
    for name in ("reader.json", "recipe.json", "reader.safetensors"):
        assert (folder / "model-1" / name).read_bytes() == (folder / "model-4" / name).read_bytes()
    for key in ("metrics", "split", "quarantined", "levels"):
        assert told["1"][key] == told["4"][key]


def test_prediction_gives_a_row_a_file_in_order(runs):
    folder, _ = runs
    for workers in ("1", "4"):
        run = layerwise(
            folder, "predict", f"model-{workers}", "pets", "--csv", f"answers-{workers}.csv", "--quiet"
        )
        assert run.returncode == 0, run.stderr
    first, second = ((folder / f"answers-{w}.csv").read_bytes() for w in ("1", "4"))
    assert first == second
    rows = list(csv.DictReader(io.StringIO(first.decode())))
    good = [*(f"{of}/{i}.png".encode() for of in ("cats", "dogs") for i in range(40)), *ODD]
    unread = [b"cats/broken.jpg", b"cats/letter.png", b"dogs/vast.png"]
    expected = sorted([*good, *unread])
    plain = [os.fsdecode(n).encode("utf-8", "backslashreplace").decode() for n in expected]
    assert [r["path"] for r in rows] == plain
    answered = {r["path"] for r in rows if r["answer"]}
    assert len(answered) == len(good)
    assert not answered & {n.decode() for n in unread}

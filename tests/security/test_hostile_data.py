"""Data made by an attacker, given to the real command: refused or harmless, in bounded memory."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

SMALL = ("--set", "training.epochs=1", "--quiet")


def png(width: int, height: int, *, seed: int | None = None) -> bytes:
    """A grey picture, of noise or (tiny once packed) of one colour in 8 x 4 channels."""
    pack = zlib.compressobj(9)
    if seed is None:
        kind, rows = 6, bytes(1 + 4 * width)
        data = b"".join(pack.compress(rows) for _ in range(height)) + pack.flush()
    else:
        kind = 0
        noise = np.random.default_rng(seed).integers(0, 256, (height, width + 1), np.uint8)
        noise[:, 0] = 0
        data = pack.compress(noise.tobytes()) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def pictures(n: int = 12, head: str = "") -> dict[str, bytes]:
    return {f"{head}{c}/{i}.png": png(8, 8, seed=100 * k + i) for k, c in enumerate("ab") for i in range(n)}


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def tarred(path: Path, members: list[tuple[str, bytes, bytes, str]]) -> Path:
    with tarfile.open(path, "w:gz") as t:
        for name, data, kind, leads_to in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, leads_to
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            t.addfile(member, io.BytesIO(data))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return path


def only_below(seen, *folders: str) -> bool:
    """Whether nothing appeared but these folders and what is in them."""
    made = {p for p in seen.appeared if not p.startswith("tmp/torchinductor")}  # torch's own cache
    return all(any(p == f or p.startswith(f + "/") for f in folders) for p in made)


ODD = ("../evil.png", "a/../../evil.png", "/tmp/evil.png", "C:\\evil.png", "a\\..\\..\\evil.png")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_write_nothing_but_the_model(command, here, kind):
    good = pictures()
    if kind == "zip":
        path = zipped(here / "set.zip", {**good, **dict.fromkeys(ODD, b"evil")})
        with zipfile.ZipFile(path, "a") as z:
            with pytest.warns(UserWarning, match="Duplicate"):
                z.writestr("a/0.png", b"evil")
            link = zipfile.ZipInfo("a/link.png")
            link.external_attr = 0o120777 << 16
            z.writestr(link, "/etc/passwd")
    else:
        members = [(n, d, tarfile.REGTYPE, "") for n, d in good.items()]
        members += [(n, b"evil", tarfile.REGTYPE, "") for n in (*ODD, "a/0.png")]
        members += [("a/soft.png", b"", tarfile.SYMTYPE, "/etc/passwd")]
        members += [("a/hard.png", b"", tarfile.LNKTYPE, "/etc/passwd")]
        members += [("a/device.png", b"", tarfile.CHRTYPE, "")]
        path = tarred(here / "set.tar.gz", members)
    seen = command("fit", path, "--json", *SMALL)
    assert seen.code == 0, seen.err
    assert only_below(seen, "outside/here/set-model")
    listed = {one["path"]: one["reason"] for one in json.loads(seen.out)["quarantined"]}
    assert set(ODD) <= set(listed)
    assert listed["a/0.png"].startswith("a second member")


def test_paths_in_cells_lead_nowhere(command, here):
    laid(here / "data", pictures())
    laid(here, {"secret.png": png(8, 8, seed=1)})
    (here / "data" / "link.png").symlink_to(here / "secret.png")
    cells = [f"{c}/{i}.png,{c}" for c in "ab" for i in range(12)]
    bad = [
        "../secret.png",
        str(here / "secret.png"),
        "a/../../secret.png",
        "link.png",
        "~/secret.png",
        "a/\0.png",
    ]
    bad += ["/dev/zero", "a/" * 3000 + "x.png"]
    (here / "data" / "t.csv").write_text(
        "photo,label\n" + "\n".join([*cells, *(f"{b},a" for b in bad)]) + "\n"
    )
    seen = command("fit", here / "data" / "t.csv", "--target", "label", "--out", "m", "--json", *SMALL)
    assert seen.code in (0, 3), seen.err
    if seen.code == 0:
        assert len(json.loads(seen.out)["quarantined"]) == len(bad)
    assert only_below(seen, "outside/here/m")


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf()


def zeros_of(path: Path, pieces, opener=lzma.open) -> Path:
    options = {"preset": 0} if opener is lzma.open else {"compresslevel": 1}
    with opener(path, "wb", **options) as file:
        for piece in pieces:
            file.write(piece)
    return path


def npy(descr: str, shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()


MB = bytes(1 << 20)


def bomb_zip(here):
    with zipfile.ZipFile(here / "b.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        for i in range(11):
            z.writestr(f"a/{i}.png", MB * 100)
    return here / "b.zip"


def bomb_header(here):
    pieces = [header("x", 1 << 29, tarfile.XHDTYPE), *[MB] * 512]
    return zeros_of(here / "b.tar.xz", pieces)


def bomb_members(here):
    pieces = (header(f"a/{i}.png", 0) for i in range(120_000))
    return zeros_of(here / "b.tar.xz", pieces)


def bomb_lines(here):
    return zeros_of(here / "b.csv.gz", [b"a,b\n1,2\n", *[b"\n" * (1 << 20)] * 150], gzip.open)


def bomb_columns(here):
    return zeros_of(here / "b.csv.gz", [b"a,b\n1,2\n", *[b"," * (1 << 20)] * 60], gzip.open)


def bomb_rows(here):
    with zipfile.ZipFile(here / "b.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        for name, shape in (("X", (60_000_000, 1)), ("y", (60_000_000,))):
            z.writestr(f"{name}.npy", npy("|i1", shape) + bytes(60_000_000))
    return here / "b.npz"


def bomb_parquet(here):
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"a": np.zeros(5_000_000, np.int64), "b": np.zeros(5_000_000, np.int64)})
    with parquet.ParquetWriter(here / "b.parquet", table.schema, compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(table)
    return here / "b.parquet"


def bomb_words(here):
    import pyarrow as pa
    from pyarrow import parquet

    word = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2000, np.int32)), pa.array(["a" * 20_000_000]))
    table = pa.table({"s": word, "y": pa.array(["a", "b"] * 1000)})
    parquet.write_table(table, here / "b.parquet", compression="zstd")
    return here / "b.parquet"


def bomb_series(here):
    line = "1," * 60_000 + "1" + ":1" * 60_000 + ":a"
    path = here / "b_TRAIN.ts"
    path.write_text(f"@problemName b\n@timeStamps false\n@classLabel true a b\n@data\n{line}\n{line}\n")
    return path


BOMBS = (
    bomb_zip, bomb_header, bomb_members, bomb_lines, bomb_columns, bomb_rows, bomb_parquet, bomb_words,
    bomb_series,
)  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_bounded_memory(measured, here, bomb):
    path = bomb(here)
    assert path.stat().st_size < 12 << 20
    seen = measured("fit", path, "--out", "m", *SMALL)
    assert seen.code == 3, seen.err
    assert seen.err.startswith("layerwise: ")
    assert only_below(seen, "outside/here/m")


def test_pictures_and_sounds_that_declare_too_much_are_quarantined(measured, here):
    huge = {"a/most.png": png(7900, 7900), "a/more.png": png(20_000, 4000)}
    laid(here / "pictures", {**pictures(), **huge})
    seen = measured("fit", here / "pictures", "--out", "m", "--json", *SMALL)
    assert seen.code == 0, seen.err
    assert [one["path"] for one in json.loads(seen.out)["quarantined"]] == ["a/more.png"]


def test_sounds_that_declare_too_much_are_quarantined(measured, here):
    for c in "ab":
        for i in range(12):
            noise = np.random.default_rng(i + 50 * (c == "a")).normal(0, 0.1, 4000)
            (here / "sounds" / c).mkdir(parents=True, exist_ok=True)
            soundfile.write(here / "sounds" / c / f"{i}.wav", noise, 8000)
    soundfile.write(here / "sounds" / "a" / "long.flac", np.zeros((1 << 26) + 1, np.int16), 8000)
    lying = bytearray((here / "sounds" / "a" / "0.wav").read_bytes())
    for name, at, value in (("rate", 24, 0), ("size", 40, 2**32 - 1), ("channels", 22, 0xFFFF)):
        changed = lying.copy()
        changed[at : at + (2 if name == "channels" else 4)] = value.to_bytes(
            2 if name == "channels" else 4, "little"
        )
        (here / "sounds" / "a" / f"{name}.wav").write_bytes(changed)
    seen = measured("fit", here / "sounds", "--out", "m", "--json", *SMALL)
    assert seen.code == 0, seen.err
    bad = {one["path"] for one in json.loads(seen.out)["quarantined"]}
    assert {"a/long.flac", "a/rate.wav", "a/channels.wav"} <= bad


ARRAYS = {
    "objects": ("|O", (30,), b"\x80\x04."),
    "more than is there": ("<f8", (10**12, 10**12), bytes(100)),
    "axes below zero": ("|i1", (-5, -6), bytes(30)),
    "no size": ("<U0", (10**12,), b""),
    "none of 2 ** 60": ("<f4", (0, 2**60), b""),
    "records": ([("a", "<f4"), ("b", "|O")], (3,), bytes(36)),
}


@pytest.mark.parametrize("what", ARRAYS)
def test_arrays_that_declare_nonsense_are_refused(command, here, what):
    descr, shape, data = ARRAYS[what]
    zipped(here / "x.npz", {"X.npy": npy(descr, shape) + data, "y.npy": npy(descr, shape) + data})
    seen = command("fit", "x.npz", "--out", "m")
    assert seen.code == 3, seen.err
    assert only_below(seen, "outside/here/m")


@pytest.mark.parametrize(
    "head", [b"{'descr': __import__('os').system('touch owned')}", b"(" * 5000, b"\0" * 50, b"9" * 9000]
)
def test_headers_of_arrays_are_not_evaluated(command, here, head):
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n"
    zipped(here / "x.npz", {"X.npy": raw})
    assert command("fit", "x.npz", "--out", "m").code == 3
    assert not (here / "owned").exists()


@pytest.mark.parametrize("sizes", [(2**32 - 1, 2**32 - 1, 2**32 - 1), (2**31, 28, 28), (0, 28, 28)])
def test_idx_files_that_declare_huge_shapes_are_refused(command, here, sizes):
    (here / "t-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", *sizes) + bytes(100))
    assert command("fit", "t-images-idx3-ubyte", "--out", "m").code == 3


TS = {
    "no data": "@problemName x\n",
    "no label": "@classLabel true a b\n@data\n1,2,3\n",
    "text": "@classLabel true a b\n@data\nx,y:a\n",
    "overflow": "@classLabel true a b\n@data\n" + "9" * 5000 + ",1:a\n",
    "stamps": "@timeStamps true\n@classLabel true a b\n@data\n(1,2):a\n",
}


@pytest.mark.parametrize("what", TS)
def test_series_that_declare_nonsense_are_refused(command, here, what):
    (here / "x.ts").write_text(TS[what])
    assert command("fit", "x.ts", "--out", "m").code == 3


def test_a_template_takes_linear_time(command, here):
    """With backtracking a name like this takes the fourth power of its length."""
    laid(here / "set", {"_" * 240 + f"{i}.txt": b"some text" for i in range(30)})
    began = time.monotonic()
    seen = command("fit", "set", "--name", "{a}_{b}_{c}_{d}_{e}!", "--target", "a", "--out", "m")
    assert seen.code == 3
    assert "fits none" in seen.err
    assert time.monotonic() - began < 10


def test_a_cell_of_50_mb_is_no_trouble(measured, here):
    rows = [f"{i},{'pn'[i % 2]},word {i}" for i in range(60)]
    (here / "t.csv").write_text("x,label,note\n" + "\n".join(rows) + '\n1,p,"' + "ab " * (16 << 20) + '"\n')
    seen = measured("fit", "t.csv", "--target", "label", "--out", "m", *SMALL)
    assert seen.code == 0, seen.err


HOSTILE_NAMES = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31mred",
    "a\u202eb",
    "new\nline",
    "\u2028x",
    "=cmd()",
    "--help",
)


def test_names_give_a_terminal_no_orders(command, here):
    """`command` holds that messages are printable; CSV on a terminal is held by the test below."""
    laid(
        here / "set",
        {
            f"{c}/{i}.png": png(8, 8, seed=i + 99 * k)
            for k, c in enumerate(HOSTILE_NAMES[:2])
            for i in range(12)
        },
    )
    laid(here / "set", {f"{HOSTILE_NAMES[0]}/{n}.png": b"no picture" for n in HOSTILE_NAMES})
    seen = command("fit", "set", "--out", "m", "--set", "training.epochs=1")
    assert seen.code == 0, seen.err
    assert command("predict", "m", "set", "--csv", "answers.csv").code == 0
    assert command("predict", "m", HOSTILE_NAMES[0]).code == 3
    assert command("predict", HOSTILE_NAMES[1], "set").code == 4
    assert command("fit", "set", f"--{HOSTILE_NAMES[0]}").code == 2


def test_a_terminal_sees_data_without_control_characters(monkeypatch, capsys):
    from layerwise.cli.terminal import echo

    echo("a\x1b[2J,b\nc")
    assert capsys.readouterr().out == "a\x1b[2J,b\nc\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    echo("a\x1b[2J,b\nc")
    assert capsys.readouterr().out == "a\\x1b[2J,b\nc\n"


DEEP = "[" * 100_000
RECIPES = {
    "no JSON": "{",
    "nested without end": DEEP,
    "a list": "[]",
    "digits": '{"network": [], "training": {"seed": ' + "9" * 10_000 + "}}",
}
LINES = {
    "training is a list": {"training": [1]},
    "training is a number": {"training": 7},
    "reading is text": {"reading": "abc"},
    "why is a list": {"why": [1, 2]},
    "reading a wrong type": {"reading": {"units": 5}},
    "reading a wrong number": {"reading": {"bins": "many"}},
    "network is a table": {"network": {"a": 1}},
    "a stage is a number": {"network": [7]},
    "an unknown stage": {"network": [{"name": "x", "stage": "os.system"}]},
    "4 TB": {"network": [{"name": "x", "stage": "Dense", "width": 1 << 20}] * 1},
    "a rate that is text": {"training": {"rate": "fast", "epochs": 1}},
    "an optimiser that is a list": {"training": {"optimiser": ["sgd"], "epochs": 1}},
    "alterations of no kind": {"training": {"alter": 7, "epochs": 1}},
    "a batch below zero": {"training": {"batch": -1, "epochs": 1}},
}


@pytest.mark.parametrize("what", RECIPES)
def test_a_recipe_that_is_none_is_refused(command, here, what):
    (here / "r.json").write_text(RECIPES[what])
    seen = command("fit", "wine", "--recipe", "r.json", "--out", "m")
    assert seen.code == 2, seen.err


@pytest.mark.parametrize("what", LINES)
def test_a_recipe_of_a_stranger_is_refused_in_words(command, here, what):
    plain = {"kind": "table", "task": "classify", "network": [], "training": {"epochs": 1}, **LINES[what]}
    (here / "r.json").write_text(json.dumps(plain))
    seen = command("fit", "wine", "--recipe", "r.json", "--out", "m")
    assert seen.code in (2, 3), seen.err
    assert only_below(seen, "outside/here/m"), os.listdir(here)


def test_cells_in_the_csv_are_text_to_a_spreadsheet(command, here):
    evil = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "-5"]
    rows = [f'{i * 37 % 101 / 7:.3f},"{evil[i % 6]}"' for i in range(120)]
    (here / "t.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    assert command("fit", "t.csv", "--target", "y", "--out", "m", *SMALL).code == 0
    assert command("predict", "m", "t.csv", "--csv", "a.csv", "--top", "9", "--quiet").code == 0
    with open(here / "a.csv", newline="") as file:
        cells = {cell for row in csv.reader(file) for cell in row}
    guarded = {cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t")}
    assert guarded <= {"-5"}
    assert {"-5", "'=1+1", "'@SUM(A1)"} <= cells

"""Archives are read like folders, and hostile ones do no harm."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from layerwise.data import open_source
from layerwise.data import spool as spool_module
from layerwise.errors import DataError, MachineError

SUFFIXES = ["zip", "tar", "tar.gz", "tgz", "tar.xz", "tar.bz2"]


def packed(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            for name, data in files.items():
                z.writestr(name, data)
    else:
        mode = {".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(path.suffix, "w")
        with tarfile.open(path, mode) as t:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                t.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_reads_as_its_folder(lay, pictures, tmp_path, suffix):
    files = pictures("top/a/{}.pgm", "top/b/{}.pgm")
    folder = open_source(lay(files))
    archive = open_source(packed(tmp_path / f"set.{suffix}", files), spool=tmp_path)
    assert list(archive.ids) == list(folder.ids)
    assert archive.name == folder.name == "set"
    assert [f.bytes() for f in archive.columns["file"].values] == list(files.values())
    assert [f.bytes() for f in folder.columns["file"].values] == list(files.values())
    where = archive.columns["file"].values[0].where
    archive.close()
    assert not where.exists()


def test_what_was_unpacked_goes_with_the_last_source(pictures, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    source = open_source(packed(tmp_path / "s.zip", pictures("a/{}.pgm", "b/{}.pgm")), spool=spool)
    assert len(list(spool.iterdir())) == 1
    assert oct(next(spool.iterdir()).stat().st_mode)[-3:] == "700"
    del source
    assert not list(spool.iterdir())


HOSTILE = {
    "../evil.pgm": "a name that leads out of the archive",
    "a/../../evil.pgm": "a name that leads out of the archive",
    "/etc/evil.pgm": "an absolute name",
    "C:\\evil.pgm": "an absolute name",
}


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_names_never_become_paths(pictures, tmp_path, suffix):
    good = pictures("a/{}.pgm", "b/{}.pgm")
    before = set(tmp_path.rglob("*"))
    path = packed(tmp_path / f"h.{suffix}", {**good, **dict.fromkeys(HOSTILE, b"evil")})
    spool = tmp_path / "spool"
    spool.mkdir()
    source = open_source(path, spool=spool)
    assert sorted(source.ids) == sorted(good)
    assert {o.path: o.reason for o in source.left_out} == HOSTILE
    made = set(tmp_path.rglob("*")) - before - {path, spool}
    assert {p.relative_to(spool).parts[1:] for p in made} == {(), ("unpacked",)}


def test_links_devices_and_second_members_stay_out(pictures, tmp_path):
    path = tmp_path / "h.tar"
    good = pictures("a/{}.pgm", "b/{}.pgm")
    packed(path, good)
    with tarfile.open(path, "a") as t:
        for name, kind in (
            ("a/soft.pgm", tarfile.SYMTYPE),
            ("a/hard.pgm", tarfile.LNKTYPE),
            ("a/dev.pgm", tarfile.CHRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            t.addfile(member)
        member = tarfile.TarInfo("a/0.pgm")
        member.size = 4
        t.addfile(member, io.BytesIO(b"evil"))
    source = open_source(path, spool=tmp_path)
    assert {o.path: o.reason.split(";")[0] for o in source.left_out} == {
        "a/soft.pgm": "a link",
        "a/hard.pgm": "a link",
        "a/dev.pgm": "no file, but a device or a pipe",
        "a/0.pgm": "a second member of that name",
    }
    assert source.columns["file"].values[0].bytes() == good["a/0.pgm"]


def test_a_link_in_a_zip_stays_out(pictures, tmp_path):
    path = packed(tmp_path / "l.zip", pictures("a/{}.pgm", "b/{}.pgm"))
    with zipfile.ZipFile(path, "a") as z:
        link = zipfile.ZipInfo("a/link.pgm")
        link.external_attr = 0o120777 << 16
        z.writestr(link, "/etc/passwd")
    source = open_source(path, spool=tmp_path)
    assert [o.path for o in source.left_out] == ["a/link.pgm"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_an_archive_cut_short_is_refused(pictures, tmp_path, suffix, share):
    path = packed(tmp_path / f"s.{suffix}", {n: os.urandom(3000) for n in pictures("a/{}.pgm", "b/{}.pgm")})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"damaged or cut short|holds no file to read"):
        open_source(path, spool=tmp_path)


def test_a_damaged_member_of_a_zip_stays_out(pictures, tmp_path):
    files = {n: os.urandom(3000) for n in pictures("a/{}.pgm", "b/{}.pgm")}
    path = packed(tmp_path / "s.zip", files)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF  # inside the first member
    path.write_bytes(data)
    source = open_source(path, spool=tmp_path)
    assert len(source) == 5
    assert source.left_out[0].path == "a/0.pgm"
    assert source.left_out[0].reason.startswith("damaged in the archive")


def test_an_encrypted_zip_is_refused(pictures, tmp_path):
    path = packed(tmp_path / "s.zip", pictures("a/{}.pgm", "b/{}.pgm"))
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(signature)
        while start >= 0:
            flags = struct.unpack_from("<H", data, start + at)[0]
            struct.pack_into("<H", data, start + at, flags | 1)
            start = data.find(signature, start + 4)
    path.write_bytes(data)
    with pytest.raises(DataError, match="encrypted"):
        open_source(path, spool=tmp_path)


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "csv.gz"])
def test_a_bomb_is_refused(tmp_path, monkeypatch, suffix):
    from layerwise.data import frames

    monkeypatch.setattr(spool_module, "FREE", 1 << 20)
    monkeypatch.setattr(frames, "FREE", 1 << 20)
    zeros = bytes(8 << 20)
    if suffix == "csv.gz":
        import gzip

        path = tmp_path / "b.csv.gz"
        path.write_bytes(gzip.compress(zeros))
    else:
        path = packed(tmp_path / f"b.{suffix}", {"a/0.pgm": zeros})
    with pytest.raises(DataError, match=r"200\s+times its size"):
        open_source(path, spool=tmp_path)
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]


def test_more_than_the_disk_holds_is_refused(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "MOST_UNPACKED", 100)
    path = packed(tmp_path / "s.zip", pictures("a/{}.pgm", n=9))
    with pytest.raises(DataError, match="the limit for archives"):
        open_source(path, spool=tmp_path)


def test_a_spool_that_cannot_be_written_says_so(pictures, tmp_path):
    path = packed(tmp_path / "s.zip", pictures("a/{}.pgm"))
    with pytest.raises(MachineError, match="cannot be used"):
        open_source(path, spool=tmp_path / "missing")


def test_a_folder_inside_an_archive_can_be_named(pictures, tmp_path):
    path = packed(tmp_path / "s.zip", pictures("one/a/{}.pgm", "one/b/{}.pgm", "two/a/{}.pgm"))
    source = open_source(path / "one", spool=tmp_path)
    assert len(source) == 6
    assert set(source.columns["class"].values) == {"a", "b"}
    with pytest.raises(DataError, match="no file or folder"):
        open_source(path / "three", spool=tmp_path)

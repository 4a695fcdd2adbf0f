"""Arrays in .npz and IDX files, .ts files, built-in data and objects in memory."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_digits

from layerwise.data import find_roles, open_source
from layerwise.errors import DataError, UsageError

X = np.arange(60 * 4, dtype=np.float32).reshape(60, 4)
Y = np.arange(60) % 3


def saved(path: Path, **arrays) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def idx(array: np.ndarray, code: int = 8) -> bytes:
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_npz_names_say_the_roles(tmp_path):
    path = saved(
        tmp_path / "ecg.npz", X=X, y=Y, groups=Y // 2, beat=np.array(["n", "v"] * 30), other=X[:5], fs=360.0
    )
    source = open_source(path, spool=tmp_path)
    assert (source.name, source.target, source.group, source.inputs) == ("ecg", "y", "groups", ("X",))
    assert np.array_equal(source.columns["X"].values, X)
    assert source.columns["X"].rate_hz == 360.0
    assert source.columns["beat"].values.to_list() == ["n", "v"] * 30
    assert [o.path for o in source.left_out] == ["other"]
    assert find_roles(source).inputs == ("X",)


def test_npz_parts_by_name(tmp_path):
    source = open_source(
        saved(tmp_path / "m.npz", x_train=X[:40], y_train=Y[:40], x_test=X[40:], y_test=Y[40:])
    )
    assert list(source.parts) == ["train"] * 40 + ["test"] * 20
    assert (source.target, source.inputs) == ("y", ("x",))


def test_npz_never_opens_objects(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    path = saved(tmp_path / "b.npz", X=X, y=np.array([Bomb()] * 60, dtype=object))
    source = open_source(path, spool=tmp_path)
    assert source.left_out[0].reason.startswith("holds Python objects")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(DataError, match="Python objects"):
        open_source(saved(tmp_path / "c.npz", X=np.array([Bomb()], dtype=object)), spool=tmp_path)


def test_npz_with_a_huge_declared_shape_is_refused(tmp_path):
    import zipfile

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 1 << 20)}
    )
    with zipfile.ZipFile(tmp_path / "h.npz", "w") as z:
        z.writestr("X.npy", header.getvalue() + bytes(8))
    with pytest.raises(DataError, match="declares the shape"):
        open_source(tmp_path / "h.npz", spool=tmp_path)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04" + bytes(50), b"no zip at all"])
def test_npz_that_is_none(tmp_path, data):
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"no readable \.npz"):
        open_source(tmp_path / "x.npz", spool=tmp_path)


def mnist_like(folder: Path, pack=gzip.compress, suffix=".gz") -> None:
    images = np.arange(30 * 9, dtype=np.uint8).reshape(30, 3, 3)
    for part, rows in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images[rows])))
        labels = np.arange(30, dtype=np.uint8)[rows] % 10
        (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))


@pytest.mark.parametrize("suffix", [".gz", ""])
@pytest.mark.parametrize("which", ["", "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_the_idx_quartet_is_found_by_any_of_its_names(tmp_path, suffix, which):
    mnist_like(tmp_path, gzip.compress if suffix else bytes, suffix)
    source = open_source(tmp_path / (which + suffix) if which else tmp_path)
    assert source.columns["image"].values.shape == (30, 3, 3)
    assert source.columns["image"].values.dtype == np.uint8
    assert source.columns["label"].values.to_list() == [str(i % 10) for i in range(30)]
    assert list(source.parts) == ["train"] * 20 + ["test"] * 10
    assert source.target == "label"


def test_idx_numbers_come_in_the_machine_s_order(tmp_path):
    (tmp_path / "x-idx2-int").write_bytes(idx(np.arange(6, dtype=">i4").reshape(3, 2), code=12))
    assert open_source(tmp_path / "x-idx2-int").columns["x"].values.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\x08\x01" + struct.pack(">I", 1 << 31), "do not fit"),
        (b"\0\0\x08\x03\0\0", "does not begin like one"),
        (b"hello world", "does not begin like one"),
        (b"\0\0\x08\x01" + struct.pack(">I", 0), "no examples"),
    ],
)
def test_idx_that_lies_is_refused(tmp_path, data, message):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(data)
    with pytest.raises(DataError, match=message):
        open_source(tmp_path / "x-images-idx3-ubyte", spool=tmp_path)


HEADER = "#made\n@problemName Toy\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n"


def test_ts_files_beside_each_other_are_parts(tmp_path):
    (tmp_path / "Toy_TRAIN.ts").write_text(HEADER + "1,2,3:4,5,6:a\n7,8,?:1,1,1:b\n")
    (tmp_path / "Toy_TEST.ts").write_text(HEADER + "1,2,3:4,5,6:b\n")
    (tmp_path / "Other_TEST.ts").write_text(HEADER + "1:2:b\n")
    source = open_source(tmp_path / "Toy_TEST.ts")
    assert source.name == "Toy"
    assert source.columns["series"].values.shape == (3, 3, 2)
    assert source.columns["series"].values[0].T.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert np.isnan(source.columns["series"].values[1, 2, 0])
    assert source.columns["class"].values.to_list() == ["a", "b", "b"]
    assert list(source.parts) == ["train", "train", "test"]
    assert source.ids == ["row 1", "row 2", "test row 1"]
    with pytest.raises(DataError, match="2 data sets"):
        open_source(tmp_path)


def test_ts_of_unequal_lengths_and_with_bad_rows(tmp_path):
    (tmp_path / "T.ts").write_text(HEADER + "1,2:4,5:a\n7:1,2,3:b\n1,x:2,2:a\n1,2:a\n")
    source = open_source(tmp_path / "T.ts")
    assert [s.shape for s in source.columns["series"].values] == [(2, 2), (3, 2)]
    assert source.ids == ["row 1", "row 2"]
    assert [o.path for o in source.left_out] == ["T.ts row 3", "T.ts row 4"]


@pytest.mark.parametrize(
    "text", ["", "1,2:a\n", HEADER, "@timeStamps true\n@data\n(1,2):a\n", HEADER + "\n\n"]
)
def test_ts_that_cannot_be_read(tmp_path, text):
    (tmp_path / "T.ts").write_text(text)
    with pytest.raises(DataError, match="ts'"):
        open_source(tmp_path / "T.ts")


def test_built_in_digits_are_scikit_learn_s():
    source, raw = open_source("digits"), load_digits()
    assert np.array_equal(source.columns["image"].values, raw.images)
    assert source.columns["digit"].values.to_list() == [str(t) for t in raw.target]


@pytest.mark.parametrize(
    ("name", "target"), [("iris", "class"), ("breast-cancer", "class"), ("diabetes", "progression")]
)
def test_built_in_tables(name, target):
    source = open_source(name)
    assert find_roles(source).targets == (target,)
    assert target not in find_roles(source).inputs


def test_arrays_in_memory():
    source = open_source(X, Y, groups=Y)
    assert (source.inputs, source.target, source.group) == (("x",), "y", "groups")
    assert source.columns["x"].values is X
    with pytest.raises(UsageError, match="X has 60 rows, but y has 59"):
        open_source(X, Y[:-1])


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_of_any_library(library):
    frame = library.DataFrame({"n": [1.5, None, 3.0], "s": ["a", "b", None], "b": [True, False, True]})
    source = open_source(frame, ["x", "y", "x"])
    assert source.inputs == ("n", "s", "b")
    assert source.columns["n"].values.to_list() == [1.5, None, 3.0]
    assert source.columns["s"].values.to_list() == ["a", "b", None]


def test_a_pandas_frame_of_mixed_cells():
    source = open_source(pd.DataFrame({0: [1, "a", None], "d": pd.to_datetime(["2020-01-01"] * 3)}))
    assert source.columns["0"].values.to_list() == ["1", "a", None]
    assert source.columns["d"].values.dtype.is_temporal()


def test_lists_in_memory(lay, pictures):
    root = lay(pictures("{}.pgm"))
    paths = [root / f"{i}.pgm" for i in (2, 0)]
    source = open_source(paths, ["b", "a"])
    assert [f.bytes() for f in source.columns["file"].values] == [p.read_bytes() for p in paths]
    assert source.inputs == ("file",)
    with pytest.raises(DataError, match="1 of 3 files are not there"):
        open_source([*paths, root / "9.pgm"])
    texts = open_source(["good", "bad"], [1, 0])
    assert texts.columns["text"].values.to_list() == ["good", "bad"]
    ragged = open_source([np.zeros((3, 2)), np.zeros((5, 2))])
    assert [a.shape for a in ragged.columns["x"].values] == [(3, 2), (5, 2)]


@pytest.mark.parametrize(
    "bad", [5, [], [[1, 2], [3]], np.array(3), [np.zeros((2, 3)), np.zeros((2, 4))], object()]
)
def test_objects_that_are_no_data(bad):
    with pytest.raises((UsageError, DataError)):
        open_source(bad)


def test_a_held_out_source_is_appended(tmp_path):
    one = open_source(saved(tmp_path / "a.npz", X=X, y=Y))
    both = open_source(tmp_path / "a.npz", test=saved(tmp_path / "b.npz", X=X[:7] + 1, y=Y[:7]))
    assert list(both.parts) == ["train"] * 60 + ["test"] * 7
    assert np.array_equal(both.columns["X"].values, np.concatenate([X, X[:7] + 1]))
    assert both.ids[0] == "row 1"
    assert both.ids[60] == "test row 1"
    assert len(set(both.ids)) == 67
    parted = saved(tmp_path / "p.npz", X_train=X, y_train=Y, X_test=X[:9], y_test=Y[:9])
    assert list(open_source(parted, test=tmp_path / "b.npz").parts) == ["train"] * 69 + ["test"] * 7
    with pytest.raises(DataError, match="no column 'y'"):
        open_source(one, test=saved(tmp_path / "c.npz", X=X))


def test_a_part_that_is_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "Toy_TRAIN.ts").write_text(HEADER + "1,2,3:4,5,6:a\n")
    (tmp_path / "secret.ts").write_text(HEADER + "1,2,3:4,5,6:b\n")
    (tmp_path / "set" / "Toy_TEST.ts").symlink_to(tmp_path / "secret.ts")
    source = open_source(tmp_path / "set" / "Toy_TRAIN.ts")
    assert len(source) == 1
    assert [(one.path, one.reason) for one in source.left_out] == [
        ("Toy_TEST.ts", "a link that leads out of the folder")
    ]

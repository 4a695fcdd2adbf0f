"""Folders as sources: classes, parts, what stays out, names of every kind."""

from __future__ import annotations

import os

import numpy as np
import pytest

from layerwise.data import find_roles, open_source, split_rows
from layerwise.errors import DataError, UsageError


def classes(source):
    return source.columns["class"].values.to_list()


def reasons(source):
    return {out.path: out.reason for out in source.left_out}


def test_class_folders_are_the_target(lay, pictures):
    source = open_source(lay(pictures("cat/{}.pgm", "dog/{}.PGM")))
    assert source.ids == ["cat/0.pgm", "cat/1.pgm", "cat/2.pgm", "dog/0.PGM", "dog/1.PGM", "dog/2.PGM"]
    assert classes(source) == ["cat"] * 3 + ["dog"] * 3
    assert (source.target, source.inputs, source.parts) == ("class", ("file",), None)
    assert source.columns["file"].values[3].bytes().startswith(b"P5 4 4")


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Training", "HELDOUT"), ("train", "val"), ("train", "dev")]
)
def test_folders_called_like_parts_are_never_classes(lay, pictures, names):
    first, second = names
    source = open_source(lay(pictures(f"{first}/a/{{}}.pgm", f"{first}/b/{{}}.pgm", f"{second}/a/{{}}.pgm")))
    assert sorted(set(classes(source))) == ["a", "b"]
    assert [p for p, i in zip(source.parts, source.ids, strict=False) if i.startswith(first)] == ["train"] * 6
    assert set(source.parts) == {"train", "val" if second in ("val", "dev") else "test"}


def test_parts_below_the_classes(lay, pictures):
    source = open_source(lay(pictures("a/train/{}.pgm", "a/test/{}.pgm", "b/train/{}.pgm", "b/test/{}.pgm")))
    assert set(classes(source)) == {"a", "b"}
    assert list(source.parts) == [i.split("/")[1] for i in source.ids]


def test_a_class_called_test_among_others_is_a_class(lay, pictures):
    source = open_source(lay(pictures("test/{}.pgm", "pass/{}.pgm", "fail/{}.pgm")))
    assert set(classes(source)) == {"test", "pass", "fail"}
    assert source.parts is None


def test_files_beside_the_folders_of_a_split_stay_out(lay, pictures):
    source = open_source(lay(pictures("train/a/{}.pgm", "train/b/{}.pgm", "test/a/{}.pgm", "more/a/{}.pgm")))
    assert len(source) == 9
    assert reasons(source)["more/a/0.pgm"] == "lies in none of the folders of the split"


def test_wrapping_folders_are_no_classes(lay, pictures):
    source = open_source(lay(pictures("faces/all/s1/{}.pgm", "faces/all/s2/{}.pgm")))
    assert set(classes(source)) == {"s1", "s2"}


def test_the_outermost_folder_that_differs_is_the_class(lay, pictures):
    source = open_source(lay(pictures("x/a/one/{}.pgm", "x/a/two/{}.pgm", "x/b/one/{}.pgm")))
    assert set(classes(source)) == {"a", "b"}
    assert source.columns["folder 2"].values.to_list() == [i.split("/")[2] for i in source.ids]
    assert any("folder 2" in note for note in source.notes)


def test_one_class_says_so(lay, pictures):
    source = open_source(lay(pictures("whale/{}.pgm", n=30)))
    roles = find_roles(source)
    with pytest.raises(
        DataError, match=r"all 30 files in .*set belong to one class, 'whale'\. Put each class"
    ) as e:
        split_rows(source, roles, source.columns["class"].values, seed=0)
    assert "--target" in str(e.value)


def test_what_is_no_example_is_left_out_with_a_reason(lay, pictures, tmp_path):
    root = lay(
        {**pictures("a/{}.pgm", "b/{}.pgm"), "a/empty.pgm": b"", "a/notes.txt": "hello", "top.pgm": b"P5"}
    )
    (root / "hollow").mkdir()
    (root / ".hidden").mkdir()
    (root / ".hidden" / "x.pgm").write_bytes(b"P5")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "x.pgm").write_bytes(b"P5")
    os.mkfifo(root / "a" / "pipe.pgm")
    outside = tmp_path / "secret.pgm"
    outside.write_bytes(b"P5")
    (root / "a" / "out.pgm").symlink_to(outside)
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "self.pgm").symlink_to(root / "a" / "self.pgm")
    (root / "a" / "gone.pgm").symlink_to(root / "nowhere.pgm")
    (root / "a" / "inner.pgm").symlink_to(root / "b" / "0.pgm")
    source = open_source(root)
    assert source.ids == ["a/0.pgm", "a/1.pgm", "a/2.pgm", "a/inner.pgm", "b/0.pgm", "b/1.pgm", "b/2.pgm"]
    assert reasons(source) == {
        "a/empty.pgm": "empty",
        "a/pipe.pgm": "no file, but a pipe, socket or device",
        "a/out.pgm": "a link that leads out of the folder",
        "a/loop": "a link to a folder, which is read where it lies",
        "a/self.pgm": "a link that leads nowhere",
        "a/gone.pgm": "a link that leads nowhere",
        "a/notes.txt": ".txt, where the other 8 are images",
        "top.pgm": "lies in no class folder",
    }


def test_names_with_spaces_newlines_and_bytes_that_are_no_text(lay, pictures):
    root = lay(pictures("a b/{}.pgm", "ü\n/{}.pgm"))
    odd = os.fsencode(root) + b"/caf\xe9"
    os.mkdir(odd)
    with open(odd + b"/\xff.pgm", "wb") as f:
        f.write(b"P5 1 1 255\n0")
    source = open_source(root)
    assert set(classes(source)) == {"a b", "ü\n", "caf\\xe9"}
    assert "caf\udce9/\udcff.pgm" in source.ids
    assert source.columns["file"].values[source.ids.index("caf\udce9/\udcff.pgm")].bytes().startswith(b"P5")
    assert source.ids == sorted(source.ids, key=os.fsencode)


def test_two_files_of_one_name_are_two_rows(lay, pictures):
    source = open_source(lay(pictures("a/x{}.pgm", "b/x{}.pgm", n=1)))
    assert source.ids == ["a/x0.pgm", "b/x0.pgm"]


def test_a_template_takes_names_apart(lay, pictures):
    root = lay({**pictures("r/1_ann_{}.pgm", "r/2_ben_{}.pgm"), "r/odd.pgm": b"P5"})
    source = open_source(root, name_template="{digit}_{speaker}_{take}")
    assert source.pieces == ("digit", "speaker", "take")
    assert source.columns["speaker"].values.to_list() == ["ann"] * 3 + ["ben"] * 3
    assert reasons(source) == {"r/odd.pgm": "its name does not fit {digit}_{speaker}_{take}"}
    roles = find_roles(source, target="digit", group="speaker", split="take=0,1")
    assert (roles.targets, roles.group, roles.split, roles.test) == (
        ("digit",),
        "speaker",
        "take",
        ("0", "1"),
    )


def test_a_template_with_a_slash_is_held_against_the_path(lay, pictures):
    source = open_source(lay(pictures("ann/1_{}.pgm", "ben/2_{}.pgm")), name_template="{who}/{digit}_{take}")
    assert source.columns["who"].values.to_list() == ["ann"] * 3 + ["ben"] * 3


def test_a_template_that_fits_nothing_shows_a_name(lay, pictures):
    with pytest.raises(DataError, match=r"fits none of the 3 file names, for example '1-0'"):
        open_source(lay(pictures("1-{}.pgm")), name_template="{a}_{b}")
    with pytest.raises(UsageError, match="pieces in braces"):
        open_source(lay(pictures("1-{}.pgm")), name_template="digit")


def test_a_template_needs_files_to_name(lay):
    root = lay({"t.csv": b"a,b\n1,2\n3,4\n"})
    with pytest.raises(DataError, match=r"--name makes columns of the names of files, and 't' holds none"):
        open_source(root / "t.csv", name_template="{a}_{b}")


def test_a_table_beside_the_files_lends_its_columns(lay, pictures):
    files = pictures("a/{}.pgm", "b/{}.pgm")
    rows = "".join(f"./{name},{i % 2},rec{i // 2}\n" for i, name in enumerate(files))
    source = open_source(lay({**files, "info.csv": "path,flag,recording\n" + rows}))
    assert source.columns["recording"].values.to_list() == ["rec0", "rec0", "rec1", "rec1", "rec2", "rec2"]
    assert source.target == "class"
    assert not source.left_out
    assert any("info.csv" in note for note in source.notes)


def test_without_class_folders_the_table_is_the_source(lay, pictures):
    files = pictures("audio/{}.pgm", n=4)
    source = open_source(
        lay({**files, "meta.csv": "filename,label\n3.pgm,x\n0.pgm,y\n1.pgm,x\nnone.pgm,y\n"})
    )
    assert source.ids == ["audio/3.pgm", "audio/0.pgm", "audio/1.pgm"]
    assert source.columns["label"].values.to_list() == ["x", "y", "x"]
    assert reasons(source) == {
        "audio/2.pgm": "not named in meta.csv",
        "meta.csv row 4": "names no file that is here",
    }
    assert find_roles(source).targets == ("label",)


def test_several_captions_a_file_are_several_rows(lay, pictures):
    files = pictures("images/{}.pgm", n=2)
    source = open_source(
        lay({**files, "captions.tsv": "image\tcaption\n0.pgm\ta dog\n0.pgm\ta cat\n1.pgm\ta bird\n"})
    )
    assert source.ids == ["row 1", "row 2", "row 3"]
    assert [f.name for f in source.columns["file"].values] == ["images/0.pgm", "images/0.pgm", "images/1.pgm"]


def test_an_empty_folder_says_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match="holds no file to read"):
        open_source(tmp_path)


def test_a_path_beats_a_built_in_name_and_a_slip_is_mended(lay, pictures, tmp_path, monkeypatch):
    lay(pictures("a/{}.pgm", "b/{}.pgm"), name="iris")
    monkeypatch.chdir(tmp_path)
    assert open_source("iris").target == "class"
    assert len(open_source("wine")) == 178
    with pytest.raises(DataError, match="did you mean 'digits'"):
        open_source("digit")


def test_order_does_not_depend_on_the_order_of_making(lay, pictures, tmp_path):
    files = pictures("b/{}.pgm", "a/{}.pgm", "C/{}.pgm", n=12)
    one = open_source(lay(files))
    two = open_source(lay(dict(reversed(files.items())), name="set2"))
    assert one.ids == two.ids
    assert np.array_equal(classes(one), classes(two))

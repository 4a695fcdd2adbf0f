"""The public data sets: counts, parts, and groups found where there are some and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.data import cut_windows, find_roles, open_source, split_rows

pytestmark = pytest.mark.data


def opened(real, tmp_path, name, **options):
    source = open_source(real / name, spool=tmp_path, **options)
    return source, find_roles(source, target="digit" if options else None)


def counted(source, name="class"):
    return source.columns[name].values.n_unique()


@pytest.mark.parametrize(
    ("name", "rows", "classes", "group", "groups"),
    [
        ("whale_watkins.zip", 629, 13, "recording", 77),
        ("arabic_commands.zip", 1800, 12, "speaker", 30),
        ("hymenoptera.zip", 397, 2, None, 0),
        ("orl_faces.zip", 400, 40, None, 0),
        ("cifar10.tar.xz", 60_000, 10, None, 0),
    ],
)
def test_groups_found_unasked(real, tmp_path, name, rows, classes, group, groups):
    source, roles = opened(real, tmp_path, name)
    assert (len(source), counted(source), roles.targets, roles.inputs) == (
        rows,
        classes,
        ("class",),
        ("file",),
    )
    assert roles.group == group
    if group:
        assert counted(source, group) == groups
    assert not source.left_out


@pytest.mark.parametrize(
    ("name", "group", "groups"),
    [("whale_watkins.zip", "recording", 77), ("arabic_commands.zip", "speaker", 30)],
)
def test_the_names_alone_show_the_groups(real, tmp_path, lay, name, group, groups):
    source, _ = opened(real, tmp_path, name)
    bare = open_source(lay({file.name: file.bytes() for file in source.columns["file"].values}, name="bare"))
    assert find_roles(bare).group == group
    assert counted(bare, group) == groups
    known = source.columns[group].values.cast(str).to_list()
    assert [str(v).lstrip("0") for v in bare.columns[group].values] == [v.lstrip("0") for v in known]


def test_spoken_digits_by_template(real, tmp_path):
    source, roles = opened(real, tmp_path, "fsdd.zip", name_template="{digit}_{speaker}_{take}")
    assert (len(source), counted(source, "digit"), roles.group, counted(source, "speaker")) == (
        3000,
        10,
        "speaker",
        6,
    )
    official = find_roles(source, target="digit", group="speaker", split="take=0,1,2,3,4")
    found = split_rows(source, official, source.columns["digit"].values, seed=0)
    assert (found.kind, len(found.test), len(found.train) + len(found.validation)) == ("given", 300, 2700)
    by_speaker = split_rows(source, roles, source.columns["digit"].values, seed=0)
    assert by_speaker.kind == "groups"
    assert len(np.unique(by_speaker.groups[by_speaker.test])) == 1


def test_whales_are_split_by_recording(real, tmp_path):
    source, roles = opened(real, tmp_path, "whale_watkins.zip")
    species = source.columns["class"].values
    found = split_rows(source, roles, species, seed=0)
    recording = source.columns["recording"].values
    assert not set(recording.gather(found.train)) & set(recording.gather(found.test))
    assert species.gather(found.train).n_unique() == 13
    assert species.gather(found.test).n_unique() == 12  # all melon-headed whales are of one recording
    assert 0.15 < len(found.test) / 629 < 0.25


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("mnist", 60_000, 10_000),
        ("imdb", 25_000, 25_000),
        ("arabic_commands.zip", 1440, 360),
        ("hymenoptera.zip", 244, 153),
        ("series/ucr_uea_ts.zip/GunPoint", 50, 150),
        ("series/ucr_uea_ts.zip/JapaneseVowels", 270, 370),
    ],
)
def test_official_splits_are_kept(real, tmp_path, name, train, test):
    source, roles = opened(real, tmp_path, name)
    found = split_rows(source, roles, source.columns[roles.targets[0]].values, seed=0)
    assert (found.kind, len(found.train) + len(found.validation), len(found.test)) == ("given", train, test)


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("pima_diabetes", 768, 9),
        ("german_credit", 1000, 21),
        ("hr_attrition", 1470, 35),
        ("adult_train", 32_561, 15),
        ("adult_test", 16_281, 15),
        ("ames_housing", 2930, 82),
        ("california_housing", 20_640, 10),
        ("bank_marketing", 4521, 17),
        ("titanic", 891, 12),
    ],
)
def test_tables(real, name, rows, columns):
    source = open_source(real / "tables" / f"{name}.csv.gz")
    assert (len(source), len(source.columns), source.left_out, source.notes) == (rows, columns, (), ())


def test_text_with_quotes_that_do_not_quote(real):
    source = open_source(real / "imdb" / "train.tsv.xz")
    assert len(source) == 25_000
    assert source.columns["label"].values.sum() == 12_500
    assert source.columns["text"].values.str.contains('"', literal=True).sum() > 5000
    assert len(open_source(real / "sms_spam.tsv.xz")) == 5574
    assert len(open_source(real / "multi30k" / "train.tsv.xz")) == 29_000


def test_beats_by_record(real, tmp_path):
    source, roles = opened(real, tmp_path, "ecg.npz")
    assert (len(source), roles.inputs, roles.targets, roles.group) == (109_445, ("X",), ("y",), "groups")
    assert isinstance(source.columns["X"].values.base, np.memmap)


def test_a_forecast(real):
    found = cut_windows(
        open_source(real / "series" / "ETTh1.csv.xz"), target="OT", horizon=96, time="date", length=336
    )
    assert found.source.columns["series"].values.shape == (16_989, 336, 7)
    assert found.source.columns["series"].rate_hz == pytest.approx(1 / 3600)


def test_a_table_that_names_the_sounds(real, tmp_path):
    source, roles = opened(real, tmp_path, "esc10.zip")
    assert (len(source), roles.inputs, roles.targets) == (400, ("file",), ("target",))
    captions, _ = opened(real, tmp_path, "flickr8k_1000.zip")
    assert len(captions) == 5000

"""Which columns are what: as told, or guessed and said."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from layerwise.data import Column, Source, find_roles, open_source
from layerwise.errors import DataError, UsageError


def table(**columns) -> Source:
    made = {n: Column(n, "cells", pl.Series(n, v)) for n, v in columns.items()}
    n = len(next(iter(columns.values())))
    return Source("loans", made, [f"row {i + 1}" for i in range(n)], path="loans.csv")


LOANS = table(age=list(range(40)), income=[i % 7 for i in range(40)], default=[i % 2 for i in range(40)])


def test_an_unknown_column_is_answered_with_the_nearest():
    with pytest.raises(DataError) as e:
        find_roles(LOANS, target="defualt")
    assert (
        str(e.value)
        == "no column 'defualt' in loans.csv; did you mean 'default'? Its columns: age, income, default"
    )
    for wrong in ({"group": "x"}, {"inputs": ["x"]}, {"split": "x=1"}, {"time": "x"}, {"weight": "x"}):
        with pytest.raises(DataError, match=r"no column 'x' in loans\.csv"):
            find_roles(LOANS, **wrong)


def test_the_last_column_is_the_target_unless_one_is_called_so():
    roles = find_roles(LOANS)
    assert (roles.inputs, roles.targets) == (("age", "income"), ("default",))
    assert roles.notes == ("'default' is taken for the target, the last column (--target).",)
    assert find_roles(table(Label=[1, 2], x=[1, 2])).targets == ("Label",)


def test_what_is_asked_is_done():
    roles = find_roles(LOANS, target=["default", "income"], inputs=["age"])
    assert (roles.inputs, roles.targets, roles.notes) == (("age",), ("default", "income"), ())
    with pytest.raises(UsageError, match="age cannot be input and target"):
        find_roles(LOANS, target="age", inputs="age")


def test_roles_are_no_inputs():
    source = table(x=list(range(40)), who=["a", "b"] * 20, w=[1.0] * 40, y=[0, 1] * 20)
    roles = find_roles(source, target="y", group="who", weight="w")
    assert (roles.inputs, roles.group, roles.weight) == (("x",), "who", "w")


def test_a_column_that_says_the_target_in_other_words_is_no_input():
    source = table(
        x=[i % 9 for i in range(40)],
        code=[10 * (i % 4) for i in range(40)],
        label=[f"c{i % 4}" for i in range(40)],
    )
    roles = find_roles(source)
    assert roles.inputs == ("x",)
    assert "code" in roles.notes[-1]
    assert find_roles(source, inputs=["x", "code"]).inputs == ("x", "code")


@pytest.mark.parametrize("name", ["patient", "Patient_ID", "subject", "speaker no", "recordings"])
def test_columns_called_like_groups_are_groups(name):
    source = table(
        **{"x": list(range(40)), name: [f"p{i // 4}" for i in range(40)], "y": [i % 2 for i in range(40)]}
    )
    roles = find_roles(source)
    assert (roles.group, roles.inputs) == (name, ("x",))
    assert find_roles(source, group="none").group is None


@pytest.mark.parametrize(
    "groups",
    [
        [f"p{i}" for i in range(40)],  # one row each
        [f"p{i % 3}" for i in range(40)],  # too few to split by
        [f"p{i % 8}" for i in range(40)],  # the target in other words
    ],
)
def test_groups_that_cannot_be_split_by_are_none(groups):
    source = table(x=list(range(40)), person=groups, y=[f"c{i % 8}" for i in range(40)])
    assert find_roles(source, target="y").group is None


def test_a_group_within_one_class_is_a_group():
    source = table(
        x=list(range(40)),
        recording=[f"r{i // 4}" for i in range(40)],
        species=[f"s{i // 20}" for i in range(40)],
    )
    assert find_roles(source, target="species").group == "recording"


def test_a_column_of_parts_is_the_split():
    source = table(
        x=list(range(6)), split=["train", "Test", "dev", "train", "train", "test"], y=[1, 2, 1, 2, 1, 2]
    )
    roles = find_roles(source, target="y")
    assert (roles.split, roles.test, roles.inputs) == ("split", (), ("x",))
    other = table(x=list(range(3)), split=["train", "left", "test"], y=[1, 2, 1])
    assert find_roles(other, target="y").split is None


def test_files_without_anything_to_learn_say_what_to_do(lay, pictures):
    root = lay(pictures("{}_a.pgm", n=9))
    with pytest.raises(DataError, match="--target, or take the file names apart with --name"):
        find_roles(open_source(root))
    with pytest.raises(DataError, match="Its columns: n, who"):
        find_roles(open_source(root, name_template="{n}_{who}"))


def roles_of(lay, paths):
    return find_roles(
        open_source(lay({p: b"P5 1 1 255\n" + bytes([i % 256, i // 256]) for i, p in enumerate(paths)}))
    )


def test_speakers_in_names(lay):
    paths = [
        f"{w}/{s}_nohash_{k}.wav"
        for w in ("yes", "no")
        for s in ("ann", "ben", "cy", "di", "ed")
        for k in range(3)
    ]
    roles = roles_of(lay, paths)
    assert roles.group == "speaker"


def test_recordings_in_names(lay):
    rng = np.random.default_rng(0)
    tapes = rng.choice(90_000, 12, replace=False) + 10_000
    paths = [f"{'ab'[i % 2]}/{tape}{k:03d}.wav" for i, tape in enumerate(tapes) for k in range(6)]
    assert roles_of(lay, paths).group == "recording"


@pytest.mark.parametrize(
    "paths",
    [
        [f"{c}/{i:04d}.jpg" for c in "abc" for i in range(50)],
        [f"{c}/{i}.pgm" for c in "abcdefgh" for i in range(1, 11)],
        [f"{c}/img{k:04d}.png" for k, c in enumerate("a" * 60 + "b" * 60)],
        [f"{c}/{k:06d}.png" for k, c in enumerate("a" * 60 + "b" * 60)],
        [f"{c}/{c}.{i}.jpg" for c in ("cat", "dog") for i in range(50)],
        [
            f"{c}/{int(v)}_{int(v * 7 % 10**9):x}.jpg"
            for c, v in zip("ab" * 60, np.random.default_rng(1).integers(10**8, 10**9, 120), strict=False)
        ],
    ],
)
def test_none_are_invented_where_names_only_count(lay, paths):
    assert roles_of(lay, paths).group is None


def test_rows_cannot_be_ordered_by_text():
    with pytest.raises(DataError, match="'s' must hold dates or numbers to order rows by, got 'x'"):
        find_roles(table(s=["x", "y"], n=[1, 2], y=[1, 2]), target="y", time="s")
    assert find_roles(table(s=["x", "y"], n=[1, 2], y=[1, 2]), target="y", time="n").time == "n"

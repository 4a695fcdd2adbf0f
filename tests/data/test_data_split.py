"""What is held out: shares, strata, groups, time, copies; and what cannot be split."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data import Column, Roles, Source, duplicates, find_roles, open_source, split_rows
from layerwise.errors import DataError


def source_of(parts=None, **columns) -> Source:
    made = {n: Column(n, "cells", pl.Series(n, v)) for n, v in columns.items()}
    n = len(next(iter(columns.values())))
    return Source("t", made, [f"row {i}" for i in range(n)], parts=parts)


def cut(targets, *, parts=None, seed=0, roles=None, **more):
    source = source_of(parts, y=targets, **more)
    roles = roles or Roles(("x",), ("y",))
    return split_rows(source, roles, targets, seed=seed)


def test_a_random_split_keeps_the_shares_of_the_classes():
    y = ["a"] * 700 + ["b"] * 250 + ["c"] * 50
    found = cut(y)
    assert (found.kind, found.groups) == ("random", None)
    for part, share in ((found.test, 0.2), (found.validation, 0.08), (found.train, 0.72)):
        counts = pl.Series([y[i] for i in part]).value_counts()
        assert dict(counts.iter_rows()) == {"a": 700 * share, "b": 250 * share, "c": 50 * share}


def test_numbers_are_stratified_by_decile():
    y = np.random.default_rng(0).lognormal(size=1000)
    found = cut(y)
    assert np.histogram(y[found.test], np.quantile(y, np.linspace(0, 1, 11)))[0].tolist() == [20] * 10


def test_a_class_of_one_row_is_trained_on():
    found = cut(["a"] * 60 + ["b"])
    assert 60 in found.train


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=30, max_size=120),
    st.integers(0, 5),
)
def test_groups_are_never_torn_apart(rows, seed):
    y, g = [f"c{a}" for a, _ in rows], [f"g{b}" for _, b in rows]
    if len(set(g)) < 4 or len(set(y)) < 2:
        return
    found = cut(y, who=g, roles=Roles(("x",), ("y",), group="who"), seed=seed)
    sides = [{g[i] for i in part} for part in (found.train, found.validation, found.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    assert found.kind == "groups"
    assert len(found.test)
    assert len(found.train)


def test_groups_keep_classes_on_both_sides_where_they_can():
    rng = np.random.default_rng(0)
    y, g = [], []
    for c in range(6):
        for k in range(8):
            size = int(rng.integers(5, 20))
            y += [f"c{c}"] * size
            g += [f"{c}-{k}"] * size
    y += ["lonely"] * 30
    g += ["lonely"] * 30
    found = cut(y, who=g, roles=Roles(("x",), ("y",), group="who"))
    assert {y[i] for i in found.test} == {f"c{c}" for c in range(6)}
    assert {y[i] for i in found.train} == {*y}
    assert 0.15 < len(found.test) / len(y) < 0.25


def test_given_parts_win_over_groups_and_validation_is_grouped():
    n = 200
    parts = np.array(["train"] * 150 + ["test"] * 50)
    g = [f"g{i // 5}" for i in range(n)]
    found = cut(["a", "b"] * 100, parts=parts, who=g, roles=Roles(("x",), ("y",), group="who"))
    assert found.kind == "given"
    assert found.test.tolist() == [*range(150, 200)]
    assert not {g[i] for i in found.train} & {g[i] for i in found.validation}
    assert 10 <= len(found.validation) <= 20


def test_a_validation_part_is_used_and_alone_is_the_test():
    y = ["a", "b"] * 50
    three = cut(y, parts=np.array(["train"] * 60 + ["val"] * 20 + ["test"] * 20))
    assert (three.validation.tolist(), three.test.tolist()) == ([*range(60, 80)], [*range(80, 100)])
    two = cut(y, parts=np.array(["train"] * 60 + ["val"] * 40))
    assert two.test.tolist() == [*range(60, 100)]
    assert len(two.validation) == 6


def test_a_column_of_parts_and_chosen_cells():
    y = ["a", "b"] * 30
    named = cut(y, s=["train"] * 40 + ["test"] * 20, roles=Roles(("x",), ("y",), split="s"))
    assert (named.kind, named.test.tolist()) == ("given", [*range(40, 60)])
    takes = [str(i % 6) for i in range(60)]
    chosen = cut(y, take=takes, roles=Roles(("x",), ("y",), split="take", test=("0", "5")))
    assert {takes[i] for i in chosen.test} == {"0", "5"}
    with pytest.raises(DataError, match="no row has 'take' = 9"):
        cut(y, take=takes, roles=Roles(("x",), ("y",), split="take", test=("9",)))
    with pytest.raises(DataError, match="names no parts"):
        cut(y, take=takes, roles=Roles(("x",), ("y",), split="take"))


def test_by_time_the_latest_are_held_out():
    days = [datetime.datetime(2020, 1, 1) + datetime.timedelta(days=(i * 37) % 100) for i in range(100)]
    found = cut(np.arange(100.0), day=days, roles=Roles(("x",), ("y",), time="day"))
    order = [[days[i] for i in part] for part in (found.train, found.validation, found.test)]
    assert max(order[0]) < min(order[1])
    assert max(order[1]) < min(order[2])
    assert (found.kind, len(found.test), len(found.validation)) == ("time", 20, 8)


def test_rows_without_a_target_take_no_part():
    y = ["a", "b", None] * 40
    found = cut(y)
    used = np.concatenate([found.train, found.validation, found.test])
    assert sorted(used) == [i for i in range(120) if y[i] is not None]


def test_tags_are_stratified_by_their_pattern():
    y = np.array([[0, 1], [1, 0], [1, 1], [0, 0]] * 50)
    source = source_of(a=y[:, 0], b=y[:, 1])
    found = split_rows(source, Roles(("x",), ("a", "b")), y, seed=0)
    assert np.unique(y[found.test], axis=0, return_counts=True)[1].tolist() == [10] * 4


def test_a_seed_is_a_split():
    y = ["a", "b"] * 100
    assert np.array_equal(cut(y).test, cut(y).test)
    assert not np.array_equal(cut(y).test, cut(y, seed=1).test)


def test_copies_stay_on_one_side(lay, pictures):
    files = pictures("a/{}.pgm", "b/{}.pgm", n=40)
    files |= {f"a/copy{i}.pgm": files[f"a/{i}.pgm"] for i in range(20)}
    source = open_source(lay(files))
    copies = duplicates(source.columns)
    place = {name: i for i, name in enumerate(source.ids)}
    assert all(copies[place[f"a/copy{i}.pgm"]] == copies[place[f"a/{i}.pgm"]] for i in range(20))
    assert len(np.unique(copies)) == 80
    found = split_rows(source, find_roles(source), source.columns["class"].values, seed=0, copies=copies)
    for part in (found.train, found.validation, found.test):
        held = set(part.tolist())
        assert all((place[f"a/copy{i}.pgm"] in held) == (place[f"a/{i}.pgm"] in held) for i in range(20))
    assert found.kind == "random"
    assert found.why.endswith("; 20 copies of others, kept on one side")
    assert duplicates({"file": Column("file", "files", source.columns["file"].values[:5])}) is None


def test_near_copies_are_tied_by_fingerprints_and_into_groups():
    source = source_of(y=["a", "b"] * 30, who=[f"g{i // 3}" for i in range(60)])
    copies = duplicates({"y": source.columns["y"]}, [None] * 2 + ["same"] + [None] * 56 + ["same"])
    found = split_rows(source, Roles(("x",), ("y",), group="who"), ["a", "b"] * 30, seed=0, copies=copies)
    for part in (found.train, found.validation, found.test):
        assert len({0, 1, 2, 57, 58, 59} & set(part.tolist())) in (0, 6)


def test_copies_on_both_sides_of_a_given_split_are_told():
    source = source_of(y=["a", "b"] * 30, part=["train"] * 40 + ["test"] * 20)
    copies = np.array([*range(55), 0, 1, 2, 58, 58])
    roles = Roles(("x",), ("y",), split="part")
    found = split_rows(source, roles, ["a", "b"] * 30, seed=0, copies=copies)
    assert found.why.endswith("; 3 held-out rows are copies of training rows, which flatters")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["a", "b"] * 5, "10 rows to learn from; at least 20"),
        (["a"] * 30 + [None] * 5, "all 30 rows have the same 'y', 'a'"),
        ([None] * 30, "0 rows to learn from \\(30 more have no y\\)"),
        ([3.5] * 30, "the same 'y', '3.5'"),
    ],
)
def test_what_cannot_be_split_says_why(targets, message):
    with pytest.raises(DataError, match=message):
        cut(targets)


def test_one_group_cannot_be_split_by():
    with pytest.raises(DataError, match="--group none"):
        cut(["a", "b"] * 20, who=["g"] * 40, roles=Roles(("x",), ("y",), group="who"))


def test_validation_of_the_only_group_left_is_by_chance():
    found = cut(["a", "b"] * 20, who=["g"] * 28 + ["h"] * 12, roles=Roles(("x",), ("y",), group="who"))
    assert len(found.test) in (12, 28)
    assert 0 < len(found.validation) < 5


def test_a_placeholder_in_many_rows_ties_none_that_differ(lay, pictures):
    root = lay(
        {
            **pictures("img/{}.pgm", n=2),
            "t.csv": "photo,n\n" + "".join(f"img/0.pgm,{i // 2}\n" for i in range(40)),
        }
    )
    source = open_source(root / "t.csv")
    assert len(np.unique(duplicates(source.columns))) == 20


def test_the_only_group_of_a_class_is_trained_on_whoever_shares_it():
    y = [f"c{i % 30}" for i in range(300)]
    y[0] = "z"
    g = [f"g{i // 30}" for i in range(300)]
    for seed in range(5):
        found = cut(y, who=g, roles=Roles(("x",), ("y",), group="who"), seed=seed)
        assert 0 not in found.test


def test_groups_with_a_class_of_their_own_each_are_still_dealt_out():
    y = [f"own{i // 30}" if i % 30 == 0 else f"c{i % 3}" for i in range(600)]
    g = [f"g{i // 30}" for i in range(600)]
    found = cut(y, who=g, roles=Roles(("x",), ("y",), group="who"))
    assert 60 <= len(found.test) <= 150

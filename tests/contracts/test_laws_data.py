"""Laws of the data room: rows keep their order and identity from a file to a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data import (
    Column,
    Packed,
    Roles,
    Source,
    Store,
    find_roles,
    open_source,
    read_rows,
    split_rows,
)
from layerwise.randomness import Randomness
from layerwise.spec import Spec

SHAPES = {
    "fixed": (Spec(("feature",), (3,)), lambda draw, n: list(draw.normal(size=(n, 3)).astype(np.float32))),
    "padded": (
        Spec(("time", "channel"), (None, 2)),
        lambda draw, n: [draw.normal(size=(int(t), 2)).astype(np.float32) for t in draw.integers(0, 9, n)],
    ),
}


class Through:
    """A reader that hands arrays on as they are."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def read(self, chunk):
        from layerwise.kinds.base import Read

        values = list(chunk["x"])
        return Read({"value": values if self.spec.padded else np.stack(values)}, np.arange(len(values)), {})


@pytest.fixture(params=SHAPES)
def packed(request, tmp_path: Path) -> tuple[Store, list[np.ndarray]]:
    spec, make = SHAPES[request.param]
    arrays = make(np.random.default_rng(0), 150)
    source = Source("t", {"x": Column("x", "arrays", arrays)}, [f"row {i}" for i in range(150)])
    return Store.pack(tmp_path, spec, read_rows(source, Through(spec), ("x",), np.arange(150))), arrays


def test_a_row_is_itself_from_source_to_batch(packed):
    store, arrays = packed
    for rng in (None, Randomness(3)):
        batches = Packed(store, np.arange(150), targets=np.arange(150), size=16, rng=rng)
        for step in range(2 * batches.steps_per_epoch):
            batch = batches.at(step)
            assert torch.equal(batch.rows, batch.targets)
            for i, row in enumerate(batch.rows.tolist()):
                if store.spec.padded:
                    length = int(batch.inputs.lengths[i])
                    assert np.array_equal(batch.inputs.values[i, :length], arrays[row])
                    assert not batch.inputs.values[i, length:].any()
                else:
                    assert np.array_equal(batch.inputs[i], arrays[row])


def test_a_step_is_a_function_of_seed_and_step(packed):
    store, _ = packed
    make = lambda seed: Packed(store, np.arange(150), size=16, rng=Randomness(seed))  # noqa: E731
    one, two = make(1), make(1)
    rows = {step: one.at(step).rows for step in range(30)}
    for step in reversed(range(30)):
        assert torch.equal(two.at(step).rows, rows[step])
    assert not torch.equal(make(2).at(0).rows, rows[0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), min_size=25, max_size=150),
    st.sampled_from([None, "group", "time"]),
    st.integers(0, 3),
)
def test_every_row_is_in_one_part(rows, how, seed):
    labels = pl.Series("y", [c for c, _ in rows])
    others = pl.Series("g", [v for _, v in rows])
    if labels.n_unique() < 2 or others.n_unique() < 6:
        return
    columns = {s.name: Column(s.name, "cells", s) for s in (labels, others)}
    source = Source("t", columns, [f"row {i}" for i in range(len(rows))])
    roles = Roles(("x",), ("y",), group="g" if how == "group" else None, time="g" if how == "time" else None)
    found = split_rows(source, roles, labels, seed=seed)
    everything = np.concatenate([found.train, found.validation, found.test])
    assert sorted(everything) == [*range(len(rows))]
    assert all(len(part) and (np.diff(part) > 0).all() for part in (found.train, found.test))
    again = split_rows(source, roles, labels, seed=seed)
    assert all(np.array_equal(getattr(found, p), getattr(again, p)) for p in ("train", "validation", "test"))


def test_where_files_come_from_makes_no_difference(tmp_path):
    import shutil

    root = tmp_path / "set"
    for label in "ab":
        (root / label).mkdir(parents=True)
        for i in range(20):
            (root / label / f"{i}.txt").write_text(f"{label} {i}")
    shutil.make_archive(str(tmp_path / "z" / "set"), "zip", tmp_path, "set")
    shutil.make_archive(str(tmp_path / "t" / "set"), "xztar", tmp_path, "set")
    sources = [
        open_source(p, spool=tmp_path)
        for p in (root, tmp_path / "z" / "set.zip", tmp_path / "t" / "set.tar.xz")
    ]
    splits = []
    for source in sources:
        roles = find_roles(source)
        splits.append(split_rows(source, roles, source.columns["class"].values, seed=0))
        assert [f.bytes() for f in source.columns["file"].values] == [
            f.bytes() for f in sources[0].columns["file"].values
        ]
    assert all(np.array_equal(s.test, splits[0].test) for s in splits)
    assert [i.removeprefix("set/") for i in sources[1].ids] == list(sources[0].ids)

"""The packed store and its batches."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pytest
import torch

from layerwise.data import Packed, Store
from layerwise.data.batches import fits
from layerwise.errors import DataError, MachineError
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Padded

IMAGES = Spec(("channel", "height", "width"), (1, 2, 2), "uint8")
SERIES = Spec(("time", "channel"), (None, 3), "float32")


class Read(NamedTuple):
    values: Mapping[str, np.ndarray | list[np.ndarray]]
    kept: np.ndarray
    rejected: Mapping[int, str] = {}
    facts: Mapping[str, np.ndarray] = {}


def images(n: int) -> np.ndarray:
    return np.arange(n * 4, dtype=np.uint8).reshape(n, 1, 2, 2)


def series(lengths) -> list[np.ndarray]:
    return [
        np.full((t, 3), i, np.float32) + np.arange(t, dtype=np.float32)[:, None] / 100
        for i, t in enumerate(lengths)
    ]


def packed(folder, spec, values, size=7, **more) -> Store:
    n = len(values)
    cuts = [(s, min(s + size, n)) for s in range(0, n, size)]
    return Store.pack(folder, spec, (Read({"value": values[a:b]}, np.arange(a, b), **more) for a, b in cuts))


def test_what_is_packed_is_taken(tmp_path):
    store = packed(tmp_path / "s", IMAGES, images(20))
    again = Store.open(tmp_path / "s")
    assert (len(again), again.spec, again.lengths) == (20, IMAGES, None)
    rows = [3, 3, 19, 0]
    for s in (store, again):
        taken = s.take(rows)["value"]
        assert np.array_equal(taken, images(20)[rows])
        assert taken.flags.writeable
    assert again.bytes == 80


def test_unequal_lengths(tmp_path):
    values = series([3, 0, 5, 1])
    store = packed(tmp_path / "s", SERIES, values, size=2)
    assert store.lengths.tolist() == [3, 0, 5, 1]
    for got, row in zip(store.take([2, 1, 0])["value"], (2, 1, 0), strict=True):
        assert np.array_equal(got, values[row])


def test_rows_reasons_and_facts(tmp_path):
    chunks = [
        Read({"value": images(2)}, np.array([4, 6]), {5: "no picture"}, {"width": np.array([2, 3])}),
        Read({}, np.array([], np.int64), {7: "empty", 8: "cut short"}),
        Read({"value": images(1)}, np.array([2]), {}, {"width": np.array([9])}),
    ]
    Store.pack(tmp_path / "s", IMAGES, chunks)
    store = Store.open(tmp_path / "s")
    assert store.rows.tolist() == [4, 6, 2]
    assert store.rejected == {5: "no picture", 7: "empty", 8: "cut short"}
    assert store.facts["width"].tolist() == [2, 3, 9]
    assert store.places(np.array([2, 5, 4, 99])).tolist() == [2, 0]


def test_columns_of_any_name(tmp_path):
    spec = Spec(columns={"../evil": IMAGES, "s": SERIES})
    chunk = Read({"../evil": images(3), "s": series([1, 2, 3])}, np.arange(3))
    store = Store.pack(tmp_path / "deep" / "s", spec, [chunk])
    assert np.array_equal(store.take([1])["../evil"], images(3)[1:2])
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]
    assert {p.name for p in (tmp_path / "deep" / "s").iterdir()} == {
        "0.bin", "1.bin", "1.offsets.npy", "rows.npy", "store.json",
    }  # fmt: skip


def test_nothing_packed_is_an_empty_store(tmp_path):
    store = Store.pack(tmp_path / "s", SERIES, [Read({}, np.array([], np.int64), {0: "bad"})])
    assert len(store) == 0
    assert store.places(np.array([0])).tolist() == []


def test_values_that_do_not_fit_the_spec_are_our_fault(tmp_path):
    with pytest.raises(ValueError, match="its Spec says uint8 1 x 2 x 2"):
        packed(tmp_path / "s", IMAGES, np.zeros((2, 1, 3, 3), np.uint8))
    with pytest.raises(ValueError, match="float64"):
        packed(tmp_path / "s", IMAGES, np.zeros((2, 1, 2, 2)))


@pytest.mark.parametrize(
    "harm",
    [
        lambda f: (f / "store.json").unlink(),
        lambda f: (f / "store.json").write_text("{"),
        lambda f: (f / "0.bin").write_bytes(b"short"),
        lambda f: (f / "1.offsets.npy").write_bytes(b"junk"),
        lambda f: np.save(f / "1.offsets.npy", np.array([0, 9, 3, 1])),
        lambda f: (f / "store.json").write_text(json.dumps({"spec": [], "facts": [], "rejected": {}})),
    ],
)
def test_a_damaged_store_is_refused(tmp_path, harm):
    spec = Spec(columns={"a": IMAGES, "b": SERIES})
    Store.pack(tmp_path, spec, [Read({"a": images(3), "b": series([1, 2, 3])}, np.arange(3))])
    harm(tmp_path)
    with pytest.raises(DataError, match="read the data again"):
        Store.open(tmp_path)


def test_an_interrupted_packing_leaves_no_store(tmp_path):
    packed(tmp_path, IMAGES, images(4))

    def chunks():
        yield Read({"value": images(4)}, np.arange(4))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store.pack(tmp_path, IMAGES, chunks())
    with pytest.raises(DataError):
        Store.open(tmp_path)


def test_a_full_disk_says_so(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    (tmp_path / "0.bin").symlink_to("/dev/full")
    with pytest.raises(MachineError, match="out of disk"):
        packed(tmp_path, IMAGES, images(40_000 // 4 * 4))


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=os.strerror(errno.ENOTDIR)):
        packed(tmp_path / "file" / "s", IMAGES, images(3))


def batches(store, n, *, size=8, rng=None, **more):
    return Packed(store, np.arange(n), size=size, rng=rng, **more)


def test_in_order_all_rows_come_once(tmp_path):
    store = packed(tmp_path, IMAGES, images(20))
    found = batches(store, 20, targets=np.arange(20), weights=np.arange(20) / 2)
    assert found.steps_per_epoch == 3
    parts = [found.at(i) for i in range(3)]
    assert torch.cat([b.rows for b in parts]).tolist() == [*range(20)]
    assert torch.equal(torch.cat([b.inputs for b in parts]), torch.from_numpy(images(20)))
    assert torch.equal(torch.cat([b.targets for b in parts]), torch.arange(20))
    assert torch.equal(torch.cat([b.weights for b in parts]), torch.arange(20) / 2)


def test_training_shuffles_drops_the_rest_and_repeats_nothing(tmp_path):
    store = packed(tmp_path, IMAGES, images(20))
    found = batches(store, 20, rng=Randomness(1))
    assert found.steps_per_epoch == 2
    epochs = [[r for i in range(2) for r in found.at(2 * e + i).rows.tolist()] for e in range(30)]
    assert all(len(set(e)) == 16 for e in epochs)
    assert len({tuple(e) for e in epochs}) == 30
    assert {r for e in epochs for r in e} == {*range(20)}


def test_fewer_rows_than_a_batch_are_one_batch(tmp_path):
    store = packed(tmp_path, IMAGES, images(5))
    assert sorted(batches(store, 5, rng=Randomness(1)).at(3).rows.tolist()) == [*range(5)]
    with pytest.raises(ValueError, match="at least one row"):
        batches(store, 0)


def test_any_step_can_be_asked_at_any_time(tmp_path):
    store = packed(tmp_path, SERIES, series(np.random.default_rng(0).integers(0, 30, 90)))
    one, two = (batches(store, 90, rng=Randomness(4), targets=np.arange(90)) for _ in range(2))
    forward = [one.at(i) for i in range(40)]
    for step in np.random.default_rng(1).permutation(40):
        a, b = forward[step], two.at(int(step))
        assert torch.equal(a.rows, b.rows)
        assert torch.equal(a.inputs.values, b.inputs.values)
        assert torch.equal(a.targets, a.rows)


def test_examples_of_like_length_go_together(tmp_path):
    lengths = np.random.default_rng(0).integers(1, 200, 600)
    store = packed(tmp_path, SERIES, series(lengths))
    found = batches(store, 600, size=8, rng=Randomness(0))
    seen, waste, longest = [], 0, []
    for step in range(found.steps_per_epoch):
        batch = found.at(step)
        assert isinstance(batch.inputs, Padded)
        assert batch.inputs.lengths.tolist() == lengths[batch.rows].tolist()
        seen += batch.rows.tolist()
        waste += int(batch.inputs.values.shape[1] * 8 - batch.inputs.lengths.sum())
        longest.append(batch.inputs.values.shape[1])
    assert sorted(seen) == [*range(600)]
    assert waste < 0.1 * lengths.sum()
    assert longest[:16] != sorted(longest[:16])  # else a window would end with its longest


def test_a_row_that_stands_twice_is_seen_twice(tmp_path):
    store = packed(tmp_path, IMAGES, images(4))
    found = Packed(store, [0, 1, 1, 3], size=4, rng=Randomness(0))
    assert sorted(found.at(0).rows.tolist()) == [0, 1, 1, 3]


def test_columns_are_collated_by_name(tmp_path):
    spec = Spec(columns={"a": IMAGES, "b": SERIES})
    store = Store.pack(tmp_path, spec, [Read({"a": images(3), "b": series([1, 2, 3])}, np.arange(3))])
    batch = Packed(store, [2, 0], size=2, rng=None).at(0)
    assert torch.equal(batch.inputs["a"], torch.from_numpy(images(3)[[2, 0]]))
    assert batch.inputs["b"].lengths.tolist() == [3, 1]


@pytest.mark.parametrize("spec", [IMAGES, Spec(columns={"a": IMAGES, "b": IMAGES})])
def test_batches_from_a_device_that_holds_everything_are_the_same(tmp_path, monkeypatch, spec):
    n = 5_000  # more than are copied at once
    names = list(spec.columns) or ["value"]
    read = Read({name: images(n) + i for i, name in enumerate(names)}, np.arange(n))
    store = Store.pack(tmp_path, spec, [read])
    usual = batches(store, n, rng=Randomness(2), targets=np.arange(n), weights=np.ones(n))
    monkeypatch.setattr("layerwise.data.batches.fits", lambda store, device: True)
    there = batches(store, n, rng=Randomness(2), targets=np.arange(n), weights=np.ones(n))
    for step in (0, 3, usual.steps_per_epoch + 1):
        one, two = usual.at(step), there.at(step)
        torch.testing.assert_close(two.inputs, one.inputs, rtol=0, atol=0)
        assert torch.equal(two.rows, one.rows)
        assert torch.equal(two.targets, one.targets)
        assert torch.equal(two.weights, one.weights)


def test_a_processor_keeps_no_second_copy(tmp_path):
    assert not fits(packed(tmp_path, IMAGES, images(4)), torch.device("cpu"))

"""Raw examples become vectors and come back; batches are the same vectors."""

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.errors import DataError
from layerwise.randomness import Randomness
from layerwise.workflows.unlabelled import vectors_of


def vectors(vectors_, data):
    return torch.cat(list(vectors_.read(data))).numpy()


@pytest.fixture
def draw():
    return np.random.default_rng(0)


@pytest.mark.parametrize("unit", [True, False])
def test_there_and_back(tmp_path, draw, unit):
    X = draw.normal(5, 3, (50, 4)) * [1, 10, 100, 0] + 1e6  # the last is constant
    found, _ = vectors_of(X, unit=unit, run=tmp_path)
    v = vectors(found, X)
    np.testing.assert_allclose(found.restored(torch.from_numpy(v)), X, rtol=1e-12)
    np.testing.assert_array_equal(v[:, 3], 0)
    if unit:
        np.testing.assert_allclose([v[:, :3].min(0), v[:, :3].max(0)], [[0] * 3, [1] * 3])
    else:
        np.testing.assert_allclose([v[:, :3].mean(0), v[:, :3].std(0)], [[0] * 3, [1] * 3], atol=1e-8)
    np.testing.assert_allclose(found.means, v.mean(0), atol=1e-8)


def test_what_is_within_0_and_1_stays(tmp_path, draw):
    X = draw.uniform(0.2, 0.7, (20, 3))
    np.testing.assert_array_equal(vectors(vectors_of(X, unit=True, run=tmp_path)[0], X), X)


def test_batches_hold_the_vectors_and_their_targets(tmp_path, draw):
    X = draw.normal(5, 3, (50, 4))
    found, store = vectors_of(X, unit=False, run=tmp_path)
    batches = found.batches(store, targets=np.arange(50))(16, Randomness(0))
    assert batches.steps_per_epoch == 3
    batch = batches.at(4)
    assert batch.inputs.dtype == torch.float32
    assert batch.targets.tolist() == batch.rows.tolist()
    np.testing.assert_allclose(batch.inputs, vectors(found, X)[batch.rows], rtol=1e-5, atol=1e-6)


def test_pixels_share_one_unit(tmp_path, draw):
    levels = draw.integers(0, 200, (40, 9, 9)) * np.eye(9, dtype=int)  # most are always 0
    bytes_, _ = vectors_of(levels.astype(np.uint8), unit=True, run=tmp_path / "bytes")
    np.testing.assert_array_equal(bytes_.spread, 255)
    floats, _ = vectors_of(levels.astype(np.float32), unit=True, run=tmp_path / "floats")
    np.testing.assert_array_equal(floats.spread, levels.max())
    standard, _ = vectors_of(levels.astype(np.uint8), unit=False, run=tmp_path / "standard")
    v = vectors(standard, levels.astype(np.uint8))
    assert len(np.unique(standard.spread)) == 1
    assert v.var(0).mean() == pytest.approx(1)
    np.testing.assert_allclose(v.mean(0), 0, atol=1e-12)


def test_colour_pictures_come_back_channels_last(tmp_path, draw):
    pictures = draw.integers(0, 256, (12, 8, 10, 3), dtype=np.uint8)
    found, _ = vectors_of(pictures, unit=True, run=tmp_path)
    v = vectors(found, pictures)
    assert v.shape == (12, 240)
    np.testing.assert_allclose(found.restored(torch.from_numpy(v)), pictures)


def test_a_table_with_gaps_counts_them_as_means(tmp_path, draw):
    X = draw.normal(5, 3, (60, 3)).astype(np.float32)
    X[draw.random(X.shape) < 0.2] = np.nan
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame.to_csv(tmp_path / "table.csv", index=False)
    for data in (frame, tmp_path / "table.csv"):
        found, store = vectors_of(data, unit=False, run=tmp_path / "run")
        v = vectors(found, data)
        expected = (X - np.nanmean(X, 0)) / np.nanstd(X, 0)
        np.testing.assert_allclose(v, np.nan_to_num(expected), atol=1e-5)
        assert not found.batches(store)(8, Randomness(0)).at(0).inputs.isnan().any()


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"n": np.arange(40.0), "colour": ["red", "blue"] * 20}),
        [np.zeros((5 + i % 3, 2)) for i in range(20)],
        ["some words", "more words", "and more of them"] * 10,
    ],
    ids=["categories", "unequal lengths", "texts"],
)
def test_what_is_no_vector_is_refused(tmp_path, data):
    with pytest.raises(DataError, match="the same number of numbers for each"):
        vectors_of(data, unit=True, run=tmp_path)

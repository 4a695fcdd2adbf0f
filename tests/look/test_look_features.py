"""Levels as matrices: whole where small, averaged where large, the same for every batch and neighbour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from layerwise.look.features import MOST, features, standardised
from layerwise.spec import Spec
from layerwise.values import Padded

IMAGE = Spec(("channel", "height", "width"), (1, 28, 28), "uint8")


def test_a_picture_of_28_by_28_is_kept_whole() -> None:
    pixels = torch.randint(0, 255, (3, 1, 28, 28), dtype=torch.uint8)
    assert np.array_equal(features(pixels, IMAGE), pixels.flatten(1).numpy().astype(np.float32))


def test_larger_maps_are_averaged_as_torch_averages_them() -> None:
    maps = torch.randn(2, 3, 32, 32)
    found = features(maps, IMAGE.but(shape=(3, 32, 32), dtype="float32"))
    assert found.shape == (2, 3 * 18 * 18)
    assert np.allclose(found, F.adaptive_avg_pool2d(maps, (18, 18)).flatten(1).numpy(), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 40),
    bands=st.sampled_from([None, 1, 5, 33]),
    lengths=st.lists(st.integers(0, 50), min_size=2, max_size=5),
    most=st.sampled_from([20, 100, MOST]),
)
def test_sequences_do_not_depend_on_their_neighbours(
    channels: int, bands: int | None, lengths: list[int], most: int
) -> None:
    shape = (channels,) if bands is None else (channels, bands)
    spec = Spec(("time", "channel", "band")[: 1 + len(shape)], (None, *shape))
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(len(lengths), max(*lengths, 1), *shape, generator=generator)
    batch = Padded(values, torch.tensor(lengths)).zeroed()
    together = features(batch, spec, most=most)
    assert together.shape[1] <= most
    for i, length in enumerate(lengths):
        alone = Padded(batch.values[i : i + 1, : max(1, length)], batch.lengths[i : i + 1])
        assert np.allclose(features(alone, spec, most=most)[0], together[i], atol=1e-5)


def test_a_padded_sequence_of_full_length_is_averaged_like_a_dense_one() -> None:
    values = torch.randn(4, 37, 100)
    spec = Spec(("time", "channel"), (37, 100))
    dense = features(values, spec)
    padded = features(Padded(values, torch.full((4,), 37)), spec.but(shape=(None, 100)))
    assert dense.shape == (4, 1000)
    assert np.allclose(dense, padded, atol=1e-6)


def test_tokens_count_as_what_they_stand_for() -> None:
    tokens = Padded(torch.tensor([[1, 2, 2, 0], [3, 0, 0, 0]], dtype=torch.int32), torch.tensor([3, 1]))
    found = features(tokens, Spec(("time",), (None,), "int32", sizes=(4,)))
    assert np.allclose(found, [[0, 1 / 3, 2 / 3, 0], [0, 0, 0, 1]])


def test_each_category_has_a_column() -> None:
    values = torch.tensor([[0, 2], [1, 0]], dtype=torch.int32)
    found = features(values, Spec(("category",), (2,), "int32", sizes=(2, 3)))
    assert found.tolist() == [[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]]


def test_wide_vectors_are_projected_so_that_distances_stay() -> None:
    x = torch.randn(30, 6000)
    found = features(x, Spec(("feature",), (6000,)))
    assert found.shape == (30, MOST)
    assert np.array_equal(found, features(x, Spec(("feature",), (6000,))))
    before, after = (np.linalg.norm(v[:, None] - v[None], axis=-1) for v in (x.numpy(), found))
    upper = np.triu_indices(30, 1)
    ratio = after[upper] / before[upper]
    assert ratio.std() / ratio.mean() < 0.06
    assert ratio.mean() == pytest.approx(1, abs=0.1)


def test_missing_numbers_become_the_mean_and_a_column_of_their_own() -> None:
    train = np.array([[1.0, 5.0, 2.0], [3.0, np.nan, 2.0], [5.0, 7.0, 2.0]], np.float32)
    ready, held = standardised(train, np.array([[3.0, np.nan, 9.0]], np.float32))
    assert ready.shape == (3, 4)
    assert np.allclose(ready[:, :2].mean(axis=0), 0, atol=1e-6)
    assert ready[:, 0].std() == pytest.approx(1)
    assert (ready[:, 2] == 0).all()  # says nothing
    assert ready[:, 3].tolist() == [0, 1, 0]
    assert held[0].tolist() == [0, 0, 0, 1]


def test_columns_of_several_kinds_stand_side_by_side() -> None:
    numbers, words = Spec(("feature",), (2,)), Spec(("category",), (1,), "int32", sizes=(3,))
    value = {"a": torch.ones(2, 2), "b": torch.tensor([[1], [2]], dtype=torch.int32)}
    found = features(value, Spec(columns={"a": numbers, "b": words}))
    assert found.tolist() == [[1, 1, 0, 1, 0], [1, 1, 0, 0, 1]]

"""Patch features: whitening, contrast, the triangle and pooling by hand; what is learned can be told apart."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.kinds import IMAGE, SOUND
from layerwise.kinds.base import ONLY
from layerwise.kinds.patches import Patches, Whitening, evened, learn_patches, triangle, whitening
from layerwise.spec import Spec


def mixed(n: int, width: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, width)) @ draw.normal(size=(width, width)) + draw.normal(size=width)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8), st.integers(0, 99))
def test_whitening_gives_the_identity_and_changes_least(width: int, seed: int) -> None:
    x = mixed(400, width, seed)
    whiten = whitening(x, floor=0.0)
    white = whiten(x)
    assert np.allclose(np.cov(white.T, bias=True), np.eye(width), atol=1e-2)
    assert np.allclose(white.mean(0), 0, atol=1e-3)
    assert np.array_equal(whiten.matrix, whiten.matrix.T) or np.allclose(whiten.matrix, whiten.matrix.T)
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))
    centred = x - x.mean(0)  # of all whitenings, which differ by a turn, this one is nearest to the data
    assert np.square(white - centred).sum() <= np.square(white @ turned - centred).sum() * 1.001


def test_a_floor_leaves_small_variances_small() -> None:
    x = np.random.default_rng(0).normal(size=(5_000, 2)) * (3.0, 0.01)
    deviations = whitening(x, floor=0.1)(x).std(0)
    assert deviations[0] == pytest.approx(3 / np.sqrt(9.1), rel=0.02)
    assert deviations[1] == pytest.approx(0.01 / np.sqrt(0.1), rel=0.05)


def test_evened_patches_have_one_contrast_but_flat_ones_none() -> None:
    x = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) * 4 + 3
    even = evened(torch.cat([x, torch.full((1, 40), 7.0)]))
    assert torch.allclose(even.mean(1), torch.zeros(6), atol=1e-5)
    assert torch.allclose(even[:5].std(1, correction=0), torch.ones(5), atol=1e-3)
    assert torch.equal(even[5], torch.zeros(40))


def test_the_triangle_by_hand() -> None:
    found = triangle(torch.tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]]))
    assert found.tolist() == [[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_features_are_triangles_of_distances_averaged_over_quadrants() -> None:
    draw = np.random.default_rng(1)
    maps = draw.normal(size=(3, 2, 5, 7)).astype(np.float32)
    whiten = Whitening(draw.normal(size=8).astype(np.float32), np.eye(8, dtype=np.float32) * 2)
    centroids = draw.normal(size=(4, 8)).astype(np.float32)
    found = Patches((2, 2), (2, 2), whiten, centroids)(maps).reshape(3, 4, 2, 2)
    near = np.zeros((3, 4, 4, 6))
    for n, top, left in np.ndindex(3, 4, 6):
        patch = maps[n, :, top : top + 2, left : left + 2].ravel()
        patch = (patch - patch.mean()) / np.sqrt(patch.var() + 0.0025)
        distances = np.linalg.norm((patch - whiten.mean) * 2 - centroids, axis=1)
        near[n, :, top, left] = np.maximum(distances.mean() - distances, 0)
    assert np.allclose(found[:, :, 0, 0], near[:, :, :2, :3].mean((2, 3)), atol=1e-4)
    assert np.allclose(found[:, :, 1, 1], near[:, :, 2:, 3:].mean((2, 3)), atol=1e-4)


def test_learning_repeats_and_bears_maps_smaller_than_a_patch() -> None:
    maps = np.random.default_rng(2).normal(size=(6, 1, 3, 9)).astype(np.float32)

    def learned(seed: int) -> Patches:
        return learn_patches(lambda rows: maps[rows], 6, size=(4, 4), centroids=5, seed=seed)

    assert np.array_equal(learned(0).centroids, learned(0).centroids)
    assert not np.array_equal(learned(0).centroids, learned(1).centroids)
    assert learned(0)(maps).shape == (6, 20)
    flat = learn_patches(lambda rows: 0 * maps[rows], 6, size=(4, 4), centroids=1, seed=0)
    assert np.isfinite(flat(maps)).all()


def stripes(n: int, spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of stripes that lie or stand, at any place, which pixels alone cannot tell."""
    draw = np.random.default_rng(3)
    standing = np.arange(n) % 2
    phase, place = draw.uniform(0, 6, n), np.arange(12)
    waves = np.sin(place[None] * 1.5 + phase[:, None])
    pictures = np.where(standing[:, None, None] == 1, waves[:, None, :], waves[:, :, None])
    noise = draw.normal(size=(n, 1, 12, 12))
    return (pictures[:, None] + 0.2 * noise).astype(np.float32), standing


def test_kinds_give_patch_features_that_tell_what_pixels_do_not() -> None:
    spec = Spec(("channel", "height", "width"), (1, 12, 12), "float32", centre=(0.0,), spread=(1.0,))
    pictures, standing = stripes(60, spec)
    assert IMAGE.patches is not None
    x = IMAGE.patches({ONLY: pictures}, {}, spec)({ONLY: pictures}, {})
    side = x[:40][standing[:40] == 1].mean(0) - x[:40][standing[:40] == 0].mean(0)
    found = (x[40:] - x[:40].mean(0)) @ side > 0
    assert (found == standing[40:]).mean() == 1


def test_clips_of_any_length_have_patch_features() -> None:
    spec = Spec(("time",), (None,), "int16", rate_hz=8000.0, longest=6000)
    draw = np.random.default_rng(4)
    clips = [draw.integers(-9000, 9000, n).astype(np.int16) for n in (6000, 3000, 40, 0)]
    assert SOUND.patches is not None
    see = SOUND.patches({ONLY: clips}, {}, spec)
    x = see({ONLY: clips}, {})
    assert x.shape == (4, 1600)
    assert np.isfinite(x).all()
    assert np.allclose(see({ONLY: clips[1:2]}, {}), x[1:2], atol=1e-5)

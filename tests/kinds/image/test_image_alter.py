"""Alterations keep shape, dtype and meaning, are repeatable, and do what their names say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.errors import UsageError
from layerwise.kinds.image.alter import alter
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Batch

SPEC = Spec(
    ("channel", "height", "width"),
    (3, 12, 10),
    "uint8",
    centre=(100.0, 110.0, 120.0),
    spread=(50.0, 50.0, 50.0),
)
X = torch.randint(0, 256, (16, 3, 12, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def altered(options: dict[str, object], x: torch.Tensor = X, key: int = 1, spec: Spec = SPEC) -> torch.Tensor:
    change = alter(spec, options)
    assert change is not None
    out = change(Batch(x, torch.arange(len(x)), None, torch.arange(len(x))), Randomness(key)).inputs
    assert isinstance(out, torch.Tensor)
    return out


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "shift": st.integers(1, 6),
            "flip": st.just(True),
            "turn_degrees": st.floats(1, 45),
            "zoom": st.floats(0.01, 0.5),
            "shear": st.floats(0.01, 0.5),
            "cutout": st.integers(1, 20),
            "light": st.floats(0.1, 3),
            "contrast": st.floats(0.1, 1),
            "crop": st.floats(0.01, 0.99),
            "saturation": st.floats(0.1, 1),
            "hue_degrees": st.floats(1, 180),
            "grey": st.floats(0.1, 1),
            "blur": st.floats(0.1, 3),
        },
    ).filter(bool),
    st.sampled_from([torch.uint8, torch.float32, torch.uint16]),
)
def test_shape_and_dtype_stay_and_the_key_alone_decides(
    options: dict[str, object], dtype: torch.dtype
) -> None:
    x = X.to(dtype)
    once, again = altered(options, x), altered(options, x)
    assert once.shape == x.shape
    assert once.dtype == dtype
    assert torch.equal(once.float(), again.float())
    assert torch.equal(x, X.to(dtype))  # the batch given is left alone


def test_another_key_draws_anew_and_pictures_draw_apart() -> None:
    same = X[:1].expand(16, -1, -1, -1)
    out = altered({"shift": 3}, same)
    assert not torch.equal(out, altered({"shift": 3}, same, key=2))
    assert len({picture.numpy().tobytes() for picture in out}) > 8


def test_a_flip_is_the_picture_or_its_mirror_image() -> None:
    out = altered({"flip": True})
    mirrored = [torch.equal(o, x.flip(2)) for o, x in zip(out, X, strict=True)]
    kept = [torch.equal(o, x) for o, x in zip(out, X, strict=True)]
    assert all(m != k for m, k in zip(mirrored, kept, strict=True))
    assert 0 < sum(mirrored) < 16


def test_a_shift_moves_whole_pixels_and_repeats_the_edge() -> None:
    out = altered({"shift": 2})
    padded = np.pad(X.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    for picture, wide in zip(out.numpy(), padded, strict=True):
        places = [wide[:, r : r + 12, c : c + 10] for r in range(5) for c in range(5)]
        assert any((picture == p).all() for p in places)


def test_a_turn_is_a_turn_on_pictures_that_are_not_square() -> None:
    spec = Spec(("channel", "height", "width"), (1, 40, 80), "float32", centre=(0.0,), spread=(1.0,))
    x = torch.zeros(8, 1, 40, 80)
    x[:, :, 14:26, 34:46] = 1  # a square in the middle
    out = altered({"turn_degrees": 40.0}, x, spec=spec)
    rows, columns = torch.arange(40.0)[:, None] - 19.5, torch.arange(80.0)[None] - 39.5
    spread = lambda axis: (out[:, 0] * axis**2).sum((1, 2)) / out[:, 0].sum((1, 2))  # noqa: E731
    # a turned square keeps its moments; a sheared or stretched one does not
    assert torch.allclose(spread(rows), spread(columns), rtol=0.02)
    assert torch.allclose(out.sum((1, 2, 3)), x.sum((1, 2, 3)), rtol=0.02)


def test_cutout_fills_with_the_mean_colour_and_leaves_the_rest() -> None:
    out = altered({"cutout": 4})
    filled = (out == torch.tensor([100, 110, 120], dtype=torch.uint8)[:, None, None]).all(1)
    assert (filled.sum((1, 2)) <= 16 + 1).all()
    assert filled.sum((1, 2)).float().mean() > 8
    assert torch.equal(out.permute(0, 2, 3, 1)[~filled], X.permute(0, 2, 3, 1)[~filled])


def test_light_moves_the_mean_by_spreads_at_most() -> None:
    x = torch.full_like(X, 100)
    out = altered({"light": 1.0}, x).float()
    assert ((out - 100).abs() <= 51).all()
    assert out.std((1, 2, 3)).max() < 1
    assert out.mean((1, 2, 3)).std() > 10


def test_a_crop_shows_a_part_of_the_picture_larger() -> None:
    ramp = torch.arange(40.0).expand(64, 1, 40, 40) + 100 * torch.arange(40.0)[:, None]
    spec = Spec(("channel", "height", "width"), (1, 40, 40), "float32", centre=(0.0,), spread=(1.0,))
    out = altered({"crop": 0.75}, ramp, spec=spec)[:, 0, 2:-2, 2:-2]  # edges are repeated
    wide, tall = (out[:, :, 1:] - out[:, :, :-1]).mean((1, 2)), (out[:, 1:] - out[:, :-1]).mean((1, 2)) / 100
    area = wide * tall
    assert area.min() > 0.25 - 0.02
    assert area.max() < 1 + 0.02
    assert area.max() - area.min() > 0.5
    assert area.mean().item() == pytest.approx(0.625, abs=0.1)
    aspect = wide / tall
    assert ((aspect > 9 / 16 - 0.02) & (aspect < 16 / 9 + 0.02)).all()
    assert aspect.std() > 0.1
    assert out.amin() >= 0
    assert out.amax() <= ramp.amax()


def test_grey_pictures_have_three_equal_channels_and_their_old_brightness() -> None:
    out = altered({"grey": 1.0}, X.float())
    assert torch.allclose(out[:, 0], out[:, 1], atol=1e-3)
    assert torch.allclose(out.mean(1), X.float().mean(1), atol=1e-3)
    some = altered({"grey": 0.5}, X.float())
    greyed = (some.amax(1) - some.amin(1)).amax((1, 2)) < 1e-2
    assert 0 < greyed.sum() < 16
    assert torch.allclose(some[~greyed], X.float()[~greyed], atol=1e-2)


def test_hue_turns_colours_and_saturation_stretches_them_about_grey() -> None:
    x = X.float()
    mean = x.mean(1, keepdim=True)
    turned, stretched = altered({"hue_degrees": 90.0}, x), altered({"saturation": 0.5}, x)
    for out in (turned, stretched):
        assert torch.allclose(out.mean(1, keepdim=True), mean, atol=1e-3)
        assert not torch.allclose(out, x, atol=1.0)
    assert torch.allclose((turned - mean).norm(dim=1), (x - mean).norm(dim=1), atol=1e-2)
    factor = ((stretched - mean) / (x - mean)).flatten(1).nanmedian(1).values
    assert torch.allclose(stretched - mean, factor[:, None, None, None] * (x - mean), atol=1e-2)
    assert factor.min() > 0.49
    assert factor.max() < 1.51
    both = altered({"hue_degrees": 90.0, "saturation": 0.5}, x)  # the same key draws the same factors
    assert torch.allclose((both - mean).norm(dim=1), (stretched - mean).norm(dim=1), atol=1e-2)


def test_blur_keeps_the_sum_of_a_point_and_spreads_it() -> None:
    x = torch.zeros(32, 1, 21, 21)
    x[:, :, 10, 10] = 1
    spec = Spec(("channel", "height", "width"), (1, 21, 21), "float32", centre=(0.0,), spread=(1.0,))
    out = altered({"blur": 2.0}, x, spec=spec)
    assert torch.allclose(out.sum((1, 2, 3)), torch.ones(32), atol=1e-4)
    deviation = ((torch.arange(21.0) - 10) ** 2 * out.sum((1, 2))).sum(1).sqrt()
    assert deviation.max() < 2.0
    assert deviation.std() > 0.3


def test_pictures_of_one_channel_have_no_colours_to_change() -> None:
    x = X[:, :1]
    assert torch.equal(altered({"saturation": 0.5, "hue_degrees": 40.0, "grey": 1.0}, x), x)


def test_nothing_asked_is_nothing_done_and_typing_errors_are_named() -> None:
    assert alter(SPEC, {}) is None
    assert alter(SPEC, {"shift": 0, "flip": False}) is None
    with pytest.raises(
        UsageError, match=r"no line 'training.alter.shfit' for images; did you mean 'shift'\?"
    ):
        alter(SPEC, {"shfit": 1})
    with pytest.raises(UsageError, match=r"must be 0 \(not at all\) or more, got '-1'"):
        alter(SPEC, {"zoom": -1})
    with pytest.raises(UsageError, match="crop is a share of the area below 1, got 1"):
        alter(SPEC, {"crop": 1})

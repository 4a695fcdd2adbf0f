from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.errors import UsageError
from layerwise.nn import LogMel
from layerwise.nn.spectrum import mel_corners, mel_filters
from layerwise.spec import Spec
from layerwise.values import Padded


def sound(rate_hz: float) -> Spec:
    return Spec(("time",), (None,), "int16", rate_hz=rate_hz, longest=4000)


def test_log_mel_is_numpys() -> None:
    rng = np.random.default_rng(0)
    samples = rng.integers(-20000, 20000, 4001).astype(np.int16)
    stage = LogMel(sound(8000), bands=20).eval()
    x = np.concatenate([samples / 32768, np.zeros(200)])
    frames = 1 + int(np.ceil((4001 - 200) / 80))
    window = np.hanning(201)[:200]
    hz = np.arange(129) * 8000 / 256
    mels = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 22)
    corners = 700 * (10 ** (mels / 2595) - 1)
    bank = np.stack([np.interp(hz, corners[i : i + 3], [0, 1, 0]) for i in range(20)])
    bank /= bank.sum(1, keepdims=True)
    expected = np.empty((frames, 20))
    for i in range(frames):
        power = np.abs(np.fft.rfft(x[80 * i : 80 * i + 200] * window, 256)) ** 2 / (window**2).sum()
        expected[i] = np.log(bank @ power + 1e-9)
    y = stage(torch.from_numpy(samples)[None])[0, :, 0]
    scale = (1 + stage.norm.eps) ** 0.5  # first running statistics: mean 0, variance 1
    np.testing.assert_allclose(y.numpy() * scale, expected, rtol=1e-3, atol=1e-3)
    as_float = stage(torch.from_numpy(samples / 32768).float()[None])[0, :, 0]
    torch.testing.assert_close(as_float, y, rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(
    rate=st.floats(50, 200_000),
    bands=st.integers(1, 128),
    transform=st.sampled_from([16, 64, 512, 4096]),
    low=st.floats(0, 0.4),
)
def test_no_filter_is_empty_or_a_copy(rate: float, bands: int, transform: int, low: float) -> None:
    corners = mel_corners(rate, transform, bands, low * rate / 2, rate / 2)
    filters = mel_filters(rate, transform, corners)
    assert 1 <= filters.shape[1] <= bands
    assert np.isfinite(filters).all()
    np.testing.assert_allclose(filters.sum(0), 1, rtol=1e-5)
    assert len(np.unique(filters > 0, axis=1).T) == filters.shape[1]


@pytest.mark.parametrize(("rate", "bands"), [(600, 9), (8000, 64), (16_000, 64), (44_100, 64), (81_920, 64)])
def test_any_rate(rate: int, bands: int) -> None:
    stage = LogMel(sound(rate)).eval()
    seconds = np.arange(2 * rate) / rate
    tone = torch.from_numpy(np.sin(2 * np.pi * rate / 5 * seconds)).float()[None]
    spec = stage.spec(sound(rate))
    y = stage(tone)
    assert y.shape[2:] == (1, bands) == spec.shape[1:]
    loudest = int(y[0, 3:-5, 0].mean(0).argmax())
    hz = np.arange(stage.transform // 2 + 1) * rate / stage.transform
    peak = (stage.filters[:, loudest].numpy() * hz).sum()
    assert abs(peak - rate / 5) < 3 * rate / stage.transform + rate / 20
    assert spec.rate_hz == pytest.approx(rate / round(rate * 0.01))


def test_a_band_of_its_own() -> None:
    stage = LogMel(sound(8000), low_hz=500, high_hz=99_999, bands=16)
    seen = stage.filters.sum(1).nonzero().flatten() * 8000 / stage.transform
    assert seen.min() > 500
    assert seen.max() < 4000


def test_context_removes_the_level() -> None:
    stage = LogMel(sound(1000), bands=8, context=100.0).eval()
    x = torch.randn(3, 2000, generator=torch.Generator().manual_seed(0)) * 0.1
    torch.testing.assert_close(stage(x * 7), stage(x), rtol=1e-3, atol=1e-3)
    mean = stage(Padded(x, torch.tensor([2000, 700, 300]))).values.sum(1)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low_hz": 5000.0}, "low_hz must be below 4000 Hz, got 5000"),
        ({"low_hz": 10.0, "high_hz": 11.0}, "no frequency of a window"),
        ({"window_seconds": 100.0, "bands": 1000}, "are too many"),
        ({"window_seconds": -1.0}, "window_seconds of LogMel must be a number from"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LogMel.from_spec(sound(8000), **options)


def test_a_rate_is_needed() -> None:
    with pytest.raises(UsageError, match="sampling rate"):
        LogMel.from_spec(Spec(("time",), (None,), "int16"))

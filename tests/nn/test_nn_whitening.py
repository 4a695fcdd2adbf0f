"""Whitening: flat spectra of pictures whose spectrum falls, no edges where there are none."""

import pytest
import torch

from layerwise.errors import UsageError
from layerwise.nn import Whitening
from layerwise.nn.stage import IMAGE
from layerwise.spec import Spec

SPEC = Spec(IMAGE, (1, 48, 40))


def falling(n: int) -> torch.Tensor:
    """Pictures (n, 1, 96, 80) whose amplitudes fall as 1 / f, with random phases."""
    noise = torch.fft.rfft2(torch.randn(n, 1, 96, 80, generator=torch.Generator().manual_seed(1)))
    f = torch.hypot(torch.fft.fftfreq(96)[:, None], torch.fft.rfftfreq(80))
    f[0, 0] = 1
    return torch.fft.irfft2(noise / f, s=(96, 80))


def test_a_falling_spectrum_becomes_flat():
    x = falling(200)[:, :, :48, :40]
    f = torch.hypot(torch.fft.fftfreq(48)[:, None], torch.fft.rfftfreq(40))
    low, high = (f > 0.05) & (f < 0.12), (f > 0.2) & (f < 0.27)

    def power(pictures):
        mean = torch.fft.rfft2(pictures).abs().square().mean((0, 1))
        return float(mean[low].mean() / mean[high].mean())

    assert power(x) > 5
    assert 0.7 < power(Whitening.from_spec(SPEC)(x)) < 1.6


def test_pictures_have_mean_0_and_deviation_1_whatever_their_light():
    x = 50 * torch.rand(4, 1, 48, 40) + 100
    y = Whitening.from_spec(SPEC)(x)
    torch.testing.assert_close(y.mean((1, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std((1, 2, 3), correction=0), torch.ones(4))
    torch.testing.assert_close(Whitening.from_spec(SPEC)(0.3 * x - 7), y, atol=1e-3, rtol=0)
    assert torch.isfinite(Whitening.from_spec(SPEC)(torch.full((1, 1, 48, 40), 9, dtype=torch.uint8))).all()


def test_the_border_of_a_picture_is_no_edge():
    """From bright at one side to dark at the other: a jump if pictures went on periodically."""
    shifted = torch.cat([torch.linspace(0.5, 1, 20), torch.linspace(0, 0.5, 20)]).expand(1, 1, 48, 40)
    jump = Whitening.from_spec(SPEC)(shifted)[0, 0]
    assert jump[:, 19:21].abs().mean() > 2 * jump[:, 0].abs().mean()


def test_only_pictures_are_whitened():
    with pytest.raises(UsageError, match="takes images"):
        Whitening.from_spec(Spec(("feature",), (9,)))
    with pytest.raises(UsageError, match="cutoff"):
        Whitening.from_spec(SPEC, cutoff=3.0)

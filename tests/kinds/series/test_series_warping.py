"""Dynamic time warping against its definition."""

import numpy as np
import pytest

from layerwise.kinds.series.warping import warped_distances


def defined(a: np.ndarray, b: np.ndarray, band: int) -> float:
    """The recursion as Sakoe and Chiba 1978 write it, in float64."""
    steps = len(a)
    d = np.full((steps + 1, steps + 1), np.inf)
    d[0, 0] = 0
    for i in range(1, steps + 1):
        for j in range(max(1, i - band), min(steps, i + band) + 1):
            cost = float(np.square(a[i - 1] - b[j - 1]).sum())
            d[i, j] = cost + min(d[i - 1, j], d[i, j - 1], d[i - 1, j - 1])
    return float(np.sqrt(d[steps, steps]))


@pytest.mark.parametrize("window", [0.0, 0.1, 0.3, 1.0])
@pytest.mark.parametrize(("steps", "channels"), [(1, 1), (2, 3), (13, 1), (20, 4)])
def test_distances_are_those_of_the_definition(steps: int, channels: int, window: float) -> None:
    rng = np.random.default_rng(steps)
    x, y = rng.normal(size=(4, steps, channels)), rng.normal(size=(3, steps, channels))
    found = warped_distances(x.astype(np.float32), y.astype(np.float32), window=window)
    expected = [[defined(a, b, round(window * steps)) for b in y] for a in x]
    assert found == pytest.approx(np.array(expected), rel=1e-5)


def test_no_window_is_euclid_and_a_shift_costs_little() -> None:
    t = np.linspace(0, 6, 60)
    x = np.sin(t - np.array([[0.0], [0.4]]))[:, :, None].astype(np.float32)
    straight, bent = warped_distances(x, x, window=0.0), warped_distances(x, x)
    assert straight[0, 1] == pytest.approx(np.linalg.norm(x[0] - x[1]), rel=1e-5)
    assert bent[0, 1] < straight[0, 1] / 2
    assert (np.diag(bent) == 0).all()
    assert np.allclose(bent, bent.T)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 8, 1)).astype(np.float32), rng.normal(size=(5, 8, 1)).astype(np.float32)
    whole = warped_distances(x, y)
    monkeypatch.setattr("layerwise.kinds.series.warping.BLOCK", 100)
    assert np.array_equal(whole, warped_distances(x, y))
    assert warped_distances(x[:0], y).shape == (0, 5)

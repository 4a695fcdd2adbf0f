"""What series propose, show and are rivalled by."""

import numpy as np
import pytest
import torch

from layerwise.findings import Curves
from layerwise.kinds.base import ONLY
from layerwise.kinds.rivals import challenge
from layerwise.kinds.series import SERIES
from layerwise.nn import build, describe
from layerwise.spec import Spec
from layerwise.tasks import Classify, Forecast, Regress
from layerwise.values import Padded

CLASSES = Classify.fit(list("abc") * 10)
AHEAD = Forecast.fit(np.random.default_rng(0).normal(size=(40, 12)), names=("load",))


def spec(steps: int | None, channels: int = 2, longest: int = 29, rate_hz: float | None = None) -> Spec:
    return Spec(
        ("time", "channel"),
        (steps, channels),
        rate_hz=rate_hz,
        names=tuple(f"channel {i + 1}" for i in range(channels)),
        centre=(0.5,) * channels,
        spread=(2.0,) * channels,
        longest=longest if steps is None else None,
    )


@pytest.mark.parametrize(
    "look", [spec(24, 1), spec(150, 1), spec(1_000, 6), spec(4_000), spec(None), spec(None, 12, 3_000)]
)
@pytest.mark.parametrize("n", [40, 900, 50_000])
def test_the_blueprint_fits_every_look(look: Spec, n: int) -> None:
    for task in (CLASSES, Regress.fit(np.arange(9.0))):
        plan = SERIES.blueprint(look, task, n)
        net = build(plan.network, look, task.outputs).eval()
        values = torch.randn(3, look.shape[0] or 40, look.shape[1] or 1)
        given = Padded(values, torch.tensor([40, 7, 1])).zeroed() if look.padded else values
        assert net(given).shape == (3, task.outputs)
        assert SERIES.alter(look, plan.training.alter) is not None
        assert all(plan.why.values())
        assert len(describe(net, look)) >= 5


def test_lstm_and_branch_fit_too() -> None:
    assert SERIES.branch is not None
    for look in (spec(30), spec(None)):
        given = Padded(torch.randn(2, 30, 2), torch.tensor([30, 30]))
        for network in (SERIES.branch(look), SERIES.likes["lstm"](look, CLASSES, 500).network):
            assert build(network, look, 3).eval()(given if look.padded else given.values).shape == (2, 3)


@pytest.mark.parametrize("make", [SERIES.blueprint, SERIES.likes["lstm"]])
def test_a_forecast_knows_no_level(make: object) -> None:
    look = spec(48, 3)
    plan = make(look, AHEAD, 1_000)  # type: ignore[operator]
    net = build(plan.network, look, AHEAD.outputs).eval()
    past = torch.randn(4, 48, 3)
    assert net(past).shape == (4, 12)
    assert torch.allclose(net(past + 6.0), net(past) + 6.0 / 2.0, atol=1e-4)  # the spread is 2
    assert SERIES.alter(look, plan.training.alter) is None


def data(n: int, seed: int, ragged: bool) -> tuple[dict[str, object], np.ndarray]:
    """Slow and fast waves of any phase."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    lengths = rng.integers(40, 60, n) if ragged else np.full(n, 50)
    x = [
        (np.sin(np.arange(t) / (2 + 2 * k) + rng.uniform(0, 0.5)) + 0.2 * rng.normal(size=t))[:, None].astype(
            np.float32
        )
        for t, k in zip(lengths, y, strict=True)
    ]
    return {ONLY: x if ragged else np.stack(x)}, y


@pytest.mark.parametrize("ragged", [False, True])
def test_every_rival_answers_and_beats_the_most_frequent(ragged: bool) -> None:
    look = spec(None if ragged else 50, 1, longest=60)
    (train, y), (test, truth) = data(60, 0, ragged), data(45, 1, ragged)
    scores = {}
    for rival in SERIES.rivals(look, CLASSES):
        found = challenge(rival, CLASSES, train, {}, y, test, {}, spec=look, seed=0)  # type: ignore[arg-type]
        assert found.shape == (45, 3)
        scores[rival.learner] = float((found.argmax(1) == truth).mean())
    assert scores.pop("majority") == pytest.approx(1 / 3)
    assert min(scores.values()) > 0.5
    assert scores["distances"] > 0.9


def test_forecasts_are_rivalled_in_own_units() -> None:
    look = spec(48, 2)
    t = np.arange(600.0)
    load = 100 + 10 * np.sin(2 * np.pi * t / 24)
    windows = np.stack([np.column_stack([load[i : i + 48], t[i : i + 48]]) for i in range(500)]).astype(
        np.float32
    )
    ahead = np.stack([load[i + 48 : i + 60] for i in range(500)])
    task = Forecast.fit(ahead[:400], names=("load",))
    for rival in SERIES.rivals(look, task):
        found = challenge(
            rival, task, {ONLY: windows[:400]}, {}, ahead[:400], {ONLY: windows[400:]}, {}, spec=look, seed=0
        )
        assert np.abs(found - ahead[400:]).mean() < 0.5


def test_a_series_is_shown_in_its_own_units() -> None:
    look = spec(1_000, 8, rate_hz=1 / 3600)
    x = np.random.default_rng(0).normal(size=(1_000, 8)).astype(np.float32) * np.arange(8)
    found = SERIES.show({ONLY: x}, look)
    assert isinstance(found, Curves)
    assert found.small
    assert found.x_label == "days"
    assert found.x[-1] == pytest.approx(995 / 24)
    assert list(found.lines) == [f"channel {i}" for i in range(3, 9)]
    assert len(found.x) == len(found.lines["channel 3"]) == 200
    assert found.lines["channel 8"][1] == pytest.approx(float(x[5, 7]))


def test_masks_are_not_drawn() -> None:
    look = spec(20, 2).but(names=("a", "a known"))
    found = SERIES.show({ONLY: np.zeros((20, 2), np.float32)}, look)
    assert isinstance(found, Curves)
    assert list(found.lines) == ["a"]
    assert found.x_label == "step"


def test_first_kernels_are_drawn() -> None:
    look = spec(150, 4)
    net = build(SERIES.blueprint(look, CLASSES, 50).network, look, 3)
    found = SERIES.filters(net.conv1, look)
    assert found is not None
    assert len(found.tiles) == 48
    curve = found.tiles[5].media
    assert isinstance(curve, Curves)
    assert len(curve.x) == 7
    assert len(curve.lines) == 3
    weights = net.conv1.kernel.weight[5].detach().numpy()
    for name, line in curve.lines.items():
        assert line == pytest.approx(weights[int(name[-1]) - 1])
    assert SERIES.filters(net.pool, look) is None
    assert SERIES.filters(net.conv1, Spec(("feature",), (3,))) is None


def test_a_linear_forecast_shows_how_the_past_counts() -> None:
    look = spec(48, 3)
    net = build(SERIES.blueprint(look, AHEAD, 1_000).network, look, 12)
    found = SERIES.filters(net.norm.net.linear, look)
    assert found is not None
    assert [tile.caption for tile in found.tiles] == [
        f"{part}, {h} ahead" for part in ("trend", "remainder") for h in (1, 7, 12)
    ]
    curve = found.tiles[0].media
    assert isinstance(curve, Curves)
    assert (curve.x[0], curve.x[-1]) == (-47, 0)

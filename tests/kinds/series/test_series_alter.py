"""Changes of training series."""

import numpy as np
import pytest
import torch

from layerwise.errors import UsageError
from layerwise.kinds.series import SERIES
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Batch, Padded, Value

SPEC = Spec(
    ("time", "channel"), (None, 2), names=("a", "b"), centre=(1.0, 50.0), spread=(2.0, 10.0), longest=40
)
ALL = {"shift": 0.1, "crop": 0.2, "warp": 0.1, "scale": 0.2, "level": 0.5, "noise": 0.2, "gap": 0.3}


def series(n: int = 6, steps: int = 40) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.tensor(rng.normal(size=(n, steps, 2)).cumsum(1) * 2 + [1, 50], dtype=torch.float32)


def altered(options: dict[str, float], given: Value, key: int = 1, spec: Spec = SPEC) -> Value:
    change = SERIES.alter(spec, options)
    assert change is not None
    n = len(given.lengths) if isinstance(given, Padded) else len(given)
    return change(Batch(given, None, None, torch.arange(n)), Randomness(key)).inputs


@pytest.mark.parametrize("options", [{name: amount} for name, amount in ALL.items()] + [ALL])
def test_alterations_repeat_and_keep_lengths_and_padding(options: dict[str, float]) -> None:
    given = Padded(series(4), torch.tensor([40, 17, 1, 0])).zeroed()
    before = given.values.clone()
    once, again, other = (altered(options, given, key) for key in (1, 1, 2))
    assert isinstance(once, Padded)
    assert isinstance(other, Padded)
    assert torch.equal(once.values, again.values)  # type: ignore[union-attr]
    assert not torch.equal(once.values, other.values)
    assert torch.equal(once.lengths, given.lengths)
    assert (once.values[~once.mask()] == 0).all()
    assert torch.isfinite(once.values).all()
    assert torch.equal(given.values, before)


@pytest.mark.parametrize("options", [{"shift": 0.1}, {"crop": 0.3}, {"warp": 0.1}])
def test_moving_time_reads_within_each_series(options: dict[str, float]) -> None:
    rising = torch.arange(30.0)[:, None].expand(5, 30, 2)
    lengths = torch.tensor([30, 20, 10, 30, 2])
    out = altered(options, Padded(rising, lengths).zeroed())
    assert isinstance(out, Padded)
    for one, length in zip(out.values, lengths.tolist(), strict=True):
        assert (one[:length].diff(dim=0) >= -1e-5).all()  # time never runs back
        assert one[:length].max() <= length - 1 + 1e-5
        assert one[:length].min() >= 0


def test_a_shift_of_nothing_and_a_crop_keep_the_ends_within_reach() -> None:
    rising = torch.arange(101.0)[:, None].expand(50, 101, 2)
    out = altered({"shift": 0.1}, rising)
    assert isinstance(out, torch.Tensor)
    moved = out[:, 50, 0] - 50
    assert moved.abs().max() <= 10.001
    assert moved.std() > 3


def test_amounts_are_in_standard_deviations_of_the_channel() -> None:
    flat = torch.tensor(SPEC.centre).expand(400, 3, 2)
    out = altered({"level": 0.5}, flat)
    assert isinstance(out, torch.Tensor)
    off = ((out - flat) / torch.tensor(SPEC.spread))[:, 0]
    assert off.abs().amax(0).tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    noisy = altered({"noise": 0.5}, flat)
    assert isinstance(noisy, torch.Tensor)
    ratio = (noisy - flat).flatten(0, 1).std(0) / torch.tensor(SPEC.spread)
    assert float(ratio[0]) == pytest.approx(float(ratio[1]), rel=0.1)


def test_a_gap_lies_at_the_mean() -> None:
    out = altered({"gap": 0.5}, series() + 100)
    assert isinstance(out, torch.Tensor)
    gone = (out == torch.tensor(SPEC.centre)).all(-1)
    assert 0 < gone.sum(1).max() <= 21
    assert torch.allclose(out[~gone], (series() + 100)[~gone])


def test_masks_stay_masks() -> None:
    spec = SPEC.but(names=("a", "a known"), centre=(1.0, 0.0), spread=(2.0, 1.0), shape=(40, 2), longest=None)
    given = series()
    given[..., 1] = 1.0
    out = altered(ALL, given, spec=spec)
    assert isinstance(out, torch.Tensor)
    assert torch.equal(out[..., 1], given[..., 1])
    assert not torch.equal(out[..., 0], given[..., 0])


def test_names_and_amounts_are_checked() -> None:
    assert SERIES.alter(SPEC, {}) is None
    assert SERIES.alter(SPEC, {"warp": 0}) is None
    with pytest.raises(UsageError, match=r"no line 'training.alter.wrap' for series; did you mean 'warp'\?"):
        SERIES.alter(SPEC, {"wrap": 1})
    with pytest.raises(UsageError, match="must be 0"):
        SERIES.alter(SPEC, {"noise": -1})

"""How series become numbers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as made

from layerwise.data.source import Column
from layerwise.errors import DataError, UsageError
from layerwise.kinds.base import ONLY, Read
from layerwise.kinds.series import SERIES
from layerwise.kinds.series.reader import SeriesReader
from layerwise.spec import Spec

RNG = np.random.default_rng(0)


def fitted(
    values: object, *, rate_hz: float | None = None, channels: tuple[str, ...] = (), **chosen: object
) -> SeriesReader:
    column = Column("x", "arrays", values, rate_hz, channels)
    return SeriesReader(**chosen).fit({"x": column}, np.arange(len(column)))  # type: ignore[arg-type]


def read(reader: SeriesReader, values: object) -> Read:
    return reader.read({"x": values})  # type: ignore[dict-item]


def ragged(*lengths: int, channels: int = 2) -> list[np.ndarray]:
    return [RNG.normal(size=(n, channels)) for n in lengths]


def test_series_of_one_length() -> None:
    x = RNG.normal(3, 2, (50, 30, 2)) * [1, 10]
    reader = fitted(x, rate_hz=360.0, channels=("left", "right"))
    spec = reader.spec
    assert (spec.axes, spec.shape, spec.rate_hz, spec.longest) == (("time", "channel"), (30, 2), 360.0, None)
    assert spec.names == ("left", "right")
    assert spec.centre == pytest.approx(x.mean((0, 1)), rel=1e-5)
    assert spec.spread == pytest.approx(x.std((0, 1)), rel=1e-5)
    found = read(reader, x)
    assert np.array_equal(found.values[ONLY], x.astype(np.float32))
    assert (found.facts["steps"] == 30).all()


def test_flat_rows_are_one_channel() -> None:
    reader = fitted(RNG.integers(-900, 900, (20, 30)).astype(np.int16))
    assert reader.spec.shape == (30, 1)
    assert reader.spec.names == ("value",)
    assert reader.spec.dtype == "float32"


def test_series_of_unequal_length() -> None:
    x = ragged(7, 29, 12)
    reader = fitted(x)
    assert reader.spec.shape == (None, 2)
    assert reader.spec.longest == 29
    found = read(reader, x).values[ONLY]
    assert [len(one) for one in found] == [7, 29, 12]


def test_a_list_may_hold_other_lengths_later() -> None:
    reader = fitted(ragged(9, 9, 9))
    assert reader.spec.padded
    assert len(read(reader, ragged(5)).kept) == 1


def test_rows_filled_up_with_missing_values_end_early() -> None:
    x = RNG.normal(size=(40, 20))
    for i in range(0, 40, 2):
        x[i, 10:] = np.nan
    reader = fitted(x)
    assert reader.spec.padded
    assert [len(one) for one in read(reader, x[:2]).values[ONLY]] == [10, 20]


def test_a_rare_missing_end_is_filled() -> None:
    x = RNG.normal(size=(100, 20, 1))
    x[3, -1] = np.nan
    reader = fitted(x)
    assert reader.spec.shape == (20, 1)
    found = read(reader, x[3:4])
    assert found.values[ONLY][0, -1, 0] == np.float32(x[3, -2, 0])
    assert found.facts["missing"] == pytest.approx([0.05])


def test_gaps_lie_on_the_line_between_neighbours() -> None:
    x = np.tile(np.arange(20.0)[:, None], (100, 1, 2))
    gappy = x.copy()
    gappy[0, 5:8, 0] = np.nan
    gappy[0, 0, 1] = np.inf  # no number either
    found = read(fitted(x), gappy[:1]).values[ONLY]
    assert np.allclose(found[0, :, 0], x[0, :, 0])
    assert found[0, 0, 1] == 1


def test_frequent_gaps_are_told() -> None:
    x = RNG.normal(size=(50, 20, 2))
    x[:, ::3, 1] = np.nan
    reader = fitted(x, channels=("a", "b"))
    assert reader.choices()[0]["gaps"] == "mask"
    assert reader.spec.names == ("a", "b", "b known")
    assert reader.spec.centre[2:] == (0.0,)
    assert reader.spec.spread[2:] == (1.0,)
    found = read(reader, x).values[ONLY]
    assert np.array_equal(found[..., 2], np.isfinite(x[..., 1]).astype(np.float32))
    assert fitted(x, gaps="interpolate").spec.shape == (20, 2)


def test_a_channel_without_values_lies_at_the_training_mean() -> None:
    x = RNG.normal(5, 1, (50, 20, 2))
    reader = fitted(x)
    lost = x[:1].copy()
    lost[:, :, 1] = np.nan
    assert np.allclose(read(reader, lost).values[ONLY][0, :, 1], reader.spec.centre[1])


def test_long_series_are_thinned_with_a_reason() -> None:
    x = np.arange(10.0)[None, :, None].repeat(30, 0)
    reader = fitted(x, steps=4, rate_hz=30.0)
    assert reader.spec.shape == (4, 1)
    assert reader.spec.rate_hz == pytest.approx(10.0)
    assert read(reader, x[:1]).values[ONLY][0, :, 0].tolist() == [1, 4, 7, 9]
    long = fitted(np.zeros((3, 9_000)) + RNG.normal(size=(3, 1)))
    assert long.spec.shape == (3_000, 1)
    assert long.choices()[1]["steps"] == "9,000 steps: the means of 3 neighbouring ones are kept"


def test_channels_first_are_turned() -> None:
    x = RNG.normal(size=(30, 3, 60)).cumsum(axis=2) + RNG.normal(0, 20, (30, 3, 1))
    reader = fitted(x)
    assert reader.choices()[0]["axes"] == "channel, time"
    assert reader.spec.shape == (60, 3)
    assert np.array_equal(read(reader, x[:1]).values[ONLY][0], x[0].T.astype(np.float32))
    assert fitted(x.transpose(0, 2, 1)).choices()[0]["axes"] == "time, channel"


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (np.zeros((29, 2)), "has 29 steps where 30 were expected"),
        (np.zeros((30, 3)), "has 3 channels where 2 were expected"),
        (np.full((30, 2), np.nan), "all its values are missing"),
        (np.zeros((0, 2)), "holds no values"),
        (np.zeros((2, 30, 2)), "expected \\(T,\\) or \\(T, channels\\)"),
        (np.array([["a"] * 2] * 30), "no series: <U1"),
        (None, "no series"),
    ],
)
def test_what_is_no_such_series_is_rejected(one: object, reason: str) -> None:
    reader = fitted(RNG.normal(size=(10, 30, 2)))
    found = read(reader, [np.ones((30, 2)), one])
    assert found.kept.tolist() == [0]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(found.rejected[1])


def test_nothing_to_read() -> None:
    with pytest.raises(DataError, match="none of 3 training series can be read; the first: all its values"):
        fitted(np.full((3, 20), np.nan))


@pytest.mark.parametrize("wrong", [{"steps": 1}, {"steps": "many"}, {"gaps": "fill"}, {"axes": "time"}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="reading"):
        SeriesReader(**wrong)  # type: ignore[arg-type]


def test_a_constant_channel_keeps_its_scale() -> None:
    assert fitted(np.full((5, 20, 1), 7.0)).spec.spread == (1.0,)


@settings(max_examples=40, deadline=None)
@given(
    made(
        np.float64,
        st.tuples(st.integers(3, 8), st.integers(2, 12), st.integers(1, 3)),
        elements=st.one_of(st.floats(-1e6, 1e6), st.just(np.nan), st.just(np.inf)),
    )
)
def test_reading_is_the_same_after_saving_alone_or_in_company(x: np.ndarray) -> None:
    x[0] = 1.0  # one that can be read
    reader = fitted(x, axes="time, channel")
    plain, arrays = reader.state()
    again = SeriesReader.restore(json.loads(json.dumps(plain)), arrays)
    assert again.spec == reader.spec
    assert again.choices() == reader.choices()
    assert Spec.from_json(json.loads(json.dumps(reader.spec.to_json()))) == reader.spec
    together = read(reader, x)
    for place, row in enumerate(together.kept):
        alone = read(again, x[row : row + 1]).values[ONLY][0]
        assert np.array_equal(alone, together.values[ONLY][place])
        assert np.isfinite(alone).all()


def test_a_state_of_something_else_is_refused() -> None:
    plain, _ = fitted(np.zeros((3, 20, 2))).state()
    for wrong in ({**plain, "channels": 3}, {**plain, "stride": 0}, {**plain, "settings": {"gaps": "x"}}):
        with pytest.raises((ValueError, UsageError)):
            SeriesReader.restore(wrong, {})
    with pytest.raises(KeyError):
        SeriesReader.restore({}, {})


def test_the_kind_has_this_reader() -> None:
    assert SERIES.reader is SeriesReader

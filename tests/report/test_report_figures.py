"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.figures import count, figure, in_bytes, in_seconds, interval, number, share


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0.7134921, 0.655, 0.768), "0.713"),
        ((0.98953, 0.9873, 0.9913), "0.9895"),
        ((1234.56, 1100.0, 1300.0), "1,235"),
        ((-0.0004, -0.011, 0.012), "0.000"),
        ((0.5, 0.5, 0.5), "0.5"),
        ((0.7134921,), "0.713"),
        ((0.043,), "0.043"),
        ((1234.5678,), "1,235"),
        ((7.0,), "7"),
        ((1e-12,), "1e-12"),
        ((math.nan,), "unknown"),
        ((None,), "unknown"),
        ((-math.inf,), "-infinite"),
    ],
)
def test_numbers_have_the_digits_that_their_interval_warrants(given: tuple[float, ...], said: str) -> None:
    assert number(*given) == said


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e3))
def test_what_is_said_is_off_by_less_than_a_tenth_of_the_interval(value: float, half: float) -> None:
    said = float(number(value, value - half, value + half).replace(",", ""))
    assert abs(said - value) <= max(0.1 * half, 0.5)


def test_a_value_is_said_with_its_interval() -> None:
    assert figure(0.7134, 0.655, 0.768) == "0.713 [0.655, 0.768]"
    assert figure(0.7134) == "0.713"
    assert interval(0.655, 0.768) == "0.655 to 0.768"


def test_counts_shares_bytes_and_seconds() -> None:
    assert count(1797) == "1,797"
    assert [share(p) for p in (0, 0.0004, 0.5, 0.981, 0.9995, 1)] == [
        "0 %", "0.04 %", "50.0 %", "98.1 %", "99.95 %", "100 %",
    ]  # fmt: skip
    assert [in_bytes(n) for n in (0, 812, 1200, 999_600, 34e6, 2e12)] == [
        "0 bytes", "812 bytes", "1.2 kB", "1.0 MB", "34 MB", "2.0 TB",
    ]  # fmt: skip
    assert [in_seconds(s) for s in (0.00012, 0.0853, 0.9999, 4.23, 59.7, 220, 3600, 7500)] == [
        "0.12 ms", "85 ms", "1.0 s", "4.2 s", "1 min", "3 min 40 s", "1 h", "2 h 5 min",
    ]  # fmt: skip


@given(st.floats(0, 1e7))
def test_seconds_are_said_to_within_a_twentieth(seconds: float) -> None:
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
    words = in_seconds(seconds).split()
    said = sum(float(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert said == pytest.approx(seconds, rel=0.06, abs=1e-6)

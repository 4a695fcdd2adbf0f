"""Scales: round ticks that hold every value, whatever the values."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from layerwise.report.axes import axis_over

finite = st.floats(-1e12, 1e12, allow_nan=False).map(lambda v: v if abs(v) > 1e-9 else 0.0)


@given(st.lists(finite, min_size=1, max_size=20), st.booleans())
def test_an_axis_holds_its_values_in_order(values: list[float], zero: bool) -> None:
    axis = axis_over(values, zero=zero)
    assert axis.low < axis.high
    assert all(axis.holds(v) for v in values)
    assert not zero or axis.holds(0.0)
    places = [axis.at(v) for v in sorted(values)]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= 100


@given(st.lists(finite, min_size=1, max_size=20))
def test_ticks_are_few_even_and_distinct(values: list[float]) -> None:
    ticks = axis_over(values).ticks
    assert 2 <= len(ticks) <= 9
    steps = [b.at - a.at for a, b in itertools.pairwise(ticks)]
    assert max(steps) - min(steps) <= 0.03
    assert len({t.text for t in ticks}) == len(ticks)


def test_ticks_are_round() -> None:
    assert [t.text for t in axis_over([0.926, 0.994]).ticks] == ["0.92", "0.94", "0.96", "0.98", "1.00"]
    assert [t.text for t in axis_over([-3, 4], zero=True).ticks] == ["−4", "−2", "0", "2", "4"]
    assert [t.text for t in axis_over([1, 30], tight=True).ticks] == ["10", "20", "30"]


def test_values_without_a_place_do_not_count() -> None:
    assert axis_over([1.0, None, math.nan, math.inf, 2.0]) == axis_over([1.0, 2.0])

"""Geometry of charts, tables and galleries."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from reading import png

from layerwise.findings import Bars, Curves, Dots, Gallery, Heat, Image, Scatter, Snippet, Tile
from layerwise.report.charts import heat, marks, plot, scatter
from layerwise.report.media import gallery
from layerwise.report.tables import table


def numbers(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?\d+) (-?\d+)", path)]


def test_curves_run_from_edge_to_edge_upwards() -> None:
    view = plot(Curves([1, 2, 3], {"a": [0.0, 1.0, 2.0]}, "x", "y", "w"))
    assert numbers(view.lines[0].path) == [(0, 1000), (500, 500), (1000, 0)]


def test_a_curve_pauses_where_a_value_is_missing() -> None:
    path = plot(Curves([0, 1, 2, 3], {"a": [0.0, None, 1.0, 2.0]}, "x", "y", "w")).lines[0].path
    assert [c for c in path if c in "ML"] == ["M", "M", "L"]


def test_labels_of_close_lines_stand_apart_and_keep_their_order() -> None:
    lines = {f"line {i}": [0.0, 1.0 - i / 1000] for i in range(6)}
    at = [line.label_at for line in plot(Curves([0, 1], lines, "x", "y", "w")).lines]
    assert at == sorted(at)
    assert min(b - a for a, b in itertools.pairwise(at)) > 7.5


def test_the_numbers_of_a_chart_stand_in_its_table() -> None:
    numbers = plot(Curves([1, 2], {"a": [0.5, None], "b": [0.25, 1.0]}, "epoch", "y", "w")).numbers
    assert numbers is not None
    assert numbers.header == ("epoch", "a", "b")
    assert numbers.rows == (("1", "0.5", "0.25"), ("2", "", "1.00"))


def test_a_long_curve_is_thinned_in_its_table_but_keeps_its_end() -> None:
    numbers = plot(Curves(range(5000), {"a": [float(i) for i in range(5000)]}, "step", "y", "w")).numbers
    assert numbers is not None
    assert len(numbers.rows) <= 201
    assert numbers.rows[-1][0] == "4,999"


def test_points_lie_where_they_are_and_groups_stand_in_the_table() -> None:
    view = scatter(Scatter({"a": ([0.0, 4.0], [0.0, 2.0]), "b": ([2.0], [1.0])}, "x", "y", "w"))
    assert numbers(view.lines[0].points) == [(0, 1000), (1000, 0)]
    assert numbers(view.lines[1].points) == [(500, 500)]
    assert [line.colour for line in view.lines] == [0, 1]
    assert view.numbers is not None
    assert view.numbers.rows == (("a", "2", "1"), ("b", "2", "1"))
    assert not scatter(Scatter({"a": ([], [])}, "x", "y", "w")).lines[0].points


def test_where_colours_come_again_the_points_are_hollow_and_the_lines_dashed() -> None:
    names = "abcdefgh"
    for view in (
        scatter(Scatter({name: ([0.0], [float(i)]) for i, name in enumerate(names)}, "x", "y", "w")),
        plot(Curves([0, 1], {name: [0.0, float(i)] for i, name in enumerate(names)}, "x", "y", "w")),
    ):
        marks = [(line.colour, line.again) for line in view.lines]
        assert len(set(marks)) == len(names)
        assert not any(again for _, again in marks[:6])


def test_dots_lie_between_the_ends_of_their_intervals() -> None:
    view = marks(Dots([("a", 0.5, 0.4, 0.7), ("b", math.nan, None, None)], "x", "w", strong=("a",)))
    first, second = view.marks
    assert first.at is not None
    assert first.start < first.at < first.end
    assert first.strong
    assert second.at is None
    assert second.value == "unknown"


def test_bars_start_at_zero_on_both_sides() -> None:
    low, high = marks(Bars([("a", -3.0), ("b", 4.0)], "x", "w")).marks
    assert low.end == high.start == 50.0
    assert low.value == "−3"


def test_errors_are_stressed_by_their_share_of_the_row() -> None:
    view = heat(Heat([[90, 10], [1, 1]], ["a", "b"], ["a", "b"], "actual", "answered", "w"))
    (right, small), (large, half) = (row.cells for row in view.rows)
    assert right.same
    assert right.strength == 90
    assert half.strength == 50
    assert large.strength == 100
    assert small.strength == 20


def test_a_matrix_too_large_to_read_gives_its_worst_pairs() -> None:
    names = [f"class {i}" for i in range(41)]
    values = [[10.0 * (i == j) for j in range(41)] for i in range(41)]
    values[3][7], values[5][2] = 4.0, 6.0
    worst = heat(Heat(values, names, names, "actual", "answered", "w")).worst
    assert worst is not None
    assert worst.rows == (("class 5", "class 2", "6", "37.5 %"), ("class 3", "class 7", "4", "28.6 %"))
    assert heat(Heat(values[:2], names[:2], names, "a", "b", "w")).worst is not None
    assert heat(Heat([[1.0]], ["a"], ["a"], "a", "b", "w")).worst is None


def test_columns_of_figures_share_their_digits() -> None:
    view = table(
        ["name", "value", "share"],
        [["a", 0.123456, "98.1 %"], ["b", 12.0, "3 %"], ["c", None, ""]],
        words="w",
    )
    assert view.figures == (False, True, True)
    assert [row[1] for row in view.rows] == ["0.1", "12.0", ""]


@pytest.mark.parametrize(
    ("marks", "pieces"),
    [
        ((), ["abcdef"]),
        (((1, 3),), ["a", "[bc]", "def"]),
        (((4, 99), (0, 2), (1, 3)), ["[ab]", "[c]", "d", "[ef]"]),
        (((5, 2), (-3, 1)), ["[a]", "bcdef"]),
    ],
)
def test_a_marked_text_keeps_every_letter_once(marks: tuple[tuple[int, int], ...], pieces: list[str]) -> None:
    view = gallery(Gallery([Tile(Snippet("abcdef", marks))], "w"))
    assert [f"[{p.text}]" if p.marked else p.text for p in view.strips[0].tiles[0].media] == pieces


def test_long_galleries_are_folded_and_units_make_strips() -> None:
    tile = Image(png(), "w")
    many = gallery(Gallery([Tile(tile, str(i)) for i in range(50)], "w"))
    assert len(many.strips[0].tiles) + many.rest == 50
    assert many.rest > 0
    units = gallery(Gallery([Tile(tile, "", f"unit {i // 4}") for i in range(24)], "w"))
    assert [(s.title, len(s.tiles)) for s in units.strips] == [(f"unit {i}", 4) for i in range(6)]

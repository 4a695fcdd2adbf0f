"""Segments on the page: words that are true, and a section for rows with and without segments."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from layerwise.figures import share
from layerwise.findings import Dots, Rows, Scatter, Section
from layerwise.look import segment_section
from layerwise.look.segment import typical
from layerwise.look.segment_labels import labels_by_segment
from layerwise.look.segment_words import Table, cells_of, marks_of
from layerwise.record import from_record, to_record
from layerwise.report.views import view
from layerwise.segments import Cut, cut_codes
from layerwise.spec import Spec

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [60, 40])
NUMBERS = np.column_stack(
    [
        RNG.normal(size=100) + 2 * LABELS,
        np.where(RNG.random(100) < 0.3 * LABELS, np.nan, RNG.normal(size=100)),
        (RNG.random(100) < 0.9) == LABELS,
    ]
).astype(np.float32)
COLOURS = np.where(RNG.random(100) < 0.8, LABELS + 1, 0).astype(np.int32)
SPEC = Spec(
    columns={
        "numbers": Spec(
            ("feature",), (3,), names=("balance", "age", "member"), centre=(0.0,) * 3, spread=(1.0,) * 3
        ),
        "categories": Spec(
            ("category",),
            (1,),
            "int32",
            sizes=(3,),
            tokens=(("(rare or new)", "red", "<b>blue"),),
            names=("colour",),
        ),
    }
)
VALUES = {"numbers": NUMBERS, "categories": COLOURS[:, None]}
IDS = [f"row {i}" for i in range(100)]
TABLE = Table(VALUES, SPEC, IDS)


def test_dates_are_told_as_dates() -> None:
    """A day for medians, and for the values of a column of few; what is called like one and is none stays a number."""
    opened = 18262.0 + 400 * LABELS + RNG.integers(0, 30, 100)  # from 2020-01-01 on
    closed = 20454.0 + LABELS  # 2026-01-01 and the day after
    numbers = np.column_stack([opened, closed, opened]).astype(np.float32)
    names = ("opened: days since 1970", "closed: days since 1970", "x: days since 1970")
    own = Spec(("feature",), (3,), names=names, days=((0, "opened"), (1, "closed")))
    words = {
        m.column: m.words
        for m in marks_of(Table({"numbers": numbers}, Spec(columns={"numbers": own}), IDS), LABELS, 1)
    }
    day = np.datetime64(int(np.median(opened[LABELS == 1])), "D")
    assert words["opened"].startswith(f"late opened (median {day}, others 2020-01-")
    assert words["closed"] == "closed mostly 2026-01-02 (100 %, others 0 %)"
    assert words["x: days since 1970"].startswith("high x: days since 1970 (median 18,6")


def by_pairs(own: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean([np.sign(a - b) for a, b in itertools.product(own, other)]))


def test_the_effect_is_that_of_all_pairs_of_rows() -> None:
    marks = {m.column: m for m in marks_of(TABLE, LABELS, 1)}
    inside = LABELS == 1
    balance = NUMBERS[:, 0].astype(float)
    assert marks["balance"].effect == pytest.approx(by_pairs(balance[inside], balance[~inside]))
    gone = np.isnan(NUMBERS[:, 1]).astype(float)
    assert marks["age"].effect == pytest.approx(by_pairs(gone[inside], gone[~inside]))
    assert marks["age"].words.startswith("age more often missing")
    shares = [(t == COLOURS).astype(float) for t in range(3)]
    assert abs(marks["colour"].effect) == pytest.approx(
        max(abs(by_pairs(s[inside], s[~inside])) for s in shares)
    )


def test_words_say_how_it_is_here_and_elsewhere() -> None:
    words = {m.column: m.words for m in marks_of(TABLE, LABELS, 1)}
    assert words["balance"].startswith("high balance (median ")
    assert words["colour"].startswith(("colour mostly <b>blue (", "colour seldom red ("))
    assert list(words) == [m.column for m in sorted(marks_of(TABLE, LABELS, 1), key=lambda m: -abs(m.effect))]


def test_counts_of_the_same_median_are_told_by_their_means() -> None:
    visits = np.concatenate([np.resize([0, 1, 2, 2, 3], 60), np.resize([2, 2, 2, 4, 9], 40)])
    spec = Spec(
        columns={"numbers": Spec(("feature",), (1,), names=("visits",), centre=(0.0,), spread=(1.0,))}
    )
    [mark] = marks_of(Table({"numbers": visits[:, None].astype(np.float32)}, spec, IDS), LABELS, 1)
    assert mark.words == "high visits (mean 3.8, others 1.6)"


def test_typical_rows_stand_there_with_what_sets_them_apart(cut: Cut, section: Section) -> None:
    assert cut.labels is not None
    rows = typical(cut, cut.labels, 1)
    marks = [m.column for m in marks_of(TABLE, LABELS, 1)]
    table = section.parts[1].findings[1].pictures[0]
    assert isinstance(table, Rows)
    assert table.header == ["row", "probability", *marks]
    cells = cells_of(TABLE, rows)
    for row, at in zip(table.rows, rows, strict=True):
        told = dict(zip(table.header, row, strict=True))
        assert told["row"] == IDS[at]
        assert np.float32(told["balance"]) == NUMBERS[at, 0]
        assert told["colour"] == ("(rare or new)", "red", "<b>blue")[COLOURS[at]]
    assert [v is None for v in cells["age"]] == np.isnan(NUMBERS[rows, 1]).tolist()


def test_what_does_not_differ_is_not_said() -> None:
    noise = {
        "numbers": RNG.normal(size=(100, 3)).astype(np.float32),
        "categories": np.ones((100, 1), np.int32),
    }
    assert len(marks_of(Table(noise, SPEC, IDS), np.tile([0, 1], 50), 0)) <= 1
    assert marks_of(TABLE, np.zeros(100, int), 0) == []


@pytest.fixture(scope="module")
def cut() -> Cut:
    codes = RNG.normal(size=(100, 3)) + 6 * np.eye(3)[LABELS]
    return cut_codes(codes, number=2, seed=0)


@pytest.fixture(scope="module")
def section(cut: Cut) -> Section:
    return segment_section(cut, TABLE)


def test_the_section_tells_each_segment(cut: Cut, section: Section) -> None:
    assert [p.name for p in section.parts] == ["segments.1", "segments.2"]
    assert "Segment 1, 60 % of rows" in section.parts[0].heading.replace("60.0", "60")
    assert "balance" in section.parts[0].heading
    names = {f.name for f in section.findings}
    assert names >= {"segments", "segments.stability", "segments.sizes", "segments.map", "segments.rival"}
    scatter = next(p for f in section.findings for p in f.pictures if isinstance(p, Scatter))
    assert sum(len(xs) for xs, _ in scatter.groups.values()) == 100


def test_the_section_can_be_kept_and_drawn(section: Section) -> None:
    kept = to_record([section])
    assert to_record(from_record(kept)) == kept
    assert any(p["type"] == "scatter" for f in kept[0]["findings"] for p in f.get("pictures", ()))
    drawn = view([section])[0]
    plots = [p.drawn for f in drawn.findings for p in f.pictures if p.drawn.kind == "plot"]
    assert len(plots) == 1
    assert plots[0].cloud
    assert sum(line.points.count("h0") for line in plots[0].lines) == 100


def test_typical_rows_are_of_the_segment_and_near_its_middle(cut: Cut) -> None:
    assert cut.labels is not None
    rows = typical(cut, cut.labels, 1)
    assert set(cut.labels[rows]) == {1}
    inside = np.flatnonzero(cut.labels == 1)
    middle = np.median(cut.traits.scores[inside], axis=0)
    far = np.linalg.norm(cut.traits.scores - middle, axis=1)
    assert far[rows].max() <= np.sort(far[inside])[len(rows) - 1] + 1e-12


def test_rows_without_segments_are_told_so(cut: Cut) -> None:
    none = replace(cut, segments=replace(cut.segments, rule=None, why="two halves do not agree"), net=None)
    found = segment_section(none, TABLE)
    assert found.heading == "The 100 rows make no segments."
    assert found.findings[0].sentence == "No segments: two halves do not agree."
    assert not found.parts
    assert view([found])


def test_labels_that_were_not_looked_at_are_told_by_segment() -> None:
    """Of two classes the rarer one; of more those that differ most, and all of them; of numbers the mean."""
    paid = np.where(np.arange(100) % np.where(LABELS == 1, 2, 10) == 0, "no", "yes").astype(object)
    paid[3] = None
    found = labels_by_segment("paid", paid, LABELS, 2)
    unpaid = share((paid[LABELS == 1] == "no").mean())
    assert found.sentence == f"paid is no in {unpaid} of segment 2 and in 10.2 % of segment 1."
    assert found.n == 99
    [dots] = found.pictures
    assert isinstance(dots, Dots)
    assert [row[0] for row in dots.rows] == ["segment 2", "segment 1"]
    colour = np.array(["red", "green", "blue"], object)[np.arange(100) % 3]
    colour[LABELS == 1] = "<b>"
    found = labels_by_segment("colour", colour, LABELS, 2)
    assert found.sentence == "colour is <b> in 100 % of segment 2 and in 0 % of segment 1."
    assert isinstance(found.pictures[1], Rows)
    assert found.pictures[1].rows[0][1:] == [60, "0 %", "33.3 %", "33.3 %", "33.3 %"]
    price = np.where(LABELS == 1, 5.0, 1.0) + np.tile([-0.5, 0.5], 50)
    price[0] = np.nan
    found = labels_by_segment("price", price, LABELS, 2)
    assert found.sentence.startswith(
        "price is highest on average in segment 2 (5), lowest in segment 1 (1.01"
    )
    assert all(low < value < high for _, value, low, high in found.pictures[0].rows)

"""The table reader: what columns are, what comes out, and that it stays so."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data.source import Column
from layerwise.errors import DataError, UsageError
from layerwise.kinds import TABLE
from layerwise.kinds.table.reader import CATEGORIES, NUMBERS, TableReader


def columns(**cells: Any) -> dict[str, Column]:
    return {
        name: Column(name, "cells", pl.Series(name, values, strict=False)) for name, values in cells.items()
    }


def fitted(found: dict[str, Column], rows: np.ndarray | None = None, **setting: Any) -> TableReader:
    n = len(next(iter(found.values())))
    reader = TABLE.reader(**setting).fit(found, np.arange(n) if rows is None else rows)
    assert isinstance(reader, TableReader)
    return reader


def people(n: int = 120, seed: int = 0) -> dict[str, Column]:
    rng = np.random.default_rng(seed)
    words = rng.choice(["cheap", "roof", "garden", "old", "sunny", "loud", "near", "lake"], (n, 6))
    return columns(
        person_id=[f"p{i}" for i in range(n)],
        row=list(range(n)),
        age=[None if i % 10 == 0 else int(a) for i, a in enumerate(rng.integers(18, 90, n))],
        income=[f"{v:,.0f}" if i % 20 else "n/a" for i, v in enumerate(rng.normal(50_000, 9_000, n))],
        town=rng.choice(["Ulm", "Bonn", "Kiel"], n).tolist(),
        zip=[f"0{z}" for z in rng.integers(100, 110, n)],
        since=[f"20{10 + i % 10}-0{1 + i % 9}-15" for i in range(n)],
        member=rng.random(n) < 0.5,
        country=["DE"] * n,
        note=[" ".join(w) if i % 4 else None for i, w in enumerate(words)],
    )


def test_columns_are_what_they_look_like() -> None:
    reader = fitted(people())
    chosen, why = reader.choices()
    assert chosen["columns"] == {
        "person_id": "left out", "row": "left out", "age": "number", "income": "number", "town": "category",
        "zip": "category", "since": "date", "member": "number", "country": "left out", "note": "text",
    }  # fmt: skip
    for said in (
        "a name of its own for every row",
        "a number of its own",
        "the same in every row",
        "no numbers",
    ):
        assert said in why["columns"]
    assert set(reader.spec.columns) == {NUMBERS, CATEGORIES, "text_note"}


def test_values_fit_their_spec() -> None:
    found = people()
    reader = fitted(found)
    read = reader.read({name: c.values for name, c in found.items()})
    numbers, categories = read.values[NUMBERS], read.values[CATEGORIES]
    spec = reader.spec
    assert numbers.shape == (120, *spec.columns[NUMBERS].shape)
    assert numbers.dtype == np.float32
    assert categories.dtype == np.int32
    assert (categories.max(0) < spec.columns[CATEGORIES].sizes).all()
    assert all(
        len(t) == s
        for t, s in zip(spec.columns[CATEGORIES].tokens, spec.columns[CATEGORIES].sizes, strict=True)
    )
    names = spec.columns[NUMBERS].names
    assert names[-1] == "note is missing"
    assert np.isnan(numbers[::10, names.index("age")]).all()
    assert numbers[:, -1].tolist() == [float(i % 4 == 0) for i in range(120)]
    notes = read.values["text_note"]
    assert [len(t) == 0 for t in notes] == [i % 4 == 0 for i in range(120)]
    assert read.kept.tolist() == list(range(120))
    for edges, column in zip(spec.columns[NUMBERS].edges, numbers.T, strict=True):
        assert len(edges) >= 2
        assert all(a < b for a, b in pairwise(edges))
        assert edges[0] <= np.nanmin(column)
        assert edges[-1] >= np.nanmax(column)


def test_reading_is_the_same_after_save_and_load_and_copy() -> None:
    found = people()
    reader = fitted(found)
    plain, arrays = reader.state()
    again = TABLE.reader.restore(json.loads(json.dumps(plain)), arrays)
    chunk = {name: c.values for name, c in found.items()}
    first = reader.read(chunk).values
    for other in (again, deepcopy(reader)):
        second = other.read(chunk).values
        assert first.keys() == second.keys()
        for name in first:
            for a, b in zip(first[name], second[name], strict=True):
                np.testing.assert_array_equal(a, b)
    assert again.spec == reader.spec
    assert again.choices() == reader.choices()


def test_only_training_rows_are_looked_at() -> None:
    found = people()
    rows = np.arange(60)
    changed = {}
    for name, column in found.items():
        tail = column.values[60:].cast(pl.String).map_elements(lambda v: f"{v}!", return_dtype=pl.String)
        changed[name] = Column(name, "cells", pl.concat([column.values[:60].cast(pl.String), tail]))
    text = {n: Column(n, "cells", c.values.cast(pl.String)) for n, c in found.items()}
    assert fitted(text, rows).state()[0] == fitted(changed, rows).state()[0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 119), min_size=1, max_size=30))
def test_a_row_is_read_alike_in_any_company(rows: list[int]) -> None:
    found = people()
    reader = fitted(found)
    whole = reader.read({name: c.values for name, c in found.items()}).values
    some = reader.read({name: c.take(rows) for name, c in found.items()}).values
    for name, field in some.items():
        for place, row in enumerate(rows):
            np.testing.assert_array_equal(field[place], whole[name][row])


def test_settings_override_guesses() -> None:
    found = people()
    reader = fitted(found, columns={"zip": "number", "note": "left out"}, bins=4)
    chosen, why = reader.choices()
    assert chosen["columns"]["zip"] == "number"
    assert "zip as number: set by you" in why["columns"]
    assert max(len(e) for e in reader.spec.columns[NUMBERS].edges) <= 5
    assert set(reader.spec.columns) == {NUMBERS, CATEGORIES}


def test_settings_of_other_kinds_go_to_their_readers() -> None:
    reader = fitted(people(), inner={"note": {"order": 1}})
    assert reader.choices()[0]["inner"]["note"]["order"] == 1


def test_choices_given_back_read_alike() -> None:
    found = people()
    reader = fitted(found)
    again = fitted(found, **reader.choices()[0])
    assert again.spec == reader.spec


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"zip": "numbre"}, "did you mean 'number'"), ({"zpi": "number"}, "did you mean 'zip'")],
)
def test_settings_that_do_not_fit_say_so(setting: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fitted(people(), columns=setting)


def test_nothing_to_learn_from_says_so() -> None:
    with pytest.raises(DataError, match="no column to learn from among a, b"):
        fitted(columns(a=[1, 1, 1], b=[None, None, None]))
    with pytest.raises(DataError, match="among X: X numbers, the same wherever known"):
        fitted({"X": Column("X", "arrays", np.ones((9, 2)))})


def test_a_missing_column_is_named() -> None:
    reader = fitted(columns(age=list(range(9)) * 2, town=["a", "b"] * 9))
    with pytest.raises(DataError, match="no column 'town'; did you mean 'twon'"):
        reader.read({"age": pl.Series([1]), "twon": pl.Series(["a"])})


def test_arrays_are_tables_with_their_constant_columns_dropped() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4))
    x[:, 2] = 7
    x[3, 0] = np.nan
    reader = fitted({"X": Column("X", "arrays", x)})
    numbers = reader.read({"X": x}).values[NUMBERS]
    np.testing.assert_array_equal(numbers, x[:, [0, 1, 3]].astype(np.float32))
    assert reader.spec.columns[NUMBERS].names == ("X 1", "X 2", "X 4")


def test_a_crowded_value_takes_no_bins_from_the_rest() -> None:
    gains = np.concatenate([np.zeros(900), np.arange(1, 101) * 10.0])
    reader = fitted({"X": Column("X", "arrays", gains[:, None])}, bins=20)
    edges = reader.spec.columns[NUMBERS].edges[0]
    assert len(edges) == 21
    assert sum(e > 0 for e in edges) >= 19


def test_large_arrays_are_read_in_seconds() -> None:
    x = np.random.default_rng(0).normal(size=(100_000, 20)).astype(np.float32)
    column = {"X": Column("X", "arrays", x)}
    start = time.perf_counter()
    fitted(column).read({"X": x})
    assert time.perf_counter() - start < 5


def test_a_picture_that_cannot_be_read_leaves_its_row_out(tmp_path: Any) -> None:
    from layerwise.data.source import File
    from layerwise.kinds.picture import png

    files: list[File | None] = []
    for i in range(20):
        path = tmp_path / f"{i}.png"
        path.write_bytes(png(np.full((8, 8), 10 * i, np.uint8)) if i != 5 else b"no picture")
        files.append(File(path.name, path) if i != 7 else None)
    found = {**columns(size=list(range(10)) * 2), "photo": Column("photo", "files", files)}
    reader = fitted(found, np.array([i for i in range(20) if i != 5]))
    read = reader.read({name: c.values for name, c in found.items()})
    assert list(read.rejected) == [5]
    assert read.rejected[5].startswith("photo: ")
    assert read.kept.tolist() == [i for i in range(20) if i != 5]
    photos = read.values["image_photo"]
    assert len(photos) == 19
    assert not photos[6].any()
    numbers = reader.spec.columns[NUMBERS].names
    assert read.values[NUMBERS][:, numbers.index("photo is missing")].tolist() == [
        float(i == 6) for i in range(19)
    ]

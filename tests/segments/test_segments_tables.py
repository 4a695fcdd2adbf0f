"""Segments of tables: numbers of any scale, the network that assigns rows, and a product that keeps it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_rows import rows
from scipy.special import softmax
from scipy.stats import skew
from sklearn.metrics import adjusted_rand_score

from layerwise import load
from layerwise.data.memory import memory_source
from layerwise.errors import DataError
from layerwise.kinds import TABLE
from layerwise.model import Model
from layerwise.randomness import Randomness
from layerwise.recipe import Recipe, Training
from layerwise.segments import Cut, cut_table
from layerwise.segments.mixture import fitted
from layerwise.segments.rule import taught
from layerwise.segments.tables import columns_of, table_network
from layerwise.segments.warp import warped
from layerwise.spec import Spec
from layerwise.tasks import Classify
from layerwise.values import collate


@pytest.fixture(scope="module")
def cut() -> Cut:
    values, spec, _ = rows()
    return cut_table(values, spec, seed=0)


def test_planted_segments_of_a_table_are_found(cut: Cut) -> None:
    _, _, labels = rows()
    assert cut.segments.number == 3
    assert cut.labels is not None
    assert adjusted_rand_score(labels, cut.labels) > 0.85


def test_the_network_is_the_rule() -> None:
    values, spec, _ = rows(missing=0.2)
    read = columns_of(values, spec)
    traits = read.traits(values, rng=Randomness(0))
    rule = taught(fitted(traits, 3, own=True, rng=Randomness(0), starts=2), traits)
    _, net = table_network(rule, read)
    answers = net(collate(values, spec)).detach().double().softmax(1).numpy()
    assert np.abs(answers - softmax(rule.logits(traits), 1)).max() < 0.02


def test_columns_of_other_kinds_alone_are_refused() -> None:
    with pytest.raises(DataError, match="numbers or categories"):
        cut_table({"text_a": np.zeros((3, 2))}, Spec(columns={"text_a": Spec(("time",), (2,))}), seed=0)


def test_a_product_assigns_new_rows_as_the_first(tmp_path: Path) -> None:
    values, _, labels = rows(n=200, gap=4.0)
    x = values["numbers"]
    assert isinstance(x, np.ndarray)
    cells = {f"c{i}": [None if np.isnan(v) else float(v) for v in column] for i, column in enumerate(x.T)}
    colours = np.asarray(values["categories"])[:, 0]
    frame = pl.DataFrame({**cells, "colour": [("red", "green", "blue")[t - 1] for t in colours]})
    source = memory_source(frame, None, None)
    names = tuple(source.columns)
    reader = TABLE.reader(**TABLE.cuts or {}).fit(dict(source.columns), np.arange(len(source)))
    cut = cut_table(
        reader.read(source.chunk(names, np.arange(len(source)))).values, reader.spec, number=3, seed=0
    )
    assert cut.labels is not None
    assert cut.net is not None
    counts = tuple(int(c) for c in np.bincount(cut.labels, minlength=3))
    task = Classify(classes=(1, 2, 3), counts=counts)
    recipe = Recipe("table", "classify", {}, cut.recipe, Training(epochs=1), {})
    model = Model(
        name="segments", kind=TABLE, reader=reader, net=cut.net, task=task, recipe=recipe, inputs=names
    )
    model.save(tmp_path / "model")
    again = load(tmp_path / "model").predict(frame)
    assert list(again.answer) == [int(label) + 1 for label in cut.labels]
    assert adjusted_rand_score(labels, again.answer) > 0.9


finite = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(finite, min_size=2, max_size=60), st.lists(finite, min_size=2, max_size=10))
def test_warping_never_turns_the_order(values: list[float], places: list[float]) -> None:
    at = np.sort(places)
    found = warped(np.array([*values, np.nan]), at)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-9).all()


def test_warped_amounts_are_about_normal() -> None:
    rng = np.random.default_rng(0)
    for values in (np.exp(rng.normal(5, 1, 2000)), rng.normal(3, 2, 2000), -rng.gamma(2, size=2000)):
        found = warped(values, values)
        assert abs(found.mean()) < 1e-9
        assert found.std() == pytest.approx(1)
        assert abs(skew(found)) < 0.2
    assert not warped(np.full(5, 7.0), np.array([6.0, 8.0])).any()


def test_a_date_is_one_column_so_its_calendar_makes_no_segments() -> None:
    rng = np.random.default_rng(0)
    days = np.datetime64("2015-01-01") + rng.integers(0, 3000, 400)
    cells = {f"c{i}": rng.normal(size=400) for i in range(3)}
    source = memory_source(pl.DataFrame({**cells, "opened": days.astype(str)}), None, None)
    reader = TABLE.reader(**TABLE.cuts or {}).fit(dict(source.columns), np.arange(400))
    assert reader.spec.columns["numbers"].names == ("c0", "c1", "c2", "opened: days since 1970")
    assert reader.spec.columns["numbers"].days == ((3, "opened"),)
    assert Spec.from_json(reader.spec.to_json()) == reader.spec
    read = reader.read(source.chunk(tuple(source.columns), np.arange(400)))
    assert cut_table(read.values, reader.spec, seed=0).segments.number is None

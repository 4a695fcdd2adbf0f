"""Units that differ, the examples that excite them, and where in the input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.look.units import chosen, joined, most_excited, peaks, seen
from layerwise.look.walk import walk
from layerwise.nn import build
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.values import Padded

MAPS = Spec(("channel", "height", "width"), (3, 4, 5))


def test_peaks_are_the_largest_values_and_their_places() -> None:
    value = torch.randn(6, 3, 4, 5)
    found = joined([peaks(value[:4], MAPS, seed=0), peaks(value[4:], MAPS, seed=0)])
    flat = value.flatten(2).numpy()
    assert np.array_equal(found.values, flat.max(axis=2))
    assert np.array_equal(np.take_along_axis(flat, found.places[..., None], 2)[..., 0], found.values)


def test_what_lies_past_the_length_excites_nothing() -> None:
    value = Padded(torch.zeros(2, 6, 3), torch.tensor([4, 2])).zeroed()
    value.values[0, :4] = -torch.arange(12.0).reshape(4, 3) - 1
    value.values[1, :2] = -5
    found = peaks(value, Spec(("time", "channel"), (None, 3)), seed=0)
    assert found.values.tolist() == [[-1, -2, -3], [-5, -5, -5]]
    assert (found.places < np.array([[4], [2]])).all()


def test_wide_levels_are_thinned_the_same_way_for_every_batch() -> None:
    value = torch.randn(8, 2000)
    spec = Spec(("feature",), (2000,))
    one, other = peaks(value[:4], spec, seed=0), peaks(value[4:], spec, seed=0)
    assert np.array_equal(one.units, other.units)
    assert np.array_equal(one.values, value[:4].numpy()[:, one.units])


def test_the_units_that_differ_most_are_chosen_but_no_copies() -> None:
    rng = np.random.default_rng(0)
    free = rng.normal(size=(200, 4))
    values = np.column_stack(
        [
            9 * free[:, 0],
            8 * free[:, 0] + 0.1 * free[:, 1],
            -7 * free[:, 0],
            3 * free[:, 2],
            free[:, 3],
            np.ones(200),
        ]
    )
    assert chosen(values, 3) == [0, 3, 4]
    assert chosen(values, 5) == [0, 3, 4, 1, 2]  # copies only when nothing else is left
    assert chosen(values, 9) == [0, 3, 4, 1, 2]  # a unit that never changes is none


def test_examples_of_length_0_do_not_disturb() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    values[7] = -np.inf
    assert sorted(chosen(values)) == [0, 1, 2]
    assert 7 not in most_excited(values[:, 0])


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([3, 5]), min_size=1, max_size=3),
    strides=st.lists(st.sampled_from([1, 2]), min_size=3, max_size=3),
    pool=st.sampled_from([None, "max"]),
    padding=st.sampled_from(["same", "valid"]),
    seed=st.integers(0, 100),
)
def test_the_part_that_is_shown_holds_all_that_the_unit_saw(
    sizes: list[int], strides: list[int], pool: str | None, padding: str, seed: int
) -> None:
    """Oracle: only inputs within the window have a gradient, but for one stride where windows overhang."""
    spec = Spec(("channel", "height", "width"), (1, 64, 52))
    common = {"width": 4, "padding": padding, "activation": "tanh"}
    stages = [
        StageChoice(
            f"conv{i}", "Convolution", {**common, "size": size, "stride": stride, "pool": None if i else pool}
        )
        for i, (size, stride) in enumerate(zip(sizes, strides, strict=False))
    ]
    net = build(stages, spec, 2)
    place = walk(net, spec)[len(sizes) - 1]
    x = torch.randn(1, 1, 64, 52, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    level = dict(net.levels(x))[place.address]
    assert isinstance(level, torch.Tensor)
    found = peaks(level.detach(), place.gives, seed=0)
    unit = seed % 4
    level[0, unit].max().backward()
    assert x.grad is not None
    rows, columns = np.nonzero(x.grad[0, 0].numpy())
    where = seen(place, found, 0, unit, (64, 52), ("height", "width"))
    assert where is not None
    reach = place.reach["height"]
    assert reach is not None
    slack = reach.stride if reach.stride > 1 else 0
    for (start, end), saw in zip(where, (rows, columns), strict=True):
        assert end - start <= reach.size
        assert start - slack <= saw.min()
        assert saw.max() < end + slack


def test_a_level_that_sees_all_shows_all() -> None:
    spec = Spec(("channel", "height", "width"), (1, 8, 8))
    net = build([StageChoice("dense", "Dense", {"width": 5})], spec, 2)
    place = walk(net, spec)[0]
    found = peaks(torch.randn(2, 5), place.gives, seed=0)
    assert seen(place, found, 0, 0, (8, 8), ("height", "width")) is None


def test_the_walk_has_the_addresses_of_the_levels() -> None:
    numbers = Spec(("feature",), (3,), centre=(0.0,), spread=(1.0,))
    spec = Spec(columns={"a": numbers, "b": numbers})
    branch = [{"name": "scale", "stage": "Scale"}, {"name": "dense", "stage": "Dense", "width": 4}]
    net = build(
        [
            StageChoice("columns", "Columns", {"branches": {"a": branch, "b": branch}}),
            StageChoice("top", "Dense", {"width": 6}),
        ],
        spec,
        2,
    )
    value = {"a": torch.randn(2, 3), "b": torch.randn(2, 3)}
    places = walk(net, spec)
    assert [p.address for p in places] == [address for address, _ in net.levels(value)]
    for place, (_, level) in zip(places, net.levels(value), strict=True):
        assert isinstance(level, torch.Tensor)
        assert place.gives.shape == level.shape[1:]
    assert [p.address for p in places if p.first] == ["columns.a.dense", "columns.b.dense"]


@pytest.mark.parametrize("most", [1, 3])
def test_the_most_excited_come_first(most: int) -> None:
    assert most_excited(np.array([1.0, 3.0, 2.0, 3.0]), most).tolist() == [1, 3, 2][:most]

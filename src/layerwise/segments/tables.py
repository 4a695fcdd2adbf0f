"""Segments of the rows of a table, and the network that says which segment a row is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from layerwise.errors import DataError
from layerwise.kinds.base import Values
from layerwise.nn import Pipeline, build
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice
from layerwise.segments.rule import Rule
from layerwise.segments.traits import Traits, traits_of_columns
from layerwise.segments.warp import warped
from layerwise.spec import Spec

__all__ = ["ColumnsRead", "columns_of", "filled_head", "table_network"]

NUMBERS, CATEGORIES = "numbers", "categories"
FEW = 3  # values up to which a column of numbers is one of categories
LOOKED_AT = 50_000  # rows


@dataclass(frozen=True)
class ColumnsRead:
    """How the columns of a table become traits.

    `places` are the edges of each column of numbers (B + 1,), `heights` where they lie as traits; None for
    one of few values, which is a category.
    """

    spec: Spec
    places: tuple[np.ndarray, ...]
    heights: tuple[np.ndarray | None, ...]

    def traits(self, values: Values, *, rng: Randomness) -> Traits:
        """The rows of `values` as traits. Missing cells of a category are a category."""
        numbers, categories, sizes = [], [], []
        read = values.get(NUMBERS, np.empty((len(next(iter(values.values()))), 0)))
        for column, places, heights in zip(np.asarray(read).T, self.places, self.heights, strict=True):
            if heights is None:
                token = np.searchsorted(places, column).clip(0, len(places) - 1)
                categories.append(np.where(np.isnan(column), len(places), token))
                sizes.append(len(places) + 1)
            else:
                numbers.append(_interpolated(column, places, heights))
        if CATEGORIES in self.spec.columns:
            categories += list(np.asarray(values[CATEGORIES]).T)
            sizes += self.spec.columns[CATEGORIES].sizes
        n = len(read)
        return traits_of_columns(
            np.array(numbers).reshape(len(numbers), n).T,
            np.array(categories, np.int64).reshape(len(categories), n).T,
            tuple(sizes),
            rng=rng,
        )


def columns_of(values: Values, spec: Spec) -> ColumnsRead:
    """How columns like these become traits: each number about normal, few-valued ones as categories.

    Raises DataError where a table has neither numbers nor categories.
    """
    if NUMBERS not in spec.columns and CATEGORIES not in spec.columns:
        raise DataError("segments of a table need columns of numbers or categories, found none")
    places: list[np.ndarray] = []
    heights: list[np.ndarray | None] = []
    if NUMBERS in spec.columns:
        for column, edges in zip(np.asarray(values[NUMBERS]).T, spec.columns[NUMBERS].edges, strict=True):
            at = np.array(sorted(set(edges)))
            known = np.unique(column[np.isfinite(column)])
            few = len(known) <= FEW and len(known) <= len(at)
            places.append(at)
            heights.append(None if few else warped(column[:: max(1, len(column) // LOOKED_AT)], at))
    return ColumnsRead(spec, tuple(places), tuple(heights))


def _interpolated(column: np.ndarray, places: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """As PiecewiseLinear: linear within bins, on for one more bin at either end, NaN where missing."""
    low, high = 2 * places[0] - places[1], 2 * places[-1] - places[-2]
    ends = 2 * heights[0] - heights[1], 2 * heights[-1] - heights[-2]
    found: np.ndarray = np.interp(column, [low, *places, high], [ends[0], *heights, ends[1]])
    return np.where(np.isnan(column), np.nan, found)


def table_network(rule: Rule, read: ColumnsRead) -> tuple[tuple[StageChoice, ...], Pipeline]:
    """The network whose softmax is the probability of each segment: its recipe, and itself with weights.

    What a column adds to the logits is a function of that column alone: linear in pieces for numbers, exact
    where the mixture shares one covariance and closer the more bins there are where it does not; a table for
    categories. A number that is missing adds what it adds to the rule.
    """
    k = rule.number
    branches: dict[str, list[dict[str, Any]]] = {}
    if NUMBERS in read.spec.columns:
        branches[NUMBERS] = [{"name": "pieces", "stage": "PiecewiseLinear"}]
    if CATEGORIES in read.spec.columns:
        branches[CATEGORIES] = [{"name": "vectors", "stage": "Categories", "width": k}]
    recipe = (
        StageChoice("columns", "Columns", {"branches": branches}),
        StageChoice("answer", "Head"),
    )
    net = build(recipe, read.spec, k)
    curves, tables = _parts(rule, read)
    rows = [row for curve, missing in curves for row in (*np.diff(curve, axis=0), missing - curve[0])]
    weight = [*rows, *np.tile(np.eye(k), (len(tables), 1))]
    bias = rule.bias + sum((curve[0] for curve, _ in curves), np.zeros(k))
    filled_head(net, np.array(weight).reshape(-1, k), bias)
    with torch.no_grad():
        vectors = [p for name, p in net.named_parameters() if not name.startswith("answer.")]
        for parameter, table in zip(vectors, tables, strict=True):
            parameter.copy_(torch.from_numpy(table))
    return recipe, net


def filled_head(net: Pipeline, weight: np.ndarray, bias: np.ndarray) -> None:
    """Give the head `answer` of a network weights (P, k) and bias (k,), and set it to evaluation."""
    head = net.get_submodule("answer.linear")
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight.T))
        head.bias.copy_(torch.from_numpy(bias))
    net.eval()


def _parts(rule: Rule, read: ColumnsRead) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[np.ndarray]]:
    """For each column of numbers what it adds at its edges (B + 1, k) and where missing (k,); for each one of
    categories what each adds (size, k)."""
    w, k = rule.weights, rule.number
    f = sum(h is not None for h in read.heights)
    at, number = 3 * f, 0
    curves: list[tuple[np.ndarray, np.ndarray]] = []
    for places, heights in zip(read.places, read.heights, strict=True):
        if heights is None:
            size = len(places)
            curves.append((w[at : at + size], w[at + size]))
            at += size + 1
            continue
        z = heights[:, None]
        curve = w[number] + z * w[f + number] + z**2 * w[2 * f + number]
        curves.append((curve, np.zeros(k)))
        number += 1
    tables = []
    for size in read.spec.columns[CATEGORIES].sizes if CATEGORIES in read.spec.columns else ():
        tables.append(w[at : at + size])
        at += size
    return curves, tables

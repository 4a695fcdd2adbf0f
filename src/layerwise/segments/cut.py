"""From read rows, or from codes of any kind, to segments and the network that assigns rows to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from layerwise.kinds.base import Values
from layerwise.nn import Pipeline, build
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice
from layerwise.segments.evidence import Tell
from layerwise.segments.find import Segments, find_segments, unheard
from layerwise.segments.tables import columns_of, filled_head, table_network
from layerwise.segments.traits import Traits, traits_of_codes
from layerwise.spec import Spec
from layerwise.values import collate

__all__ = ["Cut", "cut_codes", "cut_table"]

AT_ONCE = 4096  # rows


@dataclass(frozen=True)
class Cut:
    """Rows cut into segments 0 to k - 1, the largest first.

    `probabilities` (N, k) are the softmax of what `net` gives for the rows, and `recipe` is `net` as a recipe
    has it: both are empty, or None, where there are no segments.
    """

    segments: Segments
    traits: Traits
    recipe: tuple[StageChoice, ...]
    net: Pipeline | None
    probabilities: np.ndarray

    @property
    def labels(self) -> np.ndarray | None:
        """(N,) the segment of each row; None where there are none."""
        return None if self.net is None else self.probabilities.argmax(1)


def cut_table(
    values: Values, spec: Spec, *, number: int | None = None, seed: int, tell: Tell = unheard
) -> Cut:
    """Segments of the rows of a table, read as its kind's `cuts` says.

    `net` takes what the reader gives and ends in a head; columns of other kinds are left out. Raises DataError
    where a table has neither numbers nor categories, UsageError for a number of segments that does not fit.
    """
    read = columns_of(values, spec)
    traits = read.traits(values, rng=Randomness(seed).at("segments"))
    found = find_segments(traits, number, seed=seed, tell=tell)
    if found.rule is None:
        return Cut(found, traits, (), None, np.empty((len(traits), 0)))
    recipe, net = table_network(found.rule, read)
    fields = {name: np.asarray(values[name]) for name in spec.columns if name in ("numbers", "categories")}
    look = Spec(columns={name: spec.columns[name] for name in fields})
    parts = []
    for start in range(0, len(traits), AT_ONCE):
        some = {name: field[start : start + AT_ONCE] for name, field in fields.items()}
        with torch.inference_mode():
            parts.append(net(collate(some, look)).double().softmax(1).numpy())
    return Cut(found, traits, recipe, net, np.concatenate(parts))


def cut_codes(codes: np.ndarray, *, number: int | None = None, seed: int, tell: Tell = unheard) -> Cut:
    """Segments of codes (N, K) of any kind; `net` is a head on the codes.

    The segments are normal with one covariance, on the codes' principal axes, so that a linear head gives
    their probabilities. Raises DataError for codes that are not finite or all the same, UsageError for a
    number of segments that does not fit.
    """
    traits, shift, turn = traits_of_codes(np.asarray(codes, np.float64), rng=Randomness(seed).at("segments"))
    found = find_segments(traits, number, own=False, seed=seed, tell=tell)
    rule = found.rule
    if rule is None:
        return Cut(found, traits, (), None, np.empty((len(traits), 0)))
    recipe = (StageChoice("answer", "Head"),)
    net = build(recipe, vector(codes.shape[1]), rule.number)
    weight = turn @ rule.weights
    filled_head(net, weight, rule.bias - shift @ weight)
    with torch.inference_mode():
        logits = net(torch.from_numpy(np.asarray(codes, np.float32)))
    assert isinstance(logits, torch.Tensor)
    return Cut(found, traits, recipe, net, logits.double().softmax(1).numpy())

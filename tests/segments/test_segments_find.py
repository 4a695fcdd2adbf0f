"""Whether there are segments, and how many."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from layerwise.errors import DataError, UsageError
from layerwise.randomness import Randomness
from layerwise.segments import Cut, Evidence, cut_codes
from layerwise.segments.find import likeliest
from layerwise.segments.null import structureless
from layerwise.segments.traits import Traits, traits_of_columns


def three(n: int = 240, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], [n // 2, n // 3, n // 6])
    means = np.array([[0.0] * width, [5.0] * 2 + [0.0] * (width - 2), [0.0] * (width - 2) + [-5.0] * 2])
    return means[labels] + rng.normal(size=(n, width)), labels


@pytest.fixture(scope="module")
def cut() -> Cut:
    return cut_codes(three()[0], seed=0)


def test_planted_segments_are_found_the_largest_first(cut: Cut) -> None:
    _, labels = three()
    assert cut.segments.number == 3
    assert cut.labels is not None
    assert adjusted_rand_score(labels, cut.labels) > 0.95
    assert list(np.bincount(cut.labels)) == sorted(np.bincount(cut.labels), reverse=True)
    evidence = cut.segments.evidence
    assert cut.segments.null.max() < evidence[2].likelihood - evidence[0].likelihood


def test_the_head_on_codes_is_the_rule(cut: Cut) -> None:
    assert cut.segments.rule is not None
    logits = cut.segments.rule.logits(cut.traits)
    own = np.exp(logits - logits.max(1, keepdims=True))
    assert np.allclose(own / own.sum(1, keepdims=True), cut.probabilities, atol=1e-4)


def test_the_same_seed_cuts_the_same_way() -> None:
    first, again = (cut_codes(three(120)[0], seed=0) for _ in range(2))
    assert np.array_equal(again.probabilities, first.probabilities)
    told = [[(e.stability, e.likelihood, e.apart) for e in c.segments.evidence] for c in (again, first)]
    assert told[0] == told[1]


def normal(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(160, 3)) @ rng.normal(size=(3, 5)) + rng.normal(size=(160, 5))


MAKERS = {
    "normal": normal,
    "uniform": lambda rng: rng.uniform(size=(160, 4)),
    "skewed": lambda rng: rng.gamma(1.0, size=(160, 4)),
    "heavy": lambda rng: normal(rng) / np.sqrt(rng.chisquare(3, (160, 1)) / 3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_structureless_codes_have_no_segments(name: str) -> None:
    cut = cut_codes(MAKERS[name](np.random.default_rng(5)), seed=0)
    assert cut.segments.number is None
    assert cut.labels is None
    assert cut.segments.why


def test_a_number_may_be_asked_for() -> None:
    cut = cut_codes(normal(np.random.default_rng(5)), number=4, seed=0)
    assert cut.segments.number == 4
    assert cut.segments.fixed
    assert len(cut.segments.evidence) >= 4


def test_copies_of_a_few_rows_are_no_evidence() -> None:
    """Ten rows, twenty times each: rows left out would be the very ones that were fitted on."""
    rng = np.random.default_rng(0)
    cut = cut_codes(np.repeat(rng.normal(size=(10, 4)), 20, axis=0), seed=0)
    assert cut.traits.copies().tolist() == np.repeat(np.arange(10), 20).tolist()
    assert cut.segments.number is None


def evidence(*told: tuple[float, float]) -> list[Evidence]:
    """Of 1, 2, ... segments, each with its stability and the mean log density of new rows."""
    spread = np.random.default_rng(0).normal(size=400)
    return [Evidence(k, s, spread + density, 0.0) for k, (s, density) in enumerate(told, 1)]


def test_the_number_is_the_likeliest_of_those_on_which_parts_of_the_rows_agree() -> None:
    assert likeliest(evidence((1.0, -3), (0.95, -2), (0.97, -1), (0.6, 0))) == 3
    assert likeliest(evidence((1.0, -3), (0.95, -2), (0.9, -1.99), (0.6, 0))) == 2
    assert likeliest(evidence((1.0, -3), (0.6, -2), (0.7, -1), (0.65, 0))) == 3
    assert likeliest(evidence((1.0, -3))) == 1
    assert likeliest(evidence((1.0, 0), (0.95, -1), (0.97, -2))) == 1


@pytest.mark.parametrize("number", [1, 0, 200])
def test_a_number_that_the_rows_do_not_allow(number: int) -> None:
    with pytest.raises(UsageError, match="240 rows make from 2 to 120 segments"):
        cut_codes(three()[0], number=number, seed=0)


def test_codes_that_cannot_be_cut() -> None:
    with pytest.raises(DataError, match="not all finite"):
        cut_codes(np.full((50, 2), np.nan), seed=0)
    with pytest.raises(DataError, match="all codes are the same"):
        cut_codes(np.ones((50, 2)), seed=0)


def test_too_few_rows_have_none() -> None:
    cut = cut_codes(three()[0][::10], seed=0)
    assert cut.segments.number is None
    assert "at least 80 rows are needed" in cut.segments.why


def test_a_structureless_table_has_the_look_of_the_first() -> None:
    rng = np.random.default_rng(0)
    factor = rng.normal(size=4000)
    steps = np.digitize(factor + rng.normal(size=4000), [-1, 0, 1]).astype(float)
    x = np.column_stack([factor + 0.5 * rng.normal(size=4000), (steps - steps.mean()) / steps.std()])
    x[:, 0] /= x[:, 0].std()
    x[::7, 0] = np.nan
    token = (factor + 0.7 * rng.normal(size=4000) > 0.5).astype(int)[:, None]
    table: Traits = traits_of_columns(x, token, (2,), rng=Randomness(0))
    drawn = structureless(table, rng=Randomness(1))
    assert np.array_equal(np.isnan(drawn.numbers), np.isnan(x))
    assert np.array_equal(np.unique(drawn.numbers[:, 1]), np.unique(x[:, 1]))
    assert np.bincount(drawn.categories[:, 0])[1] == pytest.approx(token.sum(), rel=0.01)

    def together(t: Traits) -> np.ndarray:
        known = np.isfinite(t.numbers[:, 0])
        return np.corrcoef(np.column_stack([t.numbers, t.categories])[known].T)

    assert np.allclose(together(drawn), together(table), atol=0.05)

"""Units, n-grams and learnt pairs, against plain counting."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.kinds.text import pairs
from layerwise.kinds.text.units import Vocabulary

TEXTS = ["the cat sat on the mat", "the cat ran", "a dog sat", "the dog ran on", "on the mat the cat sat"]


def learn(texts: list[str], kind: str = "words", **options: int) -> Vocabulary:
    return Vocabulary.learn(
        texts, **{"kind": kind, "order": 1, "most": 1000, "rare": 1, "longest": 1000, **options}
    )  # type: ignore[arg-type]


def grams(text: str, n: int) -> set[str]:
    words = text.split()
    return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}


def test_units_are_counted_by_texts_and_ordered() -> None:
    known = learn(TEXTS, rare=2)
    counts = Counter(w for t in TEXTS for w in set(t.split()))
    assert list(known.units) == [w for w, n in sorted(counts.items(), key=lambda i: (-i[1], i[0])) if n >= 2]
    assert known.encoder()("the zebra sat", 9).tolist() == [1, 0, known.units.index("sat") + 1]


@pytest.mark.parametrize("order", [2, 3])
def test_ngrams_are_those_that_plain_counting_finds(order: int) -> None:
    known = learn(TEXTS, order=order, rare=2)
    names = known.names()
    expected = set(known.units)
    for n in range(2, order + 1):
        counts = Counter(g for t in TEXTS for g in grams(t, n))
        expected |= {g for g, c in counts.items() if c >= 2 and all(w in known.units for w in g.split())}
    assert set(names[1:]) == expected
    assert len(known) == len(names) == len(expected) + 1
    for text in TEXTS:
        seen = [names[t] for t in known.encoder()(text, 99) if t]
        units = [w for w in text.split() if w in known.units]
        assert seen[: len(units)] == units
        rest = seen[len(units) :]
        assert len(rest) == len(set(rest))
        assert set(rest) == {g for n in range(2, order + 1) for g in grams(text, n)} & expected


def test_the_vocabulary_is_capped() -> None:
    known = learn(TEXTS, order=3, most=12)
    assert len(known) <= 12
    assert len(known.codes)


def test_only_the_first_units_are_read() -> None:
    known = learn(TEXTS)
    assert len(known.encoder()("the " * 50, 7)) == 7
    assert len(known.encoder()("", 7)) == 0


def test_characters_and_bytes() -> None:
    known = learn(["abab", "ba"], "characters", order=2)
    assert set(known.names()) == {"", "a", "b", "ab", "ba"}
    raw = learn(["x"], "bytes")
    assert len(raw) == 257
    assert raw.encoder()("é", 9).tolist() == [0xC3 + 1, 0xA9 + 1]


def test_pairs_are_merged_as_the_paper_does() -> None:
    words = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    merges = pairs.learn(words, 4)
    assert merges == _slowly(words, 4)
    assert ("e", "s") in merges
    ranks = {pair: i for i, pair in enumerate(pairs.learn(words, 99))}
    assert pairs.split("newest", ranks) == [pairs.START + "newest"]


@given(st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 9), min_size=1, max_size=12))
def test_fast_pairs_equal_slow_ones(words: dict[str, int]) -> None:
    assert pairs.learn(words, 8) == _slowly(words, 8)


@given(st.text("abcd é", max_size=30))
def test_pairs_lose_nothing(text: str) -> None:
    ranks = {pair: i for i, pair in enumerate(pairs.learn({"abcd": 3, "bcda": 2, "cab": 2}, 20))}
    for word in text.split():
        assert "".join(pairs.split(word, ranks)) == pairs.START + word


def _slowly(words: dict[str, int], most: int) -> list[tuple[str, str]]:
    """The algorithm of Sennrich et al. 2016, counting everything anew before each merge."""
    pieces = {w: list(pairs.START + w) for w in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < most:
        counts: Counter[tuple[str, str]] = Counter()
        for w, piece in pieces.items():
            for pair in pairwise(piece):
                counts[pair] += words[w]
        if not counts or max(counts.values()) < 2:
            break
        best = min(counts, key=lambda p: (-counts[p], p))
        merges.append(best)
        for w, piece in pieces.items():
            joined: list[str] = []
            for unit in piece:
                if joined and (joined[-1], unit) == best:
                    joined[-1] += unit
                else:
                    joined.append(unit)
            pieces[w] = joined
    return merges

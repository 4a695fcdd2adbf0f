"""Units learnt from the data by merging the commonest pairs (Sennrich, Haddow and Birch 2016)."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

__all__ = ["START", "learn", "split"]

START = "\u2581"
"""Stands before each word, as the space did."""


def learn(words: Mapping[str, int], most: int, *, rarest: int = 2) -> list[tuple[str, str]]:
    """At most `most` merges, in the order in which they apply. `words`: word -> how often it occurs.

    Ties are broken by the pair itself, so the result depends on nothing but the counts.
    """
    pieces = [list(START + w) for w in words]
    counts = list(words.values())
    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for i, piece in enumerate(pieces):
        for pair in pairwise(piece):
            pairs[pair] += counts[i]
            where[pair].add(i)
    heap = [(-n, pair) for pair, n in pairs.items()]
    heapq.heapify(heap)
    merges: list[tuple[str, str]] = []
    while heap and len(merges) < most:
        n, pair = heapq.heappop(heap)
        if -n != pairs[pair]:  # an older count of it
            continue
        if -n < rarest:
            break
        merges.append(pair)
        changed: set[tuple[str, str]] = set()
        for i in where.pop(pair):
            old = pieces[i]
            new = _merged(old, pair)
            for p in pairwise(old):
                pairs[p] -= counts[i]
                changed.add(p)
            for p in pairwise(new):
                pairs[p] += counts[i]
                where[p].add(i)
                changed.add(p)
            pieces[i] = new
        pairs[pair] = 0
        for p in changed:
            if pairs[p] > 0:
                heapq.heappush(heap, (-pairs[p], p))
    return merges


def split(word: str, ranks: Mapping[tuple[str, str], int]) -> list[str]:
    """`word` in learnt units: the earliest merge that applies, again and again."""
    pieces: list[str] = list(START + word)
    while len(pieces) > 1:
        pair = min(pairwise(pieces), key=lambda p: ranks.get(p, len(ranks)))
        if pair not in ranks:
            break
        pieces = _merged(pieces, pair)
    return pieces


def _merged(pieces: Sequence[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(pieces):
        if i + 1 < len(pieces) and (pieces[i], pieces[i + 1]) == pair:
            out.append(pieces[i] + pieces[i + 1])
            i += 2
        else:
            out.append(pieces[i])
            i += 1
    return out

"""Text to token numbers: units (words, characters, bytes, learnt pairs) and n-grams of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from layerwise.kinds.text import pairs

__all__ = ["UNITS", "Vocabulary"]

UNITS = ("words", "characters", "bytes", "pairs")
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
MOST_LETTERS = 1 << 26  # of all names of n-grams
MOST_WORDS = 50_000  # words that pairs are learnt from


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The units that are known, the commonest first, and n-grams of them.

    Token 0 is any other unit, token i is `units[i - 1]`; then come the n-grams. An n-gram is known by its
    code, (token of all but its last unit) * (units + 1) + token of its last unit. `codes` rise, `tokens` say
    which token each code is.
    """

    kind: str
    units: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    codes: np.ndarray
    tokens: np.ndarray

    @classmethod
    def learn(
        cls, texts: Sequence[str], *, kind: str, order: int, most: int, rare: int, longest: int
    ) -> Vocabulary:
        """The units of these texts, and the n-grams up to `order`, that occur in at least `rare` of them.

        At most `most` in all; n-grams have what units leave. Of bytes and pairs there are no n-grams.
        """
        none = np.zeros(0, np.int64), np.zeros(0, np.int32)
        if kind == "bytes":
            return cls(kind, tuple(chr(i) for i in range(256)), (), *none)
        room = most // (1 if kind == "pairs" or order == 1 else 4)
        split = _splitter("characters" if kind == "pairs" else kind, ())
        found = Counter(u for text in texts for u in set(split(text)[:longest]))
        units = tuple(u for u, n in _commonest(found, room) if n >= rare)
        if kind == "pairs":
            counts = Counter(w for text in texts for w in WORD.findall(text))
            frequent = dict(_commonest(counts, MOST_WORDS))
            merges = tuple(pairs.learn(frequent, most - len(units) - 1, rarest=max(2, rare)))
            known = dict.fromkeys((pairs.START, *units, *(a + b for a, b in merges)))
            return cls(kind, tuple(known), merges, *none)
        return cls(kind, units, (), *none)._with_ngrams(
            texts, order=order, most=most, rare=rare, longest=longest
        )

    def __len__(self) -> int:
        """How many tokens, token 0 counted."""
        return 1 + len(self.units) + len(self.codes)

    def encoder(self) -> Callable[[str, int], np.ndarray]:
        """(text, longest) -> (T,) int32: its first `longest` units in order, then each n-gram in them once.

        That an n-gram occurs says more than how often (Wang and Manning 2012).
        """
        split = _splitter(self.kind, self.merges)
        known = {u: i + 1 for i, u in enumerate(self.units)}

        def encode(text: str, longest: int) -> np.ndarray:
            units = np.array([known.get(u, 0) for u in split(text)[:longest]], np.int32)
            return np.concatenate([units, *self._ngrams(units)]) if len(self.codes) else units

        return encode

    def names(self) -> tuple[str, ...]:
        """What each token stands for; n-grams of words with spaces between. Raises ValueError where they are
        longer than any text."""
        names = ["", *self.units, *("" for _ in self.codes)]
        between = " " if self.kind == "words" else ""
        letters = 0
        for place in np.argsort(self.tokens, kind="stable"):
            head, last = divmod(int(self.codes[place]), len(self.units) + 1)
            names[int(self.tokens[place])] = names[head] + between + names[last]
            letters += len(names[int(self.tokens[place])])
            if letters > MOST_LETTERS:
                raise ValueError(f"n-grams of more than {MOST_LETTERS:,} letters in all")
        return tuple(names)

    def _ngrams(self, units: np.ndarray) -> Iterable[np.ndarray]:
        """The tokens of known 2-grams, then of 3-grams and so on, each once."""
        heads = units
        while len(heads) > 1:
            heads = self._look_up(self._codes(heads, units))
            found = np.unique(heads[heads > 0])
            if len(found) == 0:
                return
            yield found

    def _codes(self, heads: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Codes of `heads`, each with the unit after it; -1 where one of the two is unknown."""
        heads, last = heads[:-1].astype(np.int64), units[len(units) - len(heads) + 1 :]
        return np.where((heads > 0) & (last > 0), heads * (len(self.units) + 1) + last, -1)

    def _with_ngrams(
        self, texts: Sequence[str], *, order: int, most: int, rare: int, longest: int
    ) -> Vocabulary:
        """This vocabulary with n-grams, order by order; each order has an equal share of the room."""
        grown = self
        encode = self.encoder()
        sequences = [encode(text, longest) for text in texts] if order > 1 else []
        heads = sequences
        for n in range(2, order + 1):
            found = [grown._codes(h, s) for h, s in zip(heads, sequences, strict=True)]
            codes, counts = np.unique(np.concatenate([np.unique(f) for f in found]), return_counts=True)
            room = max(0, (most - len(grown)) // (order + 1 - n))
            best = np.lexsort((codes, -counts))
            best = best[(codes[best] >= 0) & (counts[best] >= rare)][:room]
            fresh = np.arange(len(grown), len(grown) + len(best), dtype=np.int32)
            rising = np.argsort(codes[best])
            own = Vocabulary(self.kind, self.units, self.merges, codes[best][rising], fresh[rising])
            if len(own.codes) == 0:
                break
            heads = [own._look_up(f) for f in found]
            merged = np.concatenate([grown.codes, own.codes])
            rising = np.argsort(merged)
            grown = Vocabulary(
                self.kind,
                self.units,
                self.merges,
                merged[rising],
                np.concatenate([grown.tokens, own.tokens])[rising],
            )
        return grown

    def _look_up(self, codes: np.ndarray) -> np.ndarray:
        """(T,) tokens of these codes, 0 where unknown."""
        place = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[place] == codes, self.tokens[place], 0).astype(np.int32)


def _commonest(counts: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]


def _splitter(kind: str, merges: Sequence[tuple[str, str]]) -> Callable[[str], Sequence[str]]:
    """How a clean text is cut into units."""
    if kind == "words":
        return WORD.findall
    if kind == "characters":
        return list
    if kind == "bytes":
        return lambda text: [chr(b) for b in text.encode("utf-8", "surrogatepass")]
    ranks = {pair: i for i, pair in enumerate(merges)}

    @lru_cache(maxsize=1 << 16)
    def cut(word: str) -> tuple[str, ...]:
        return tuple(pairs.split(word, ranks))

    return lambda text: [u for w in WORD.findall(text) for u in cut(w)]

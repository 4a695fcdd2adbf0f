"""Texts to token numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from layerwise.data.source import Column
from layerwise.errors import DataError, Rejected, UsageError, shown, suggest
from layerwise.kinds.base import Read, Reader, read_each
from layerwise.kinds.text.decode import clean, text_of
from layerwise.kinds.text.units import UNITS, Vocabulary
from layerwise.spec import Spec

__all__ = ["TextReader"]

LOOKED_AT = 50_000  # training texts that the vocabulary is learnt from
MOST_LETTERS = 1 << 27  # of these texts that are held; of further ones only the first FEW_LETTERS
FEW_LETTERS = 1000
LONG_TEXTS = 500  # of the most letters, among which the one of the most tokens is sought
LONGEST = {"words": 2_000, "characters": 5_000, "bytes": 5_000, "pairs": 3_000}


class TextReader(Reader):
    """Texts as tokens, (T,) int32 each, of unequal length; an empty text has length 0.

    Settings: `units` (words, characters, bytes, pairs), `order` (n-grams of up to so many words or
    characters follow the units; 1: none), `vocabulary` (most tokens), `rare` (least texts with a token),
    `longest` (units that are read of a text), `lower` (capitals do not count).
    """

    def __init__(
        self,
        *,
        units: str | None = None,
        order: int | None = None,
        vocabulary: int | None = None,
        rare: int | None = None,
        longest: int | None = None,
        lower: bool | None = None,
    ) -> None:
        if units is not None and units not in UNITS:
            raise UsageError(
                f"reading.units must be one of {', '.join(UNITS)}, got {shown(units)}{suggest(units, UNITS)}"
            )
        if order is not None and order > 1 and units in ("bytes", "pairs"):
            raise UsageError(
                f"reading.order is {order}, but n-grams are of words or characters, not of {units}"
            )
        for name, value in (
            ("order", order),
            ("vocabulary", vocabulary),
            ("rare", rare),
            ("longest", longest),
        ):
            if value is not None and value < 1:
                raise UsageError(
                    f"reading.{name} must be positive, got {value}: leave it out to have it chosen"
                )
        self.units, self.order, self.vocabulary = units, order, vocabulary
        self.rare, self.longest, self.lower = rare, longest, lower
        self.why: dict[str, str] = {}
        self._known = Vocabulary("words", (), (), np.zeros(0, np.int64), np.zeros(0, np.int32))
        self._spec = Spec()

    def fit(self, columns: Mapping[str, Column], rows: np.ndarray) -> Self:
        """Choose the units and learn the vocabulary from these rows; several columns are joined.

        Raises DataError where no row holds any text.
        """
        few = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(np.int64)]
        texts = []
        letters = 0
        for raw in zip(*(c.take(few) for c in columns.values()), strict=True):
            try:
                texts.append(_joined(raw)[: None if letters < MOST_LETTERS else FEW_LETTERS])
            except Rejected:
                continue
            letters += len(texts[-1])
        if not any(texts):
            raise DataError(
                f"not one of {len(rows):,} training rows holds a text that can be read; "
                "look at the first files or cells"
            )
        self._choose(texts, len(rows))
        self._learn([t.lower() for t in texts] if self.lower else texts)
        return self

    @property
    def spec(self) -> Spec:
        """Tokens over time; `names` says of what: "words", or "words and n-grams" for an order above 1."""
        return self._spec

    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Read:
        """Read some rows; an empty text is read as length 0."""
        encode, longest = self._known.encoder(), self.longest or 1

        def one(raw: tuple[Any, ...]) -> np.ndarray:
            text = _joined(raw)
            return encode(text.lower() if self.lower else text, longest)

        return read_each(list(zip(*chunk.values(), strict=True)), one, stack=False)

    def choices(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The settings as chosen, with reasons."""
        return self._settings(), dict(self.why)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Settings, units and n-grams."""
        known = self._known
        plain = {
            "settings": self._settings(),
            "why": self.why,
            "units": list(known.units),
            "learnt": [list(merge) for merge in known.merges],
            "most_tokens": self._spec.longest,
        }
        return plain, {"codes": known.codes, "tokens": known.tokens}

    @classmethod
    def restore(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The reader that `state` described."""
        reader = cls(**plain["settings"])
        reader.why = dict(plain["why"])
        merges = tuple((str(a), str(b)) for a, b in plain["learnt"])
        reader._known = Vocabulary(
            str(reader.units),
            tuple(plain["units"]),
            merges,
            np.asarray(arrays["codes"]),
            np.asarray(arrays["tokens"]),
        )
        reader._spec = reader._look(plain["most_tokens"])
        return reader

    def _settings(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("units", "order", "vocabulary", "rare", "longest", "lower")
        }

    def _choose(self, texts: Sequence[str], n: int) -> None:
        """Fill in what is open, with reasons."""
        words = np.array([len(t.split()) for t in texts])
        letters = sum(map(len, texts)) / max(1, int(words.sum()))
        if self.units is None:
            spaced = float(words.mean()) >= 3 and letters < 15
            self.units = "words" if spaced else "characters"
            self.why["units"] = (
                f"{words.mean():,.0f} words a text" if spaced else "hardly any spaces, or single words"
            )
        self.lower = self.units in ("words", "pairs") if self.lower is None else self.lower
        if self.order is None:
            self.order = {"words": 2, "characters": 4}.get(self.units, 1)
            if self.order > 1:
                self.why["order"] = f"n-grams of {self.units} say most with {n:,} texts to learn from"
        if self.vocabulary is None:
            self.vocabulary = {"bytes": 257, "pairs": 8_000}.get(
                self.units, 200_000 if self.order > 1 else 30_000
            )
            self.why["vocabulary"] = (
                "the commonest in the training texts; the others are one token, 'unknown'"
            )
        if self.rare is None:
            self.rare = 2 if n < 10_000 else 3
            self.why["rare"] = "what fewer texts hold teaches nothing of its own"
        if self.longest is None:
            per_word = 1.0 if self.units == "words" else 1.5 if self.units == "pairs" else letters + 1
            need = int(np.ceil(words.max() * per_word * 1.5)) + 1
            self.longest = min(LONGEST[self.units], need)
            if need > LONGEST[self.units]:
                self.why["longest"] = f"only the first {self.longest:,} {self.units} of longer texts are read"

    def _learn(self, texts: Sequence[str]) -> None:
        longest = self.longest or 1
        self._known = Vocabulary.learn(
            texts,
            kind=self.units or "words",
            order=self.order or 1,
            most=self.vocabulary or 1,
            rare=self.rare or 1,
            longest=longest,
        )
        if len(self._known) == 1:
            raise DataError(
                f"no {self.units} occur in {self.rare} of {len(texts):,} texts: nothing to learn from; "
                "try --set reading.units=characters or --set reading.rare=1"
            )
        encode = self._known.encoder()
        long = sorted(texts, key=len)[-LONG_TEXTS:]
        self._spec = self._look(max(len(encode(text, longest)) for text in long))

    def _look(self, longest: int) -> Spec:
        what = str(self.units) if self.order == 1 else f"{self.units} and n-grams"
        return Spec(
            ("time",),
            (None,),
            "int32",
            sizes=(len(self._known),),
            tokens=(self._known.names(),),
            names=(what,),
            longest=longest,
        )


def _joined(raw: Sequence[Any]) -> str:
    return "\n".join(clean(text_of(one)) for one in raw)

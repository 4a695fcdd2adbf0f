"""Bytes of any encoding become the same text; what is no text is refused."""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.source import File
from layerwise.errors import Rejected
from layerwise.kinds.text.decode import clean, decoded, text_of

LINE = "Grüße aus Köln, schöne Häuser: naïve café"


@pytest.mark.parametrize(
    "data",
    [
        LINE.encode(),
        codecs.BOM_UTF8 + LINE.encode(),
        codecs.BOM_UTF16_LE + LINE.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + LINE.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + LINE.encode("utf-32-le"),
        LINE.encode("utf-16-le"),
        LINE.encode("utf-16-be"),
        LINE.encode("latin-1"),
        LINE.encode("cp1252"),
    ],
)
def test_every_encoding_gives_the_same_text(data: bytes) -> None:
    assert decoded(data) == LINE


def test_bytes_that_are_no_text_are_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    with pytest.raises(Rejected, match="no text"):
        decoded(noise)


@given(st.binary())
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text = decoded(data)
    except Rejected:
        return
    assert clean(clean(text)) == clean(clean(clean(text)))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_utf8_is_read_as_it_is(text: str) -> None:
    if text.startswith("\ufeff") or text.count("\0") or any(c < " " or c == "\ufffd" for c in text):
        return
    assert decoded(text.encode()) == text


def test_markup_is_kept_out() -> None:
    assert clean("Good.<br /><br />Bad &amp; ugly<BR>end") == "Good. Bad & ugly end"
    assert clean("a < b and b > c") == "a < b and b > c"
    assert clean("tab\tand\nline\x00") == "tab and line"
    assert clean("e\u0301") == "é"


def test_cells_and_files_are_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(LINE.encode("latin-1"))
    assert text_of(File("a.txt", tmp_path / "a.txt")) == LINE
    assert text_of(None) == ""
    assert text_of(12) == "12"
    assert text_of(b"bytes") == "bytes"

"""Bytes and cells to clean text."""

from __future__ import annotations

import codecs
import html
import re
import unicodedata

from layerwise.data.source import File
from layerwise.errors import Rejected

__all__ = ["clean", "decoded", "text_of"]

MOST_BYTES = 16 << 20  # of one text: its words take up to 50 times as much memory
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
TAG = re.compile(r"</?(?:br|p|div|li|ul|ol|b|i|em|strong|span|hr)\b[^<>]{0,200}>", re.IGNORECASE)
CONTROL = dict.fromkeys([*range(32), 127], " ")


def text_of(raw: object) -> str:
    """A cell or a file as text; an empty cell as empty text. Raises Rejected where bytes are no text."""
    if raw is None:
        return ""
    if isinstance(raw, File):
        return decoded(raw.bytes(MOST_BYTES))
    return decoded(raw) if isinstance(raw, bytes) else str(raw)


def decoded(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 or UTF-32 (marked, or seen by its zero bytes), else in Windows-1252.

    Raises Rejected for bytes that are no text in any of these.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _checked(data[len(mark) :].decode(encoding, "replace"))
    head = data[:4096]
    if head.count(0) > len(head) // 4:
        order = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
        return _checked(data.decode(order, "replace"))
    try:
        return _checked(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _checked(data.decode("cp1252", "replace"))


def clean(text: str) -> str:
    """Markup tags and character references resolved, spaces made single, one form for each letter (NFC)."""
    if "<" in text:
        text = TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.translate(CONTROL).split())


def _checked(text: str) -> str:
    head = text[:4096]
    strange = sum((c < " " and c not in "\t\n\r\f\x1b") or c == "\ufffd" for c in head)
    if strange > 0.1 * max(len(head), 10):
        raise Rejected("holds bytes that are no text in UTF-8, UTF-16 or Windows-1252")
    return text

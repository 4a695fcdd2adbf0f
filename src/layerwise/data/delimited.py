"""Text with one row a line, as CSV and its relatives are in the wild: told by looking, not by its name."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from layerwise.data.cells import is_number
from layerwise.data.source import LeftOut
from layerwise.errors import DataError, listed, shown

__all__ = ["SEPARATORS", "Delimited", "read_delimited"]

SEPARATORS = "\t;|,"  # in order of preference: a comma may be a decimal one
HEAD = 1 << 18  # bytes that the separator is told by
NEWLINE, QUOTE = ord("\n"), ord('"')
LOOKS = 200  # columns that a header is told by
NO_SEPARATOR = "\x1f"
MOST_COLUMNS = 1 << 17
SURE = 0.9  # share of the lines that must have one number of fields


class Delimited(NamedTuple):
    """A table of text as it was found."""

    frame: pl.DataFrame  # every cell text, null where empty
    numbers: list[int]  # of each row, counted from 1 without the header; those left out are missing here
    left_out: list[LeftOut]
    notes: list[str]
    separator: str


@dataclass(frozen=True)
class _Layout:
    """Where rows begin and how many fields each has."""

    starts: np.ndarray  # (rows + 1,), the last is the end
    widths: np.ndarray  # (rows,), 0 for a blank line
    separator: str
    quoted: bool

    @property
    def width(self) -> int:
        """The commonest number of fields."""
        return int(np.bincount(self.widths[self.widths > 0]).argmax()) if (self.widths > 0).any() else 0

    @property
    def score(self) -> float:
        """The share of rows that have it, less a half where the first has not."""
        return _score(self.widths[self.widths > 0], self.width)


def _score(widths: np.ndarray, width: int) -> float:
    return float((widths == width).mean()) - 0.5 * (widths[0] != width) if len(widths) else 0.0


def read_delimited(data: bytes, path: str) -> Delimited:
    """Read separated text: `,` `;` tab or `|`, quoted or not, with a header or without, in UTF-8, UTF-16
    or Windows-1252. Rows end at line feeds only. A row with another number of fields is left out.

    Raises DataError for what is no text or no table.
    """
    notes: list[str] = []
    data = _as_utf8(data, path, notes)
    if not data.strip():
        raise DataError(f"{shown(path)} is empty: it needs a header line and rows")
    buffer = np.frombuffer(data, np.uint8)
    separator = _separator(buffer, data)
    layouts = _layouts(buffer, separator)
    layout = max(layouts, key=lambda one: (one.score, one.quoted))
    if layout.width > MOST_COLUMNS:
        raise DataError(f"{shown(path)} has {layout.width:,} columns; at most {MOST_COLUMNS:,} are read")
    if QUOTE in buffer and len(layouts) == 1 and layout.score < SURE:
        rows = _lenient(data, separator)
        if rows is not None and rows.score > layout.score:
            return _from_rows(rows, path, notes, separator)
    return _from_layout(data, layout, path, notes)


def _as_utf8(data: bytes, path: str, notes: list[str]) -> bytes:
    """The text as UTF-8 with line feeds."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif data[:3] == b"\xef\xbb\xbf":
        encoding = "utf-8-sig"
    else:
        zeros = np.frombuffer(data[: HEAD & ~1], np.uint8) == 0
        odd, even = (zeros[1::2].mean(), zeros[::2].mean()) if len(zeros) > 1 else (0.0, 0.0)
        encoding = "utf-16-le" if odd > 0.4 > even else "utf-16-be" if even > 0.4 > odd else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        try:
            text, encoding = data.decode("cp1252"), "Windows-1252"
        except UnicodeDecodeError:
            text, encoding = data.decode("latin-1"), "Latin-1"
    if "\0" in text[:HEAD]:
        raise DataError(f"{shown(path)} is no text: a table is CSV, TSV or Parquet")
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"{shown(path)} is read as {encoding}.")
    if encoding != "utf-8":
        data = text.encode("utf-8", "replace")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        data = data if b"\n" in data else data.replace(b"\r", b"\n")
    return data


def _separator(buffer: np.ndarray, data: bytes) -> str:
    """The separator that gives the first line and most others one number of fields above 1; the first
    of several that give it to nearly all."""
    end = len(data) if len(data) <= HEAD else data.rfind(b"\n", 0, HEAD) + 1 or len(data)
    scores = {
        s: max((one.score for one in _layouts(buffer[:end], s) if one.width > 1), default=0.0)
        for s in SEPARATORS
    }
    if max(scores.values()) < SURE and QUOTE in buffer[:end]:
        loose = {s: _lenient(data[:end], s) for s in SEPARATORS}
        scores |= {s: max(scores[s], rows.score) for s, rows in loose.items() if rows and rows.width > 1}
    sure = [s for s in SEPARATORS if scores[s] >= SURE]
    best = sure[0] if sure else max(SEPARATORS, key=lambda s: scores[s])
    return best if scores[best] > 0.5 else NO_SEPARATOR


def _layouts(buffer: np.ndarray, separator: str) -> list[_Layout]:
    """The rows without regard to quotes, and with regard to them where every quote is in its place."""
    newlines = np.flatnonzero(buffer == NEWLINE)
    separators = np.flatnonzero(buffer == ord(separator))
    plain = _layout(buffer, newlines, separators, separator, False)
    quotes = np.flatnonzero(buffer == QUOTE)
    if not len(quotes) or not _well_quoted(buffer, quotes, separator):
        return [plain]
    outside = [p[np.searchsorted(quotes, p) % 2 == 0] for p in (newlines, separators)]
    return [plain, _layout(buffer, outside[0], outside[1], separator, True)]


def _layout(
    buffer: np.ndarray, newlines: np.ndarray, separators: np.ndarray, separator: str, quoted: bool
) -> _Layout:
    starts = np.concatenate([[0], newlines + 1])
    if starts[-1] != len(buffer):
        starts = np.append(starts, len(buffer) + 1)
    widths = np.diff(np.searchsorted(separators, starts)) + 1
    widths[np.diff(starts) <= 1] = 0
    return _Layout(starts, widths, separator, quoted)


def _well_quoted(buffer: np.ndarray, quotes: np.ndarray, separator: str) -> bool:
    """Whether quotes open and close whole fields only, doubled within them (RFC 4180)."""
    if len(quotes) % 2:
        return False
    edges = (NEWLINE, QUOTE, ord(separator))
    opening, closing = quotes[::2], quotes[1::2]
    before = opening[opening > 0] - 1
    after = closing[closing < len(buffer) - 1] + 1
    # a quote beside a quote is a doubled one only if it closes one pair and opens the next
    lone = opening[1:][buffer[opening[1:] - 1] == QUOTE]
    return bool(
        np.isin(buffer[before], edges).all()
        and np.isin(buffer[after], edges).all()
        and np.isin(lone - 1, closing).all()
    )


@dataclass(frozen=True)
class _Rows:
    """Rows that Python's own csv made of text whose quotes are out of place."""

    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    width: int
    score: float


def _lenient(data: bytes, separator: str) -> _Rows | None:
    text = io.StringIO(data.decode("utf-8", "replace"), newline="\n")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        before = 0
        for row in reader:
            if row:
                rows.append(row)
                lines.append(before + 1)
            before = reader.line_num
    except csv.Error:
        return None
    widths = np.array([len(r) for r in rows])
    width = int(np.bincount(widths).argmax()) if len(rows) else 0
    return _Rows(rows, lines, width, _score(widths, width)) if len(rows) else None


def _from_rows(found: _Rows, path: str, notes: list[str], separator: str) -> Delimited:
    good = [i for i, row in enumerate(found.rows) if len(row) == found.width]
    schema = [str(i) for i in range(found.width)]
    frame = pl.DataFrame([found.rows[i] for i in good], schema=dict.fromkeys(schema, pl.String), orient="row")
    bad = [(i, found.lines[i], len(r)) for i, r in enumerate(found.rows) if len(r) != found.width]
    return _headed(frame, np.array(good), bad, path, notes, separator)


def _from_layout(data: bytes, layout: _Layout, path: str, notes: list[str]) -> Delimited:
    width = layout.width
    present = np.flatnonzero(layout.widths > 0)
    fits = layout.widths[present] == width
    if (layout.widths != width).any():
        starts, ends = layout.starts[present[fits]], layout.starts[present[fits] + 1]
        clean = b"".join(data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True))
    else:
        clean = data
    frame = pl.read_csv(
        clean,
        has_header=False,
        separator=layout.separator,
        quote_char='"' if layout.quoted else None,
        infer_schema=False,
    )
    if frame.shape != (int(fits.sum()), width):
        raise DataError(
            f"{shown(path)} is no regular table: save it again as CSV with one row a line, or as Parquet"
        )
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == NEWLINE)
    bad = [
        (
            int(i),
            int(np.searchsorted(newlines, layout.starts[present[i]])) + 1,
            int(layout.widths[present[i]]),
        )
        for i in np.flatnonzero(~fits)
    ]
    return _headed(frame, np.flatnonzero(fits), bad, path, notes, layout.separator)


def _headed(
    frame: pl.DataFrame,
    places: np.ndarray,
    bad: Sequence[tuple[int, int, int]],
    path: str,
    notes: list[str],
    separator: str,
) -> Delimited:
    """The table with its first row taken for the header if it looks like one."""
    if 2 * len(bad) > len(places) + len(bad):
        raise DataError(f"{shown(path)} is no table: its lines have different numbers of fields")
    frame = frame.with_columns(pl.all().replace("", None))
    header = _has_header(frame)
    if header:
        given = [str(v or "").strip() for v in frame.row(0)]
        names = _unique(given)
        changed = [b for a, b in zip(given, names, strict=True) if a and a != b]
        if changed:
            notes.append(f"Columns of one name are told apart: {listed(changed)}.")
        frame = frame.slice(1)
    else:
        names = [f"column {i + 1}" for i in range(frame.width)]
        notes.append(f"{shown(path)} has no header line: its columns are called column 1 to {frame.width}.")
    frame.columns = names
    first = int(header)
    left_out = [
        LeftOut(f"row {i + 1 - first}", f"line {line} has {width} fields where {frame.width} were expected")
        for i, line, width in bad
    ]
    numbers = (places[first:] + 1 - first).tolist()
    return Delimited(frame, numbers, left_out, notes, separator)


def _has_header(frame: pl.DataFrame) -> bool:
    """Whether the first row names the columns: text above numbers, or text that is nowhere below it."""
    if frame.height < 2:
        return True
    votes = 0
    first, body = frame.row(0), frame.slice(1, 1000)
    for cell, name in zip(first[:LOOKS], body.columns[:LOOKS], strict=True):
        below = body[name].drop_nulls()
        if cell is None or not len(below):
            continue
        numeric = bool(is_number(pl.Series([cell])).all())
        if 10 * int(is_number(below).sum()) > 9 * len(below):
            votes += -1 if numeric else 1
        elif numeric or len(cell) > 100 or (below == cell).any():
            votes -= 1
    return votes >= 0


def _unique(names: Sequence[str]) -> list[str]:
    """Names made unlike: `x`, `x (2)`, and `column 3` for none."""
    seen: set[str] = set()
    out = []
    for i, name in enumerate(names):
        name = name or f"column {i + 1}"
        fresh, k = name, 2
        while fresh in seen:
            fresh, k = f"{name} ({k})", k + 1
        seen.add(fresh)
        out.append(fresh)
    return out

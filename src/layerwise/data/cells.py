"""Columns of text as what they are: numbers, dates, truth values, or text."""

from __future__ import annotations

import polars as pl

from layerwise.errors import shown

__all__ = ["is_number", "typed"]

INFINITE = ("inf", "-inf", "+inf", "infinity", "-infinity", "+infinity")
MISSING = (
    "", "na", "n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "#n/a", "missing", *INFINITE,
)  # fmt: skip
NUMBER = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*$"
THOUSANDS = r"^\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*$"
DECIMAL_COMMA = r"^\s*[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?\s*$"
PADDED = r"^\s*[+-]?0\d"  # a code, not a number
STRAY = 0.02  # share of cells that may be no numbers in a column of numbers
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y")
DATED = r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(\D|$)"
TIMES = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S%.f")


def is_number(cells: pl.Series) -> pl.Series:
    """Whether each cell of text is a number."""
    return cells.str.contains(NUMBER)


def typed(cells: pl.Series, *, comma: bool, notes: list[str]) -> pl.Series:
    """A column of text as numbers (Int64, Float64), dates, truth values or, left as it is, text.

    `NA`, `?` and their like are missing in columns of numbers and dates only. `comma`: whether a comma
    may be a decimal one. Numbers with leading zeros are codes and stay text.
    """
    plain = cells.cast(pl.Int64, strict=False)
    if plain.null_count() == cells.null_count() < len(cells) and not cells.str.contains(PADDED).any():
        return plain
    flat = cells.str.strip_chars()
    present = ~flat.str.to_lowercase().is_in(MISSING) & flat.is_not_null()
    known = flat.filter(present)
    if not len(known):
        return cells
    blanked = flat.set(~present, None)
    numbers = _numbers(blanked, known, comma)
    if numbers is not None:
        if endless := int(flat.str.to_lowercase().is_in(INFINITE).sum()):
            notes.append(f"{endless:,} infinite cells of {shown(cells.name)} count as missing.")
        if stray := int((numbers.is_null() & present).sum()):
            example = blanked.filter(numbers.is_null() & present)[0]
            notes.append(
                f"{stray:,} cells of {shown(cells.name)} are no numbers, such as {shown(example)}: taken"
                " as missing."
            )
        return numbers
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return blanked.str.to_lowercase() == "true"
    dated = int(known.head(50).str.contains(DATED).sum()) > 0.9 * min(50, len(known))
    return _dates(blanked, known, notes) if dated else cells


def _numbers(cells: pl.Series, known: pl.Series, comma: bool) -> pl.Series | None:
    head = known.head(50)
    if comma and known.str.contains(DECIMAL_COMMA).all() and known.str.contains(",", literal=True).any():
        return (
            cells.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True).cast(pl.Float64)
        )
    if not head.str.contains(NUMBER).any() and not head.str.contains(THOUSANDS).any():
        return None
    grouped = known.str.contains(THOUSANDS)
    if grouped.any() and (grouped | known.str.contains(NUMBER)).all():
        return cells.str.replace_all(",", "", literal=True).cast(pl.Float64)
    fits = known.str.contains(NUMBER)
    if (
        (~fits).sum() > STRAY * len(known)
        or (~fits & (len(known) < 100)).any()
        or known.str.contains(PADDED).any()
    ):
        return None
    clean = cells.set(~cells.str.contains(NUMBER).fill_null(False), None)
    whole = clean.cast(pl.Int64, strict=False)
    if whole.null_count() == clean.null_count():
        return whole
    if known.str.contains(r"^[+-]?\d{16,}$").any():
        return None  # too long for a number: a code
    numbers = clean.cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite().fill_null(False), None)


def _dates(cells: pl.Series, known: pl.Series, notes: list[str]) -> pl.Series:
    """Dates in the first format that fits every cell, or all but a few; text where none does."""
    bare = r"(?:Z|[+-]00:?00)$"
    flat, seen = (s.str.replace(bare, "").str.replace("T", " ", literal=True) for s in (cells, known))
    formats = [day + time for day in DATES for time in TIMES]
    some = seen.gather_every(max(1, len(seen) // 200))
    fits = {f: _read(seen, f) for f in formats if _read(some, f).any()}
    if not fits:
        return cells
    best = max(fits, key=lambda f: int(fits[f].sum()))
    others = known.filter(~fits[best])
    if len(others) > STRAY * len(known) or (len(others) and len(known) < 100):
        if pl.select(pl.any_horizontal(*fits.values())).to_series().all():
            notes.append(
                f"Dates in {shown(cells.name)} are written in several ways, such as"
                f" {shown(known.filter(fits[best])[0])} and {shown(others[0])}: taken as text. Write all in one."
            )
        return cells
    if len(others):
        notes.append(
            f"{len(others):,} cells of {shown(cells.name)} are no dates like the others, such as"
            f" {shown(others[0])}: taken as missing."
        )
    other_way = fits.get(best.replace("%m/%d", "%d/%m"))
    if best.startswith("%m/%d") and other_way is not None and other_way.sum() == fits[best].sum():
        notes.append(f"Dates in {shown(cells.name)} are read as month/day/year.")
    return flat.str.to_datetime(best, strict=False)


def _read(cells: pl.Series, form: str) -> pl.Series:
    """Whether each cell is a date in that format."""
    return cells.str.to_datetime(form, strict=False).is_not_null()

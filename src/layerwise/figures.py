"""Numbers as people read them: with the digits that the interval warrants, and a unit."""

from __future__ import annotations

import math
from datetime import date, timedelta

__all__ = ["count", "day", "decimals", "figure", "in_bytes", "in_seconds", "interval", "number", "share"]


CALENDAR = 700_000  # days from 1970 that the calendar of Python goes on for, either way


def decimals(low: float | None, high: float | None) -> int | None:
    """Digits after the point that an interval warrants: two significant ones of its half width.

    None where there is no interval, or one without width.
    """
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return None
    return max(0, 1 - math.floor(math.log10((high - low) / 2)))


def number(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """`value` as text: as exact as [low, high] warrants, else with at most three significant digits.

    >>> number(0.71349, 0.655, 0.768), number(0.71349), number(1234.5678), number(7)
    ('0.713', '0.713', '1,235', '7')
    """
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    digits = decimals(low, high)
    if digits is None:
        if float(value).is_integer() and abs(value) < 1e15:
            return f"{int(value):,}"
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        while digits and round(value, digits - 1) == round(value, digits):
            digits -= 1
    if digits > 9 or abs(value) >= 1e15:
        return f"{value:.3g}"
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def interval(low: float, high: float) -> str:
    """`0.655 to 0.768`."""
    return f"{number(low, low, high)} to {number(high, low, high)}"


def figure(value: float, low: float | None = None, high: float | None = None) -> str:
    """`0.713 [0.655, 0.768]`; the value alone where there is no interval."""
    if low is None or high is None:
        return number(value)
    return f"{number(value, low, high)} [{number(low, low, high)}, {number(high, low, high)}]"


def count(n: int) -> str:
    """`1,797`."""
    return f"{n:,}"


def share(part: float) -> str:
    """A part of 1 in percent: `98.1 %`, `0.04 %`, `100 %`."""
    percent = 100 * part
    if not math.isfinite(percent):
        return "unknown"
    if percent in (0, 100):
        return f"{percent:.0f} %"
    near = min(abs(percent), abs(100 - percent))
    digits = min(6, max(1, -math.floor(math.log10(near)))) if near else 1
    return f"{percent:.{digits}f} %"


def day(days: float) -> str:
    """Days since 1970 as a date; as they are where no calendar of four-digit years goes on so far.

    >>> day(18335.5), day(1e9)
    ('2020-03-14', '1,000,000,000 days since 1970')
    """
    if not abs(days) < CALENDAR:
        return f"{number(days)} days since 1970"
    return str(date(1970, 1, 1) + timedelta(math.floor(days)))


def in_bytes(n: float) -> str:
    """`812 bytes`, `1.2 kB`, `34 MB` (powers of 1000)."""
    if n < 1000:
        return f"{n:.0f} bytes"
    for unit in ("kB", "MB", "GB", "TB"):
        n /= 1000
        if n < 999.5 or unit == "TB":
            break
    return f"{n:.1f} {unit}" if n < 9.95 else f"{n:,.0f} {unit}"


def in_seconds(seconds: float) -> str:
    """`0.12 ms`, `85 ms`, `4.2 s`, `3 min 40 s`, `2 h 5 min`."""
    if seconds < 0.9995:
        thousandths = seconds * 1000
        return f"{thousandths:.2g} ms" if thousandths < 99.5 else f"{thousandths:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, left = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"

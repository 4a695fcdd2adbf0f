"""Data as nobody means them: tables drawn at random, pictures and sounds with bytes changed."""

import io
import string

import numpy as np
import soundfile
from hypothesis import strategies as st
from PIL import Image

WORDS = (
    "",
    "NA",
    "?",
    "x",
    "yes",
    "no",
    "Ä",
    "=1+1",
    "1e999",
    "-",
    "nan",
    "0x1f",
    "12,5",
    "2020-02-30",
    '"',
    "a;b",
    " ",
    "\t",
    "'",
)


def _cell(column: int, row: int, rng: np.random.Generator) -> str:
    """A cell of a column that is a number, a class, a date, words, or all of them by chance."""
    kind = column % 6
    if kind == 0:
        return f"{rng.normal():.4g}"
    if kind == 1:
        return "abc"[rng.integers(3)]
    if kind == 2:
        return f"2020-{rng.integers(1, 13):02d}-{rng.integers(1, 31):02d}"
    if kind == 3:
        return " ".join("".join(rng.choice(list(string.ascii_letters), 4)) for _ in range(rng.integers(1, 5)))
    if kind == 4:
        return str(row)
    return WORDS[rng.integers(len(WORDS))]


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """The bytes of a CSV file: any separator, header or none, cells and lines damaged here and there."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, first, width = (
        draw(st.sampled_from([40, 60, 90, 25, 19, 1, 0])),
        draw(st.integers(0, 5)),
        draw(st.integers(1, 6)),
    )
    separator = draw(st.sampled_from([",", ";", "\t", "|", ", "]))
    noise = draw(st.sampled_from([0.0, 0.0, 0.02, 0.3]))
    lines = [[_cell(first + c, r, rng) for c in range(width)] for r in range(rows)]
    for line in lines:
        for c in range(width):
            if rng.random() < noise:
                line[c] = WORDS[rng.integers(len(WORDS))]
        if rng.random() < noise / 4:
            line.append("one more")
    if draw(st.booleans()):
        lines.insert(0, draw(st.lists(st.text(max_size=6), min_size=width, max_size=width)))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = ending.join(separator.join(line) for line in lines)
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "cp1252"]))
    return _mutated(draw, text.encode(encoding, "replace"), most=draw(st.sampled_from([0, 0, 0, 3])))


def _mutated(draw: st.DrawFn, data: bytes, most: int) -> bytes:
    """Some bytes overwritten, and perhaps the end cut off."""
    held = bytearray(data)
    for _ in range(draw(st.integers(0, most)) if held else 0):
        at, size = draw(st.integers(0, len(held) - 1)), draw(st.integers(1, 8))
        held[at : at + size] = draw(st.binary(min_size=size, max_size=size))
    cut = draw(st.sampled_from([None, None, 0.3, 0.9])) if most else None
    return bytes(held if cut is None else held[: int(cut * len(held))])


@st.composite
def pictures(draw: st.DrawFn) -> tuple[str, bytes]:
    """An extension and the bytes of a picture file of that format, changed in up to four places."""
    form = draw(st.sampled_from(["png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm"]))
    seed, side = draw(st.integers(0, 99)), draw(st.integers(1, 24))
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 1, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, form)
    return form, _mutated(draw, held.getvalue(), most=4)


@st.composite
def sounds(draw: st.DrawFn) -> tuple[str, bytes]:
    """An extension and the bytes of a sound file of that format, changed in up to four places."""
    form = draw(st.sampled_from(["wav", "aiff", "flac", "ogg", "mp3"]))
    seed, length, rate = (
        draw(st.integers(0, 99)),
        draw(st.integers(1, 4000)),
        draw(st.sampled_from([8000, 44100])),
    )
    samples = np.random.default_rng(seed).normal(size=length) * 0.1
    held = io.BytesIO()
    soundfile.write(held, samples, rate, format=form)
    return form, _mutated(draw, held.getvalue(), most=4)

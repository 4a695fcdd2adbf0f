"""What a page says, as a parser sees it; and sections that hold a given text in every field."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO

from PIL import Image as Pillow

from layerwise import report
from layerwise.findings import (
    Bars,
    Code,
    Curves,
    Dots,
    Finding,
    Gallery,
    Heat,
    Image,
    Rows,
    Section,
    Snippet,
    Sound,
    Tile,
)

HOSTILE = (
    "<script>leak(1)</script>",
    '"><img src=x onerror=leak(1)>',
    "'><svg onload=leak(1)>",
    "</style><script>leak(1)</script>",
    "</title><script>leak(1)</script>",
    "--><script>leak(1)</script><!--",
    '" onmouseover="leak(1)" x="',
    "javascript:leak(1)",
    "<iframe src=http://127.0.0.1:9/frame></iframe>",
    "<link rel=stylesheet href=http://127.0.0.1:9/style.css>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<base href=http://127.0.0.1:9/><a href=x>x</a>",
    "{{ 7 * 7 }}{% raw %}",
    "url(http://127.0.0.1:9/a.png)",
    "red;background:url(http://127.0.0.1:9/b.png)",
    "&lt;b&gt;&#60;script&#62;",
    "a\0b\x1b[31m\ud800\u202eevil",
    "=cmd|' /C calc'!A0",
)


class Reader(HTMLParser):
    """Tags with their attributes in order, and the text outside styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._skip = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skip = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._skip = False

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """Which tags with which attributes: what no text may change."""
    return [(tag, tuple(attrs)) for tag, attrs in read(html).tags]


def png(width: int = 4, height: int = 4) -> bytes:
    out = BytesIO()
    Pillow.new("L", (width, height), 128).save(out, "PNG")
    return out.getvalue()


def everything(text: Callable[[], str]) -> str:
    """A page with every kind of picture; `text()` gives the text of each field."""
    curves = Curves(
        [0.0, 1.0, 2.0],
        {text() + "a": [1.0, None, 2.0], text() + "b": [0.0, 1.0, 2.0]},
        text(),
        text(),
        text(),
    )
    small = Curves([0.0, 1.0], {text(): [1.0, 2.0]}, text(), text(), text(), small=True)
    rows = Rows([text(), text()], [[text(), 1], [text(), 2.5], [None, 3]], text())
    tiles = [
        Tile(Image(png(), text()), "c" + text(), "0" + text()),
        Tile(Sound(b"\xff\xf3", png(), text()), "c" + text(), "1" + text()),
        Tile(Snippet("x" + text(), ((0, 1),)), "c" + text(), "2" + text()),
        Tile(small, "c" + text(), "3" + text()),
        Tile(rows, "c" + text(), "4" + text()),
    ]
    strip = [Tile(Image(png(), text()), "c" + text(), "unit") for _ in range(3)]
    pair = [text(), text() + "."]
    confusions = Heat(
        [[3, 1], [0, 2]],
        pair,
        pair,
        "r" + text(),
        "c" + text(),
        "w" + text(),
    )
    many = [f"{i} {text()}" for i in range(41)]
    counts = [[float(i == j) + float(i == j + 1) for j in range(41)] for i in range(41)]
    pictures = (
        curves,
        Dots([(text(), 0.5, 0.4, 0.6), (text(), 0.7, None, None)], text(), "w" + text()),
        Bars([(text(), 2.0), (text(), -1.0)], text(), "w" + text()),
        confusions,
        Heat(counts, many, many, "r", "c", "w" + text()),
        Rows(["h" + text()], [[text()]], "w" + text(), fold=True),
        rows,
        Gallery(tiles, "w" + text()),
        Gallery(strip, "w" + text(), examples=True),
        Code(f"x{text()}", "w" + text()),
    )
    finding = Finding(
        "f" + text(), "s" + text(), 0.5, 0.4, 0.6, 7, "m" + text(), "c" + text(), pictures, "u" + text()
    )
    facts = {"k" + text(): "v" + text()}
    probe = Finding("levels.one.probe", "s" + text(), 0.5, 0.4, 0.6)
    level = Section("levels.one", "h" + text(), (probe, finding), facts=facts)
    other = Section("levels." + text(), "h" + text(), (finding,), (Section(text(), "h" + text()),), facts)
    sections = (
        Section("verdict", "h" + text(), (finding, finding)),
        Section("levels", "h" + text(), parts=(level, other)),
        Section(text(), "h" + text(), (finding,), facts=facts),
    )
    return report.page(sections, title="t" + text(), subtitle="s" + text(), meta={"k" + text(): text()})

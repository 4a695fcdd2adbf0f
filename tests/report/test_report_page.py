"""The page holds every text as text, needs nothing from outside, and says the same for the same findings."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys

import digits_page
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import HOSTILE, everything, png, read, shape

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
    Tile,
)

PLAIN = everything(lambda: "long plain text")
META = {"Seed": "0"}


def page_of(*sections: Section) -> str:
    return report.page(sections, title="title", subtitle="subtitle", meta=META)


@pytest.fixture(scope="module")
def digits() -> str:
    sections = (*digits_page.sections(), digits_page.other_media())
    return report.page(sections, title="digits", subtitle="1,797 images", meta=digits_page.META)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_in_every_field_changes_no_tag(hostile: str) -> None:
    # Long enough, so that the classes that follow from a text's length are those of the plain page.
    html = everything(lambda: hostile + " and some more words")
    assert shape(html) == shape(PLAIN)
    for _, attributes in read(html).tags:
        style = attributes.get("style")
        assert style is None or re.fullmatch(r"(left|top|bottom):[\d.]+%|--s:\d+%", style)
        assert (attributes.get("href") or "#").startswith("#")
        assert (attributes.get("src") or "data:image/png").startswith(
            ("data:image/png;base64,", "data:image/png", "data:audio/mpeg;base64,")
        )


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_text_in_any_field_changes_no_tag(data: st.DataObject) -> None:
    texts = st.text(alphabet=st.sampled_from("<>&\"'/=`{}%!-;:\\ab \u2028\u202e\x00"), max_size=12)
    drawn = data.draw(st.lists(texts, min_size=1, max_size=12))
    at = iter(range(10**6))
    html = everything(lambda: "long plain text " + drawn[next(at) % len(drawn)])
    assert shape(html) == shape(PLAIN)


def test_hostile_text_is_still_read_as_it_is() -> None:
    said = "".join(read(page_of(Section("data", "<script>alert('1')</script> & <b>"))).text)
    assert "<script>alert('1')</script> & <b>" in said


def test_same_findings_same_bytes_in_any_process() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import reading, hashlib;"
        "print(hashlib.sha256(reading.everything(lambda: 'text').encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
    assert len(seen.pop()) == 65


def test_nothing_comes_from_outside_and_nothing_runs(digits: str) -> None:
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:" in digits
    bare = re.sub(r'"data:(image/png|audio/mpeg);base64,[A-Za-z0-9+/=]*"', '""', digits)
    assert not re.search(r"https?:|//[a-z]|<script|@import|url\(|data:[a-z]", bare)
    assert "javascript" not in digits


def test_the_demo_is_under_two_megabytes(digits: str) -> None:
    assert len(digits.encode()) < 2_000_000


def test_anchors_are_unique_and_every_reference_has_one(digits: str) -> None:
    for html in (digits, PLAIN, page_of(Section("main", "a"), Section("main", "b"), Section("Ü", "c"))):
        tags = read(html).tags
        known = [attributes["id"] for _, attributes in tags if "id" in attributes]
        assert len(known) == len(set(known))
        for _, attributes in tags:
            for name in ("aria-labelledby", "aria-describedby"):
                assert attributes.get(name, known[0]) in known
            if attributes.get("href"):
                assert str(attributes["href"])[1:] in known


def test_every_picture_has_words(digits: str) -> None:
    for html in (digits, PLAIN):
        tags = read(html).tags
        for tag, attributes in tags:
            if tag == "img":
                assert attributes["alt"]
            if tag == "audio" or attributes.get("role") in ("img", "group"):
                assert attributes.get("aria-label") or attributes.get("aria-labelledby")
            assert tag != "svg" or attributes.get("aria-hidden") == "true"


def test_headings_are_in_order(digits: str) -> None:
    levels = [int(tag[1]) for tag, _ in read(digits).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_verdict_heads_the_page_wherever_it_stands() -> None:
    verdict = Section("verdict", "heading", (Finding("v", "It reads 9 of 10.", 0.9, 0.8, 0.95),))
    html = page_of(Section("data", "Data"), verdict)
    assert re.search(r"<h1[^>]*>It reads 9 of 10\.</h1>", html)
    assert ">0.900<" in html
    assert html.index("<h1") < html.index("<h2")


@pytest.mark.parametrize("left_out", range(9))
def test_a_page_with_a_section_missing_still_draws(left_out: int) -> None:
    sections = [s for i, s in enumerate(digits_page.sections()) if i != left_out]
    assert page_of(*sections).count("<section") >= len(sections)


def test_a_page_of_nothing_still_draws() -> None:
    html = page_of()
    assert re.search(r"<h1[^>]*>title</h1>", html)
    assert "<nav" not in html


@pytest.mark.parametrize(
    "empty",
    [
        Curves([], {}, "x", "y", "words"),
        Curves([0.0, 1.0], {"a": [None, float("nan")]}, "x", "y", "words"),
        Dots([], "x", "words"),
        Bars([], "x", "words"),
        Heat([], [], [], "a", "b", "words"),
        Rows(["a"], [], "words"),
        Gallery([], "words"),
        Code("", "words"),
    ],
)
def test_a_picture_of_nothing_is_left_out(empty: object) -> None:
    html = page_of(Section("data", "h", (Finding("f", "Sentence.", pictures=(empty,)),)))  # type: ignore[arg-type]
    assert "<figure" not in html
    assert "Sentence." in html


def test_one_figure_is_said_once() -> None:
    def claim(sentence: str, method: str = "") -> str:
        html = page_of(Section("data", "h", (Finding("f", sentence, 0.713, 0.655, 0.768, method=method),)))
        return html[html.index('class="finding"') :]

    assert claim("Accuracy 0.713 [0.655, 0.768].").count("0.713") == 1
    assert claim("Accuracy 0.713 [0.655, 0.768].").count("0.655") == 1
    assert claim("It is right in 71 of 100.").count("0.713") == 1
    assert "95 % interval 0.655 to 0.768" in claim("It is right in 71 of 100.")
    assert claim("Right.", "95 % interval over 15 recordings").count("95 % interval") == 1
    assert claim("Version 10.7131.").count("0.713<") == 1


def test_levels_share_one_scale_and_one_table() -> None:
    html = page_of(digits_page.levels(digits_page.load_digits().images[:50], digits_page.np.ones((10, 8, 8))))
    tables = re.findall(r'<table class="marks levels">.*?</table>', html, re.S)
    assert len(tables) == 1
    assert tables[0].count("<circle") == len(digits_page.LEVELS)
    places = re.findall(r'<div class="place".*?</div>', html, re.S)
    scales = {re.search(r'<span class="scale".*', place).group() for place in places}  # type: ignore[union-attr]
    assert len(places) == len(digits_page.LEVELS)
    assert len(scales) == 1


def test_small_pictures_are_enlarged_pixel_by_pixel() -> None:
    def image(size: int) -> str:
        gallery = Gallery([Tile(Image(png(size, size), "a picture"))], "words")
        html = page_of(Section("data", "h", (Finding("f", "s", pictures=(gallery,)),)))
        return re.search(r"<img[^>]*>", html).group()  # type: ignore[union-attr]

    assert 'class="coarse"' in image(8)
    assert 'width="8" height="8"' in image(8)
    assert "coarse" not in image(300)

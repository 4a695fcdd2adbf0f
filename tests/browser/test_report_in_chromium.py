"""The page as a real browser shows it: offline, no script, no request, readable by everyone, at any width."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import digits_page
import pytest
from reading import HOSTILE, everything
from seeing import opened

from layerwise import report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("digits") / "report.html"
    sections = (*digits_page.sections(), digits_page.other_media())
    report.write(target, sections, title="digits", subtitle="1,797 images", meta=digits_page.META)
    return target


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opens_offline_without_a_word_on_the_console(browser: Any, digits: Path, scheme: str) -> None:
    seen = opened(browser, digits, scheme=scheme)
    assert seen.console == []
    assert [r for r in seen.requests if not r.startswith("data:")] == [digits.as_uri()]
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert seen.page.evaluate("document.images.length") > 100
    assert seen.page.evaluate(broken) == 0


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_never_scrolls_sideways(browser: Any, digits: Path, width: int) -> None:
    page = opened(browser, digits, width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_follows_the_system(browser: Any, digits: Path) -> None:
    shade = "getComputedStyle(document.body).backgroundColor"
    light = opened(browser, digits, scheme="light").page.evaluate(shade)
    dark = opened(browser, digits, scheme="dark").page.evaluate(shade)
    assert (light, dark) == ("rgb(253, 253, 252)", "rgb(21, 23, 26)")


def test_letters_keep_their_size_on_a_phone(browser: Any, digits: Path) -> None:
    page = opened(browser, digits, width=360).page
    sizes = page.evaluate(
        "[...document.querySelectorAll('.plot span, .scale span, td, th, figcaption, p')]"
        ".filter(e => e.innerText.trim()).map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 11


def test_what_can_be_tapped_is_large_enough(browser: Any, digits: Path) -> None:
    page = opened(browser, digits, width=360).page
    heights = page.evaluate(
        "[...document.querySelectorAll('nav a, summary')].map(e => e.getBoundingClientRect().height)"
    )
    assert min(heights) >= 36


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_serious(browser: Any, digits: Path, scheme: str, width: int) -> None:
    axe = os.environ.get("AXE_PATH")
    if not axe:
        pytest.fail("AXE_PATH must name axe.min.js: npm install axe-core")
    page = opened(browser, digits, width=width, scheme=scheme).page
    page.evaluate(Path(axe).read_text("utf-8"))
    found = page.evaluate("axe.run().then(r => r.violations)")
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in grave] == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_runs_nothing_and_asks_for_nothing(browser: Any, tmp_path: Path, hostile: str) -> None:
    path = tmp_path / "report.html"
    path.write_text(everything(lambda: hostile), "utf-8")
    seen = opened(browser, path)
    page = seen.page
    hover = "e => e.dispatchEvent(new Event('mouseover'))"
    page.evaluate(f"document.querySelectorAll('*').forEach({hover})")
    assert seen.console == []
    assert [r for r in seen.requests if not r.startswith("data:")] == [path.as_uri()]
    assert (
        page.evaluate(
            "document.scripts.length + document.querySelectorAll('iframe, object, base, link').length"
        )
        == 0
    )


def test_the_policy_holds_even_where_markup_slips_in(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    slipped = "<script>document.title = 'leaked'</script><img src='http://127.0.0.1:9/x.png'>"
    path.write_text(everything(lambda: "SLOT").replace("SLOT", slipped), "utf-8")
    seen = opened(browser, path)
    assert seen.page.title() != "leaked"
    assert all("Content Security Policy" in said for said in seen.console)
    assert seen.console

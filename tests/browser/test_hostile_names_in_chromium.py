"""Names and cells that are scripts, from raw files to the page in a real browser: nothing runs, nothing leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seeing import opened

import layerwise

pytestmark = pytest.mark.browser

PAYLOADS = (
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "'><svg onload=document.title='owned'>",
    "<link rel=stylesheet href=http:127.0.0.1:9>",
    "javascript:document.title='owned'",
    "{{7*7}}{%raw%}",
)


def as_name(payload: str) -> str:
    """As a file may be called."""
    return payload.replace("/", "\u2215")


def pictures(root: Path) -> Path:
    """Class folders and files called like scripts, some of them no pictures."""
    for k, payload in enumerate(PAYLOADS[:3]):
        folder = root / as_name(payload)
        folder.mkdir(parents=True)
        for i in range(12):
            noise = np.random.default_rng(100 * k + i).integers(0, 256, (8, 8), np.uint8)
            (folder / f"{i}{as_name(PAYLOADS[i % 6])}.pgm").write_bytes(b"P5 8 8 255\n" + noise.tobytes())
        (folder / f"broken{as_name(payload)}.pgm").write_bytes(b"<script>document.title='owned'</script>")
    return root


def table(path: Path) -> Path:
    """Columns, cells, texts and classes that are scripts."""
    quoted = [p.replace('"', '""') for p in PAYLOADS]
    rng = np.random.default_rng(0)
    header = ",".join(f'"{q}"' for q in (quoted[0], quoted[1], quoted[2], "label"))
    rows = [
        f'{rng.normal():.3f},"{quoted[i % 4]}","{quoted[i % 5]} words that make a text of {i * 7}","{quoted[i % 2]}"'
        for i in range(80)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("kind", ["pictures", "table"])
def test_hostile_data_make_a_harmless_page(browser: Any, tmp_path: Path, kind: str) -> None:
    payload = as_name(PAYLOADS[0])
    if kind == "pictures":
        data, chosen = pictures(tmp_path / payload), {}
    else:
        data, chosen = table(tmp_path / f"{payload}.csv"), {"target": "label"}
    out = tmp_path / f"{payload}-model"
    layerwise.fit(str(data), out=out, settings={"training.epochs": 1}, **chosen)
    seen = opened(browser, out / "report.html")
    page = seen.page
    page.evaluate("document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('mouseover')))")
    assert page.title() != "owned"
    assert seen.console == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [(out / "report.html").as_uri()]
    assert (
        page.evaluate("document.scripts.length + document.querySelectorAll('iframe,object,base,link').length")
        == 0
    )
    handlers = (
        "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/i.test(a.name)))"
    )
    assert page.evaluate(f"{handlers}.length") == 0
    policy = page.evaluate("document.querySelector('meta[http-equiv=Content-Security-Policy]').content")
    assert policy.startswith("default-src 'none'")
    assert "document.title" in page.evaluate("document.body.innerText")  # the names are shown, as text

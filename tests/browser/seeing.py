"""A page as headless Chromium lays it out, with all that it said and asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """An open page, what its console said, and every address that it asked for."""

    page: Any
    console: list[str]
    requests: list[str]


def opened(browser: Any, path: Path, *, width: int = 1280, scheme: str = "light") -> Seen:
    """The page at `path`, all of it laid out, every folded part unfolded, every picture shown or refused."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen = Seen(page, [], [])
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("dialog", lambda dialog: (seen.console.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("Promise.all(Array.from(document.images, i => i.decode().catch(() => null)))")
    return seen

"""The page: one file of HTML that needs no network and no script."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from layerwise.errors import MachineError, shown
from layerwise.findings import Section
from layerwise.report.views import view

__all__ = ["page", "write"]

CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"}
"""Control characters, which HTML does not allow, and their pictures in Unicode."""


def _packaged(name: str) -> str:
    """A text that lies beside this file, wherever the package was installed."""
    return files("layerwise.report").joinpath(name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["css"] = Markup(_packaged("page.css"))
    return environment


def page(sections: Sequence[Section], *, title: str, subtitle: str, meta: Mapping[str, str]) -> str:
    """One self-contained page of HTML: the same text for the same sections.

    The section named "verdict" heads the page, wherever it stands; the others follow in their order.
    `meta` (label -> text) stands at the foot: versions, seed, date, folder.
    """
    drawn = view(sections)
    verdict = next((s for s in drawn if s.name == "verdict"), None)
    rest = tuple(s for s in drawn if s is not verdict)
    template = _environment().get_template("page.html.j2")
    html = template.render(verdict=verdict, sections=rest, title=title, subtitle=subtitle, meta=meta)
    return html.translate(CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8")


def write(
    path: str | os.PathLike[str],
    sections: Sequence[Section],
    *,
    title: str,
    subtitle: str,
    meta: Mapping[str, str],
) -> None:
    """Write the page to `path`, whole or not at all. Raises MachineError where the disk refuses."""
    target = Path(path)
    text = page(sections, title=title, subtitle=subtitle, meta=meta).encode("utf-8")
    try:
        _replace(target, text)
    except OSError as error:
        raise refusal(target, error, len(text)) from error


def refusal(target: Path, error: OSError, size: int) -> MachineError:
    """What to tell a person when the disk refuses `size` bytes."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"no space left; it needs {size:,} bytes. Free some, then run layerwise report again"
    else:
        reason = f"{error.strerror or error}. Name a folder that can be written with --out"
    return MachineError(f"cannot write {shown(target, 300)}: {reason}")


def _replace(target: Path, text: bytes) -> None:
    """Write aside, sync, rename: a reader sees the old page or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

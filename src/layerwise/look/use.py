"""What to do with a model: lines to copy."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from layerwise.findings import Code, Finding, Section

__all__ = ["use"]

SPECIAL = set("\"'$`\\!")  # to a shell, between double quotes, or to Python


def use(folder: str, *, data: str, options: Sequence[str] = (), new: str = "NEW") -> Section:
    """Three lines: ask it from a terminal, ask it from Python, train it again.

    `folder` is the model's, `data` and `options` what it was trained on, `new` stands for what is to be answered.
    """
    python = f"import layerwise; print(layerwise.load({folder!r}).predict({new!r}).answer)"
    lines = (
        f"layerwise predict {shlex.quote(folder)} {shlex.quote(new)} --csv answers.csv",
        f"python -c {_quoted(python, folder + new)}",
        shlex.join(["layerwise", "fit", data, *options, "--recipe", folder + "/recipe.json"]),
    )
    words = "Ask it from a terminal, ask it from Python, train it again."
    code = Code("\n".join(lines), words)
    return Section("use", "Ask it, or train it again.", (Finding("use", "", pictures=(code,)),))


def _quoted(code: str, names: str) -> str:
    """Code as one word of a shell, in double quotes where the names in it allow."""
    return shlex.quote(code) if SPECIAL & set(names) else f'"{code}"'

"""What to do with a model: lines to copy."""

from __future__ import annotations

import shlex

from layerwise.findings import Code, Finding, Section

__all__ = ["use"]


def use(folder: str, *, data: str, new: str = "NEW") -> Section:
    """Three lines: ask it from a terminal, ask it from Python, train it again.

    `folder` is the model's, `data` what it was trained on, `new` stands for what is to be answered.
    """
    ask = f"layerwise predict {shlex.quote(folder)} {shlex.quote(new)} --csv answers.csv"
    python = f"python -c {shlex.quote(f'import layerwise; print(layerwise.load({folder!r}).predict({new!r}).answer)')}"
    again = f"layerwise fit {shlex.quote(data)} --recipe {shlex.quote(folder + '/recipe.json')}"
    code = Code(
        "\n".join((ask, python, again)), "Ask it from a terminal, ask it from Python, train it again."
    )
    return Section("use", "Ask it, or train it again.", (Finding("use", "", pictures=(code,)),))

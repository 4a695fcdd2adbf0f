"""What to do with a model: lines to copy."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from layerwise.findings import Code, Finding, Section

__all__ = ["use", "use_features", "use_segments"]

SPECIAL = set("\"'$`\\!")  # to a shell, between double quotes, or to Python


def use(
    folder: str, *, data: str, options: Sequence[str] = (), new: str = "NEW", start: str | None = None
) -> Section:
    """Three lines: ask it from a terminal, ask it from Python, train it again.

    `folder` is the model's, `data` and `options` what it was trained on, `new` stands for what is to be answered,
    `start` is the folder of the levels that it began with.
    """
    python = f"import layerwise; print(layerwise.load({folder!r}).predict({new!r}).answer)"
    again = ["--from", start] if start else ["--recipe", folder + "/recipe.json"]
    lines = (
        f"layerwise predict {shlex.quote(folder)} {shlex.quote(new)} --csv answers.csv",
        f"python -c {_quoted(python, folder + new)}",
        shlex.join(["layerwise", "fit", data, *options, *again]),
    )
    words = "Ask it from a terminal, ask it from Python, train it again."
    code = Code("\n".join(lines), words)
    return Section("use", "Ask it, or train it again.", (Finding("use", "", pictures=(code,)),))


def use_features(folder: str, *, data: str, options: Sequence[str] = ()) -> Section:
    """Three lines: features of new data, a network on top of these levels, the same from Python."""
    python = f"import layerwise; print(layerwise.load({folder!r}).transform('NEW').values.shape)"
    lines = (
        f"layerwise predict {shlex.quote(folder)} NEW --csv features.csv",
        f"layerwise fit LABELLED --from {shlex.quote(folder)}",
        f"python -c {_quoted(python, folder)}",
        shlex.join(
            [
                "layerwise",
                "learn",
                data,
                *options,
                "--recipe",
                folder + "/recipe.json",
                "--out",
                folder + "-2",
            ]
        ),
    )
    words = "Features of new data, a network on top of these levels, features in Python, learning once more."
    code = Code("\n".join(lines), words)
    return Section("use", "Use it, or learn once more.", (Finding("use", "", pictures=(code,)),))


def use_segments(folder: str, *, data: str, options: Sequence[str] = (), number: int | None) -> Section:
    """Two lines: the segments of new data, cutting once more; `number` is how many were asked for, if so."""
    lines = (
        f"layerwise predict {shlex.quote(folder)} NEW --csv segments.csv",
        shlex.join(["layerwise", "learn", data, *options, "--segments", str(number or "auto")]),
    )
    code = Code("\n".join(lines), "Which segment new examples are in; segments once more.")
    return Section("use", "Ask which segment, or cut once more.", (Finding("use", "", pictures=(code,)),))


def _quoted(code: str, names: str) -> str:
    """Code as one word of a shell, in double quotes where the names in it allow."""
    return shlex.quote(code) if SPECIAL & set(names) else f'"{code}"'

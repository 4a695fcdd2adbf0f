"""The model card: what a person reads first in a model folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

__all__ = ["card"]


def card(name: str, about: Mapping[str, Any]) -> str:
    """MODEL/README.md from what is known of a run."""
    rivals = [
        f"- {r['name']}: " + ", ".join(f"{k} {v['value']:.4g}" for k, v in r["metrics"].items())
        for r in about.get("rivals", [])
    ]
    lines = [
        f"# {_plain(name)}",
        "",
        _plain(str(about.get("verdict", "A network trained by layerwise."))),
        "",
        "## What it does",
        "",
        f"- Data: {_plain(str(about.get('data', '')))}",
        f"- Answer: {_plain(str(about.get('answer', '')))}",
        f"- Network: {_plain(str(about.get('network', '')))}",
        f"- Held-out split: {_plain(str(about.get('split_why', '')))}",
        "",
        *_quality(about),
        *(["Simple rivals on the same examples:", "", *rivals, ""] if rivals else []),
        "## Use",
        "",
        "```",
        *_uses(shlex.quote(" ".join(name.split())), about),
        "```",
        "",
        "What is known of its limits stands in `report.html`. Weights are safetensors, the rest is JSON;"
        " loading executes nothing. `checksums.json` lists the SHA-256 of every file but the report.",
        f"Written by layerwise {about.get('layerwise', '')}, folder format {about.get('format', '')};"
        " later versions read it too.",
        "",
    ]
    return "\n".join(lines)


def _quality(about: Mapping[str, Any]) -> list[str]:
    """The table of metrics, where there are any."""
    metrics = about.get("metrics", {})
    if not metrics:
        return []
    rows = [
        f"| {metric} | {m['value']:.4g} | {m['low']:.4g} to {m['high']:.4g} | {m['n']} |"
        for metric, m in metrics.items()
    ]
    header = ["| metric | value | 95 % interval | n |", "|---|---:|---:|---:|"]
    return ["## How good it is on held-out data", "", *header, *rows, ""]


def _uses(name: str, about: Mapping[str, Any]) -> list[str]:
    if "features" in about:
        return [f"layerwise predict {name} NEW --csv features.csv", f"layerwise fit LABELLED --from {name}"]
    return [f"layerwise predict {name} NEW --csv answers.csv", f"layerwise report {name}"]


def _plain(text: str) -> str:
    """Text from data with Markdown's and HTML's special characters defused."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, "\\" + character if character != "<" else "&lt;")
    return " ".join(text.split())

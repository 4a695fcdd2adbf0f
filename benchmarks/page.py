"""The page of results, from the JSON that every benchmark keeps: docs/benchmarks.md.

python -m benchmarks.page
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
SECTIONS = {  # how the names of results begin
    "Kinds of data, end to end": ("kind", "digits", "levels", "fuzz"),
    "Recipes of the literature": ("like",),
    "Learned without labels": (
        "autoencoder", "dbn", "dbm", "variants", "few_labels", "faces", "selfsup", "masked", "segments",
    ),
    "Energy models": ("ais", "ising", "hopfield", "rbm"),
    "Training": ("kill", "loop", "memory", "start"),
}  # fmt: skip
ASIDE = (
    "seed", "n", "minutes", "machine", "split", "seconds", "levels", "metrics", "shuffled_probes", "low", "high",
    "rates",
)  # fmt: skip
SHOWN = ("accuracy", "f1_macro", "roc_auc", "r2", "mse")  # metrics


def figures(result: Mapping[str, Any]) -> Iterator[str]:
    """The figures of a result, a line each."""
    if "metrics" in result:
        shown = [m for m in SHOWN if m in result["metrics"]]
        yield from (f"{m} {_metric(result['metrics'][m])}" for m in shown[:3])
    elif "cases" in result:
        for name, case in result["cases"].items():
            yield f"{name} {case['ratio']:.3f} x, {case['more_us']:+.0f} us"
    else:
        before = list(result)[: list(result).index("low")] if "low" in result else []
        main = next(
            (k for k in reversed(before) if isinstance(result[k], float)), None
        )  # whose interval it is
        for key, value in result.items():
            if key not in ASIDE:
                told = (
                    {"value": value, "low": result["low"], "high": result["high"]} if key == main else value
                )
                yield from _told(key.replace("_", " "), told)


def _told(name: str, value: object) -> Iterator[str]:
    """A number, a metric, some of them, or one line each of several sets of them; nothing for all else."""
    if plain := _plain(value):
        yield f"{name} {plain}"
    elif isinstance(value, Mapping) and all(_plain(v) for v in value.values()):
        yield f"{name}: " + ", ".join(f"{str(k).replace('_', ' ')} {_plain(v)}" for k, v in value.items())
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if isinstance(one, Mapping):
                yield from _told(f"{name}, {key}".replace("_", " "), one)


def _plain(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"
    return _metric(value) if isinstance(value, Mapping) and "value" in value else ""


def _metric(m: Mapping[str, Any]) -> str:
    if m["value"] is None:
        return "unknown"
    ends = [] if m["low"] is None else [m["low"], m["high"]]
    value, *ends = (f"{x:.4f}" if abs(x) < 10 else f"{x:.2f}" for x in (m["value"], *ends))
    return f"{value} [{', '.join(ends)}]" if ends else value


def rivals(result: Mapping[str, Any], metric: str) -> list[str]:
    """The rivals' figures in the same metric, best first."""
    found = [
        (r["name"], r["metrics"][metric]["value"]) for r in result.get("rivals", []) if metric in r["metrics"]
    ]
    found = [(name, value) for name, value in found if value is not None]
    lower = metric in ("mse", "mae", "log_loss")
    return [f"{n} {v:.4f}" for n, v in sorted(found, key=lambda x: x[1] if lower else -x[1])]


def conditions(result: Mapping[str, Any]) -> Iterator[str]:
    """On how much, with which seeds, how long, on what, and of which commit."""
    if n := result.get("n") or result.get("split", {}).get("counts", {}).get("test"):
        yield f"n {n:,}"
    if "seed" in result:
        first, _, last = str(result["seed"]).rpartition(" to ")
        seeds = last if first in ("", last) else result["seed"]
        yield f"{seeds}" if str(seeds).startswith("draws") else f"seed {seeds}"
    at = result["machine"]
    yield f"{result['minutes']} min, {at['threads']} thread{'s' * (at['threads'] > 1)}"
    yield f"{at['peak_gflops_float32']} GFLOP/s"
    yield f"{result['commit']}"


def table(names: list[str]) -> list[str]:
    """Those results, a row each."""
    found = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in names}
    beside = any(r.get("rivals") for r in found.values())
    heads = ["benchmark", "bar", "met", "figures", *(["rivals, same metric"] if beside else []), "conditions"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, result in found.items():
        bar = str(result.get("bar", ""))
        met = "yes" if result.get("holds") else "**no**"
        cells = [name.replace("_", " "), bar, "" if bar.startswith("beside") else met]
        told = [figures(result), *([rivals(result, bar.split(" ")[0])] if beside else []), conditions(result)]
        cells += ["<br>".join(lines) for lines in told]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return lines


def page() -> str:
    """The whole page."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `python -m benchmarks.page` from `benchmarks/results/`; how to run each: "
        "[benchmarks/README.md](../benchmarks/README.md). Intervals are of 95 %. Conditions: examples that were"
        " scored, seeds, minutes and threads, the machine's float32 matrix products as measured, the commit (with a"
        " + where files differed from it). What was tried, and what failed: the [log](log.md).",
    ]
    left = [path.stem for path in sorted(RESULTS.glob("*.json"))]
    for heading, begins in (*SECTIONS.items(), ("Others", ("",))):
        names = [name for begin in begins for name in left if name.startswith(begin)]
        left = [name for name in left if name not in names]
        if names:
            lines += ["", f"## {heading}", "", *table(names)]
    return "\n".join([*lines, "", *pictures()]) + "\n"


def pictures() -> list[str]:
    """Every picture that a benchmark keeps, under its name."""
    lines = ["## Pictures", ""]
    for path in sorted(RESULTS.glob("*.png")):
        lines += [f"{path.stem}:", "", f"![{path.stem}](../benchmarks/results/{path.name})", ""]
    return lines[:-1]


if __name__ == "__main__":
    PAGE.write_text(page())

"""The page of results, from the JSON that every benchmark keeps: docs/benchmarks.md.

python -m benchmarks.page
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def figure(result: Mapping[str, Any]) -> str:
    """The figures of a result in a cell."""
    if "metrics" in result:
        shown = [m for m in ("accuracy", "f1_macro", "roc_auc", "r2", "mse") if m in result["metrics"]]
        return "; ".join(f"{m} {_metric(result['metrics'][m])}" for m in shown[:3])
    if "cases" in result:
        return "; ".join(
            f"{name} {case['ratio']:.3f} x, {case['more_us']:+.0f} us"
            for name, case in result["cases"].items()
        )
    told = [f"{k} {one}" for k, v in result.items() if k not in ASIDE and (one := _plain(v))]
    return "; ".join(told)


ASIDE = ("seed", "n", "minutes", "machine", "split", "seconds", "levels", "metrics", "shuffled_probes")


def _plain(value: object) -> str:
    """A number, a metric or a few counts in words; nothing for all else."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        return f"{value:.4g}"
    if isinstance(value, Mapping) and "value" in value:
        return _metric(value)
    if isinstance(value, Mapping) and all(isinstance(v, int | float) for v in value.values()):
        return ", ".join(f"{k} {v:.4g}" for k, v in value.items())
    return ""


def _metric(m: Mapping[str, Any]) -> str:
    if m["value"] is None:
        return "unknown"
    return (
        f"{m['value']:.4f} [{m['low']:.4f}, {m['high']:.4f}]" if m["low"] is not None else f"{m['value']:.4f}"
    )


def rivals(result: Mapping[str, Any], metric: str) -> str:
    """The rivals' figures in the same metric, best first."""
    found = [
        (r["name"], r["metrics"][metric]["value"]) for r in result.get("rivals", []) if metric in r["metrics"]
    ]
    found = [(name, value) for name, value in found if value is not None]
    lower = metric in ("mse", "mae", "log_loss")
    return "; ".join(f"{n} {v:.4f}" for n, v in sorted(found, key=lambda x: x[1] if lower else -x[1]))


def page() -> str:
    """The whole page."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `python -m benchmarks.page` from `benchmarks/results/`; how to run each: "
        "[benchmarks/README.md](../benchmarks/README.md). Every row names its machine's measured float32 peak.",
        "",
        "| benchmark | bar | met | figures | rivals, same metric | n | seed | minutes | peak GFLOP/s | commit |",
        "|---|---|---|---|---|---:|---:|---:|---:|---|",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        metric = str(result.get("bar", "")).split(" ")[0]
        n = result.get("n") or result.get("split", {}).get("counts", {}).get("test", "")
        cells = [
            path.stem,
            result.get("bar", ""),
            "yes" if result.get("holds") else "**no**",
            figure(result),
            rivals(result, metric),
            n,
            result.get("seed", ""),
            result["minutes"],
            result["machine"]["peak_gflops_float32"],
            result["commit"],
        ]
        lines.append("| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |")
    return "\n".join([*lines, "", *pictures()]) + "\n"


def pictures() -> list[str]:
    """Every picture that a benchmark keeps, under its name."""
    lines = ["## Pictures", ""]
    for path in sorted(RESULTS.glob("*.png")):
        lines += [f"{path.stem}:", "", f"![{path.stem}](../benchmarks/results/{path.name})", ""]
    return lines[:-1]


if __name__ == "__main__":
    PAGE.write_text(page())

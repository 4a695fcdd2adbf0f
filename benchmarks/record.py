"""What every benchmark keeps beside its figures: seed, commit, machine, its measured peak, minutes."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def peak_gflops(size: int = 1024, repeats: int = 8) -> float:
    """Measured float32 matrix-product rate of this machine, 1e9 floating-point operations a second."""
    import torch

    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def commit() -> str:
    """The commit this ran on, with + where files differ from it."""
    run = ["git", "-C", str(RESULTS.parent)]
    name = subprocess.run(
        [*run, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    dirty = subprocess.run(
        [*run, "status", "--porcelain", "-uno"], capture_output=True, text=True
    ).stdout.strip()
    return name + ("+" if dirty else "")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "peak_gflops_float32": round(peak_gflops(), 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


@contextmanager
def recorded(name: str, **about: Any) -> Iterator[dict[str, Any]]:
    """Yield a dict to fill with figures; keep it as `results/NAME.json` with everything that goes with it."""
    figures: dict[str, Any] = {}
    started = time.monotonic()
    at = machine()
    yield figures
    keep(
        name,
        {
            **about,
            **figures,
            "minutes": round((time.monotonic() - started) / 60, 2),
            "commit": commit(),
            "machine": at,
        },
    )


def keep(name: str, result: Mapping[str, Any]) -> None:
    """Write one result."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False, default=float) + "\n"
    )

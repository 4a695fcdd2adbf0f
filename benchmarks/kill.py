"""`kill -9` at N random moments of training and saving: every run resumes to bit-identical weights.

    python -m benchmarks.kill [fit | pcd | tempering | dbm ...] [--times N]

`fit` is the command on a table; the others are runs of energy models whose chains persist (see `chains`), and
their chains must come back too.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chains import END
from benchmarks.record import recorded

FIT = [sys.executable, "-m", "layerwise", "fit", "wine", "--set", "training.epochs=40", "--set",
       "training.patience=null", "--set", "training.batch=16", "--quiet", "--out"]  # fmt: skip
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Row:
    """How a run is begun and gone on with, given its folder; what is left of it; where a checkpoint shows."""

    begin: Callable[[Path], list[str]]
    resume: Callable[[Path], list[str]]
    left: str
    under_way: str


def _chains(way: str) -> Row:
    def command(out: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.chains", way, str(out)]

    return Row(command, command, END, "checkpoint")


ROWS = {
    "fit": Row(
        lambda out: [*FIT, str(out)],
        lambda out: [*FIT, str(out), "--resume" if (out / ".run" / "run.json").exists() else "--overwrite"],
        "weights.safetensors",
        ".run/run.json",
    ),
    **{way: _chains(way) for way in ("pcd", "tempering", "dbm")},
}


def whole(row: Row, out: Path) -> tuple[bytes, float]:
    """What is left of an undisturbed run, and how long it took."""
    start = time.monotonic()
    subprocess.run(row.begin(out), env=ENVIRONMENT, check=True)
    return (out / row.left).read_bytes(), time.monotonic() - start


def killed(row: Row, out: Path, moment: float) -> str:
    """Start a run, kill it at that moment, resume until it ends; what happened."""
    process = subprocess.Popen(row.begin(out), env=ENVIRONMENT, stderr=subprocess.PIPE)
    try:
        process.wait(moment)
        return "ended before"
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    begun = (out / row.under_way).exists()
    subprocess.run(row.resume(out), env=ENVIRONMENT, check=True)
    return "killed in training" if begun else "killed before"


def measured(name: str, times: int) -> bool:
    """Kill a row's run so many times; keep the result."""
    row, draw = ROWS[name], random.Random(0)
    key = "kill" if name == "fit" else f"kill_{name}"
    what = "weights" if name == "fit" else "weights and chains"
    with recorded(key, bar=f"every run resumes to bit-identical {what}", seed=0, n=times) as figures:
        counts: dict[str, int] = {}
        with tempfile.TemporaryDirectory() as folder:
            expected, seconds = whole(row, Path(folder) / "whole")
            same = 0
            for i in range(times):
                out = Path(folder) / f"run{i}"
                happened = killed(row, out, draw.uniform(0.3, 1.0) * seconds)
                counts[happened] = counts.get(happened, 0) + 1
                same += (out / row.left).read_bytes() == expected
        figures |= {"same": same, "moments": counts, "holds": same == times}
    sys.stdout.write(f"{name}: {same} of {times} bit-identical; {counts}\n")
    return bool(figures["holds"])


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("rows", nargs="*", default=[*ROWS], choices=[*ROWS])
    asked.add_argument("--times", type=int, default=100)
    options = asked.parse_args()
    met = [measured(name, options.times) for name in options.rows]
    sys.exit(0 if all(met) else 5)

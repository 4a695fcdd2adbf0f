"""`kill -9` at 100 random moments of training and saving: every run resumes to bit-identical weights.

python -m benchmarks.kill [100]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import recorded

COMMAND = [sys.executable, "-m", "layerwise", "fit", "wine", "--set", "training.epochs=40", "--set",
           "training.patience=null", "--set", "training.batch=16", "--quiet", "--out"]  # fmt: skip
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def whole(out: Path) -> tuple[bytes, float]:
    """The weights of an undisturbed run, and how long it took."""
    start = time.monotonic()
    subprocess.run([*COMMAND, str(out)], env=ENVIRONMENT, check=True)
    return (out / "weights.safetensors").read_bytes(), time.monotonic() - start


def killed(out: Path, moment: float) -> str:
    """Start a run, kill it at that moment, resume until it ends; what happened."""
    process = subprocess.Popen([*COMMAND, str(out)], env=ENVIRONMENT, stderr=subprocess.PIPE)
    try:
        process.wait(moment)
        return "ended before"
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    begun = (out / ".run" / "run.json").exists()
    subprocess.run([*COMMAND, str(out), "--resume" if begun else "--overwrite"], env=ENVIRONMENT, check=True)
    return "killed in training" if begun else "killed before"


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    draw = random.Random(0)
    with recorded("kill", bar="every run resumes to bit-identical weights", seed=0, n=times) as figures:
        counts: dict[str, int] = {}
        with tempfile.TemporaryDirectory() as folder:
            expected, seconds = whole(Path(folder) / "whole")
            same = 0
            for i in range(times):
                out = Path(folder) / f"run{i}"
                happened = killed(out, draw.uniform(0.3, 1.0) * seconds)
                counts[happened] = counts.get(happened, 0) + 1
                same += (out / "weights.safetensors").read_bytes() == expected
        figures |= {"same": same, "moments": counts, "holds": same == times}
    sys.stdout.write(f"{same} of {times} bit-identical; {counts}\n")
    sys.exit(0 if figures["holds"] else 5)

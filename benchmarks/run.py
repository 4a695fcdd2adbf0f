"""Every benchmark, one after the other; hours.

python -m benchmarks.run
"""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "start",
    "digits",
    "levels",
    "loop_overhead",
    "kinds",
    "likes",
    "memory",
    "kill",
    "fuzz",
    "ising",
    "hopfield",
    "ais",
    "rbm_speed",
    "autoencoder",
    "faces",
    "dbn",
    "dbm",
    "variants",
    "few_labels",
    "masked",
    "selfsup",
    "segments",
    "page",
)

if __name__ == "__main__":
    codes = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode for name in NAMES]
    sys.exit(max(codes))

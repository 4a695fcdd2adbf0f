"""How long `import layerwise` and `layerwise --help` take above Python's own start: best of 9, bar 0.15 s.

python -m benchmarks.start
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.record import recorded

BAR = 0.15


def best(arguments: list[str]) -> float:
    """The shortest of nine runs, in seconds."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    with recorded("start", bar=f"each under {BAR} s above Python's own start, best of 9") as figures:
        own = best(["-c", "pass"])
        figures["python"] = own
        figures["import_layerwise"] = best(["-c", "import layerwise"]) - own
        figures["help"] = best(["-m", "layerwise", "--help"]) - own
        figures["holds"] = max(figures["import_layerwise"], figures["help"]) < BAR
    sys.stdout.write(f"import {figures['import_layerwise']:.3f} s, --help {figures['help']:.3f} s\n")
    sys.exit(0 if figures["holds"] else 5)

"""Each recipe of the literature trained on a set that suits it, and its levels beside the paper's.

python -m benchmarks.likes              all of them
python -m benchmarks.likes lenet5 lstm  some
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.kinds import fit
from benchmarks.record import recorded
from benchmarks.sets import DATA

SPOKEN = (str(DATA / "fsdd.zip"), "--name", "{digit}_{speaker}_{take}", "--target", "digit", "--split",
          "take=0,1,2,3,4")  # fmt: skip
ROWS: dict[str, tuple[tuple[str, ...], float]] = {
    "lenet5": ((str(DATA / "mnist"),), 0.98),
    "mlp2006": ((str(DATA / "mnist"),), 0.97),
    "alexnet-small": ((str(DATA / "cifar10.tar.xz"),), 0.4),
    "resnet-small": ((str(DATA / "cifar10.tar.xz"),), 0.4),
    "lstm": (SPOKEN, 0.9),
}
"""The data, and the held-out accuracy that shows that it learns."""


def run(name: str, budget: str = "5m") -> bool:
    """One recipe; keeps its result and says whether it learned."""
    arguments, bar = ROWS[name]
    said = " ".join(arguments).replace(str(DATA), "$LAYERWISE_DATA")
    command = f"layerwise fit {said} --like {name} --budget {budget}"
    with (
        tempfile.TemporaryDirectory() as folder,
        recorded(f"like-{name}", command=command, bar=f"accuracy >= {bar}", seed=0) as figures,
    ):
        result = fit([*arguments, "--like", name], Path(folder) / "model", budget)
        figures |= {k: result[k] for k in ("metrics", "rivals", "split", "levels", "seconds")}
        figures["holds"] = result["metrics"]["accuracy"]["value"] >= bar
    sys.stdout.write(f"{'ok  ' if figures['holds'] else 'MISS'} {name}: {result['metrics']['accuracy']}\n")
    return bool(figures["holds"])


if __name__ == "__main__":
    results = [run(name) for name in sys.argv[1:] or ROWS]
    sys.exit(0 if all(results) else 5)

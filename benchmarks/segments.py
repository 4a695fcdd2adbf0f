"""Segments planted in 20 tables are found again, and none are found in 20 tables that have none.

python -m benchmarks.segments [planted] [small] [structureless] [--seeds 3,4,5]

Beside the 20 tables of 500 to 5,000 rows stand 20 small ones of 200 to 500. There, rows are too few for any fit to
come near the true model each time, even for one that begins at the truth (docs/log.md), so they have no bar.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from benchmarks.planted import Table, planted, structureless
from benchmarks.record import RESULTS, recorded
from layerwise.data import open_source
from layerwise.kinds import TABLE
from layerwise.kinds.table.rivals import one_hot
from layerwise.segments import cut_table

SEEDS = tuple(range(700, 720))
"""What is scored. Everything was chosen on seeds from 1000; others below 700 were spent on earlier methods
(docs/log.md)."""
SHARE = 0.95  # of what the true model reaches
KEPT = Path(tempfile.gettempdir()) / "layerwise-benchmark-segments.json"


class Found(NamedTuple):
    """What comes out of a table: how many segments, the segment of each row, and the values for the rival."""

    number: int | None
    labels: np.ndarray | None
    raw: np.ndarray


def find(table: Table, folder: Path) -> Found:
    """The whole way from a file to segments. What is measured is what this calls."""
    path = folder / "table.csv"
    with open(path, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    source = open_source(path)
    reader = TABLE.reader(**TABLE.cuts or {}).fit(dict(source.columns), np.arange(len(source)))
    values = reader.read(source.chunk(tuple(source.columns), np.arange(len(source)))).values
    cut = cut_table(values, reader.spec, seed=0)
    return Found(cut.segments.number, cut.labels, np.nan_to_num(np.hstack(one_hot(values, reader.spec))))


def of_planted(seed: int, folder: Path, *, small: bool = False) -> dict[str, Any]:
    """One planted table: what is reached, by the true model too, and by k-means that is told the number."""
    plan = planted(seed, small=small)
    found = find(plan.table, folder)
    reached = 0.0 if found.labels is None else adjusted_rand_score(plan.segments, found.labels)
    means = KMeans(int(plan.words["segments"]), n_init=10, random_state=0).fit_predict(found.raw)
    return {
        **plan.words,
        "found": found.number or 0,
        "rand": reached,
        "ceiling": plan.ceiling,
        "share": reached / plan.ceiling,
        "k_means_share": adjusted_rand_score(plan.segments, means) / plan.ceiling,
    }


def of_structureless(seed: int, folder: Path) -> dict[str, Any]:
    """One table without segments."""
    name, table = structureless(seed)
    return {"kind": name, "rows": len(next(iter(table.values()))), "found": find(table, folder).number or 0}


CASES = {"planted": of_planted, "small": partial(of_planted, small=True), "structureless": of_structureless}


def rows_of(names: list[str], seeds: tuple[int, ...]) -> dict[str, dict[str, dict[str, Any]]]:
    """Every case, those that an earlier run has done as it found them."""
    done = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name in names:
        for seed in seeds:
            if str(seed) in done.setdefault(name, {}):
                continue
            with tempfile.TemporaryDirectory() as folder:
                done[name][str(seed)] = row = CASES[name](seed, Path(folder))
            KEPT.write_text(json.dumps(done, default=float))
            sys.stdout.write(f"{name} {seed} {row}\n")
            sys.stdout.flush()
    return done


def main(arguments: list[str]) -> int:
    seeds = SEEDS
    if "--seeds" in arguments:
        at = arguments.index("--seeds")
        seeds = tuple(int(s) for s in arguments[at + 1].split(","))
        arguments = arguments[:at] + arguments[at + 2 :]
    names = arguments or list(CASES)
    if seeds != SEEDS or len(names) < len(CASES):
        rows_of(names, seeds)
        return 0
    bar = f"adjusted Rand >= {SHARE} of the true model's on all planted; none found in >= 18 structureless"
    with recorded("segments", bar=bar, seed=f"{SEEDS[0]} to {SEEDS[-1]}", n=len(SEEDS)) as figures:
        done = rows_of(names, seeds)
        plans, small, others = ([done[name][str(s)] for s in SEEDS] for name in CASES)
        figures["recovered"] = sum(p["share"] >= SHARE for p in plans)
        figures["right_number"] = sum(p["found"] == p["segments"] for p in plans)
        figures["mean_share"] = float(np.mean([p["share"] for p in plans]))
        figures["least_share"] = min(p["share"] for p in plans)
        figures["k_means_mean_share"] = float(np.mean([p["k_means_share"] for p in plans]))
        figures["small_recovered"] = sum(p["share"] >= SHARE for p in small)
        figures["small_mean_share"] = float(np.mean([p["share"] for p in small]))
        figures["none_found"] = sum(o["found"] == 0 for o in others)
        figures |= {"planted": plans, "small": small, "structureless": others}
        figures["holds"] = figures["recovered"] == len(SEEDS) and figures["none_found"] >= 18
    KEPT.unlink()
    sys.stdout.write(f"{ {k: v for k, v in figures.items() if not isinstance(v, list)} } -> {RESULTS}\n")
    return 0 if figures["holds"] else 5


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

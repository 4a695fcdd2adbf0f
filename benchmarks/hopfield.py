"""The capacity of a Hopfield network of 2,000 units: patterns kept at 0.13 N, lost at 0.15 N.

    python -m benchmarks.hopfield

Random patterns are stored by Hebb's rule; the network settles one unit at a time, from a pattern itself and
from a cue in which 15 % of the units are wrong. A pattern is kept where the overlap is at least 0.9 in the
end: of an endless network it drops at 0.138 N, from 0.967 to about 0.35 (Amit, Gutfreund and Sompolinsky
1985). At 2,000 units the drop is still gradual when the start is the pattern itself; the last table shows it
sharpening with the number of units, up at 0.13 N and down at 0.15 N. Intervals are over seeds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from benchmarks.record import recorded
from layerwise.energy import Hopfield
from layerwise.randomness import Randomness

UNITS, TRIED, SEEDS = 2000, 100, 5
LOADS = (0.12, 0.13, 0.138, 0.15, 0.16)
OVERLAP, WRONG = 0.9, 0.15
SIZES = (500, 1000, 2000, 4000)


def kept(load: float, units: int, wrong: float, seed: int) -> float:
    """The share of the patterns tried that the network settles back into."""
    generator = Randomness(seed).at(units, round(1000 * load)).generator("hopfield")
    patterns = 2.0 * torch.randint(2, (round(load * units), units), generator=generator) - 1
    tried = patterns[:TRIED]
    cues = torch.where(torch.rand(tried.shape, generator=generator) < wrong, -tried, tried)
    found = Hopfield.store(patterns).retrieve(cues, generator=generator)
    return ((found * tried).mean(1) >= OVERLAP).double().mean().item()


def measured(load: float, units: int = UNITS, wrong: float = 0.0) -> dict[str, Any]:
    """Mean over seeds with Student's 95 % interval (4 degrees of freedom)."""
    shares = np.array([kept(load, units, wrong, seed) for seed in range(SEEDS)])
    half = 2.776 * shares.std(ddof=1) / np.sqrt(SEEDS)
    value, low, high = shares.mean(), shares.mean() - half, shares.mean() + half
    sys.stdout.write(f"N {units}, {load} N, {wrong:.0%} wrong: {value:.3f} kept [{low:.3f}, {high:.3f}]\n")
    sys.stdout.flush()
    return {"value": value, "low": low, "high": high, "seeds": shares.tolist()}


def main() -> int:
    torch.set_num_threads(1)
    bar = (
        f"N = {UNITS}, patterns kept: from themselves >= 0.95 at 0.13 N; from cues {WRONG:.0%} wrong >= 0.85"
        " at 0.13 N and < 0.5 at 0.15 N; with growing N more at 0.13 N and fewer at 0.15 N"
    )
    with recorded("hopfield", bar=bar, seed=f"0 to {SEEDS - 1}", n=TRIED * SEEDS) as figures:
        figures["from_themselves"] = own = {load: measured(load) for load in LOADS}
        figures["from_cues"] = cued = {load: measured(load, wrong=WRONG) for load in LOADS}
        figures["by_units"] = {
            load: {n: own[load] if n == UNITS else measured(load, n) for n in SIZES} for load in (0.13, 0.15)
        }
        ends = {
            load: [row[n]["value"] for n in (SIZES[0], SIZES[-1])]
            for load, row in figures["by_units"].items()
        }
        figures["kept_at_0.13"], figures["kept_at_0.15"] = own[0.13]["value"], own[0.15]["value"]
        figures["cued_at_0.13"], figures["cued_at_0.15"] = cued[0.13]["value"], cued[0.15]["value"]
        figures["holds"] = bool(
            own[0.13]["value"] >= 0.95
            and cued[0.13]["value"] >= 0.85
            and cued[0.15]["value"] < 0.5
            and ends[0.13][0] < ends[0.13][1]
            and ends[0.15][0] > ends[0.15][1]
        )
    return 0 if figures["holds"] else 5


if __name__ == "__main__":
    sys.exit(main())

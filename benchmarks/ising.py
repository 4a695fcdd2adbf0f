"""The critical temperature of the Ising model, 2 / ln(1 + sqrt 2) = 2.2692, from crossings of Binder cumulants.

    python -m benchmarks.ising

Lattices of 8, 16 and 32 spins a side are sampled by Wolff's clusters at temperatures around it, from an
ordered start. Where the cumulants of two sizes cross is an estimate (Binder 1981); its interval is from the
bootstrap over chains, which are independent.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import torch

from benchmarks.record import recorded
from layerwise.energy import Ising
from layerwise.randomness import Randomness

SIZES = (8, 16, 32)
TEMPERATURES = np.linspace(2.21, 2.33, 7)
CHAINS, BURN, CLUSTERS = (
    128,
    300,
    1000,
)  # at each temperature; clusters flipped a chain, unmeasured and measured
SEED, EXACT, TOLERANCE, DRAWS = 0, 2.2692, 0.03, 2000


def sampled(size: int) -> np.ndarray:
    """Means over a chain of the second and fourth power of the magnetisation: (2, temperatures, chains)."""
    lattice = Ising(size)
    generator = Randomness(SEED).at(size).generator("wolff")
    beta = torch.from_numpy(1 / TEMPERATURES).float().repeat_interleave(CHAINS)
    spins = torch.ones(len(beta), size, size, dtype=torch.int8)
    moments = torch.zeros(2, len(beta), dtype=torch.float64)
    for step in range(BURN + CLUSTERS):
        spins = lattice.wolff(spins, beta=beta, generator=generator)
        if step >= BURN:
            squares = lattice.magnetisation(spins).double().square()
            moments += torch.stack([squares, squares.square()]) / CLUSTERS
    return moments.view(2, len(TEMPERATURES), CHAINS).numpy()


def cumulants(moments: np.ndarray) -> np.ndarray:
    """Of each temperature, over the last axis."""
    second, fourth = moments.mean(-1)
    return 1 - fourth / (3 * second**2)


def crossing(small: np.ndarray, large: np.ndarray) -> float:
    """Where a cubic through the difference of the cumulants is zero, nearest the middle."""
    middle = TEMPERATURES.mean()
    roots = np.roots(np.polyfit(TEMPERATURES - middle, cumulants(large) - cumulants(small), 3))
    real = roots[np.abs(roots.imag) < 1e-9].real
    return float(middle + real[np.argmin(np.abs(real))])


def resampled(moments: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Other chains, drawn with replacement at each temperature."""
    chosen = draw.integers(CHAINS, size=(len(TEMPERATURES), CHAINS))
    return np.take_along_axis(moments, np.broadcast_to(chosen, moments.shape), -1)


def main() -> int:
    torch.set_num_threads(1)
    n = CHAINS * CLUSTERS * len(TEMPERATURES)
    bar = f"critical temperature {EXACT} +- {TOLERANCE} from the cumulants of 16 and 32, interval included"
    with recorded("ising", bar=bar, seed=SEED, n=n, chains=CHAINS, exact=EXACT) as figures:
        moments = {size: sampled(size) for size in SIZES}
        figures["temperatures"] = TEMPERATURES.round(4).tolist()
        figures["cumulants"] = {size: cumulants(moments[size]).round(5).tolist() for size in SIZES}
        figures["crossings"] = {}
        for small, large in itertools.combinations(SIZES, 2):
            draw = Randomness(SEED).at(small, large).numpy("bootstrap")
            around = [
                crossing(resampled(moments[small], draw), resampled(moments[large], draw))
                for _ in range(DRAWS)
            ]
            low, high = np.quantile(around, [0.025, 0.975])
            found = {"value": crossing(moments[small], moments[large]), "low": low, "high": high}
            figures["crossings"][f"{small} and {large}"] = found
            sys.stdout.write(f"{small:2} and {large:2}: {found['value']:.4f} [{low:.4f}, {high:.4f}]\n")
        best = figures["crossings"]["16 and 32"]
        figures |= {"critical_temperature": best["value"], "low": best["low"], "high": best["high"]}
        figures["holds"] = bool(max(abs(best[end] - EXACT) for end in ("value", "low", "high")) <= TOLERANCE)
        sys.stdout.write(f"n {n} lattices a size, seed {SEED}\n")
    return 0 if figures["holds"] else 5


if __name__ == "__main__":
    sys.exit(main())

"""Annealed importance sampling against exact log Z, 100 seeds for each of four machines.

python -m benchmarks.ais

The bar: every estimate within 0.1 nat of the truth, and at least 90 of 100 nominal 95 % intervals cover it.
Three machines have random weights, one of each kind of visible units; one is trained on digits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch
from sklearn.datasets import load_digits

from benchmarks.record import recorded
from layerwise.energy import RestrictedBoltzmannMachine, annealed_log_partition, exact_log_partition
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.train import ContrastiveDivergence, Phase, constant, optimiser, train
from layerwise.values import Batch

SEEDS, CHAINS, BETAS = 100, 100, 1000


def at_random(deviation: float, **options: Any) -> RestrictedBoltzmannMachine:
    """30 visible and 14 hidden units with weights of that deviation and biases of 0.5."""
    draw = torch.Generator().manual_seed(1)
    rbm = RestrictedBoltzmannMachine(vector(30), width=14, **options)
    with torch.no_grad():
        rbm.weight.copy_(deviation * torch.randn(30, 14, generator=draw))
        rbm.visible_bias.copy_(0.5 * torch.randn(30, generator=draw))
        rbm.hidden_bias.copy_(0.5 * torch.randn(14, generator=draw))
    return rbm.double()


class Digits:
    """Batches of 128 of scikit-learn's digits, black and white."""

    def __init__(self, rng: Randomness) -> None:
        self.x = torch.tensor(load_digits().data > 7.5).float()
        self.steps_per_epoch = len(self.x) // 128
        self._rng = rng

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, self.steps_per_epoch)
        rows = torch.randperm(len(self.x), generator=self._rng.at(epoch).generator("order"))
        rows = rows[place * 128 : (place + 1) * 128]
        return Batch(self.x[rows], None, None, rows)


def trained() -> RestrictedBoltzmannMachine:
    """64 visible and 20 hidden units, 100 epochs of persistent contrastive divergence on digits."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rbm = RestrictedBoltzmannMachine(vector(64), width=20)
    rbm.start_at(Digits(Randomness(0)).x.mean(0))
    make = optimiser("sgd", rate=0.05, momentum=0.5, decay=2e-4)
    objective = ContrastiveDivergence(persistent=True)
    phase = Phase("rbm", objective, make, size=128, epochs=100, schedule=constant)
    for _ in train(rbm, (phase,), lambda _, rng: Digits(rng), seed=0):
        pass
    return rbm.double()


MACHINES = {
    "bernoulli": lambda: at_random(0.8),
    "gaussian": lambda: at_random(0.2, visible="gaussian"),
    "softmax": lambda: at_random(0.8, visible="softmax", categories=3),
    "digits": trained,
}


def measured(rbm: RestrictedBoltzmannMachine) -> Mapping[str, float]:
    """What the estimates of all seeds are like."""
    truth = exact_log_partition(rbm).value
    found = [
        annealed_log_partition(rbm, Randomness(seed), chains=CHAINS, betas=BETAS) for seed in range(SEEDS)
    ]
    return {
        "log_z": truth,
        "covered": sum(f.low <= truth <= f.high for f in found),
        "worst_error": max(abs(f.value - truth) for f in found),
        "mean_error": sum(f.value - truth for f in found) / SEEDS,
        "mean_width": sum(f.high - f.low for f in found) / SEEDS,
    }


def main() -> int:
    torch.set_num_threads(1)
    bar = f"every error under 0.1 nat, at least 90 of {SEEDS} intervals cover the truth"
    with recorded("ais", bar=bar, seeds=SEEDS, chains=CHAINS, betas=BETAS) as figures:
        figures["machines"] = {}
        for name, make in MACHINES.items():
            figures["machines"][name] = r = measured(make())
            print(
                f"{name:<10} log Z {r['log_z']:8.3f}  covered {r['covered']:3.0f} of {SEEDS}"
                f"  worst error {r['worst_error']:.3f}  mean width {r['mean_width']:.3f}",
                flush=True,
            )
        figures["holds"] = all(
            r["covered"] >= 90 and r["worst_error"] < 0.1 for r in figures["machines"].values()
        )
    return 0 if figures["holds"] else 5


if __name__ == "__main__":
    sys.exit(main())

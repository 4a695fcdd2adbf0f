"""How much of the answer can be read off a level by a linear probe, in the task's own figure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from layerwise.figures import count
from layerwise.findings import Finding
from layerwise.look.features import standardised
from layerwise.look.probe import fit_probe
from layerwise.look.words import NAMES
from layerwise.tasks.base import Metric, Task
from layerwise.tasks.intervals import measure
from layerwise.tasks.metrics import paired

__all__ = ["Judge", "Probe"]


class Probe(NamedTuple):
    """What a probe on a level answers for the held-out rows, and how good that is."""

    decoded: np.ndarray
    score: Metric


class Judge(NamedTuple):
    """Probes are fitted to `given` targets and judged by `truth`, drawn over `units` where there are any."""

    task: Task
    given: np.ndarray
    truth: np.ndarray
    units: np.ndarray | None
    seed: int

    @property
    def metric(self) -> str:
        """The figure that probes are judged by: more of it is better."""
        return self.task.primary if self.task.higher else "r2"

    def probe(self, train: np.ndarray, held: np.ndarray) -> Probe:
        """The probe of a level with features (N, F) of training and held-out rows."""
        decoded = self._decoded(*standardised(train, held))
        statistic = {self.metric: self.task.statistics(decoded, self.truth)[self.metric]}
        found = measure(statistic, n=len(self.truth), groups=self.units, seed=self.seed)
        return Probe(decoded, found[self.metric])

    def finding(self, address: str, probe: Probe) -> Finding:
        """How good the probe of the level of that address is."""
        score = probe.score
        return Finding(
            f"levels.{address}.probe",
            f"{NAMES.get(score.name, score.name)} of a linear probe on this level.",
            score.value,
            score.low,
            score.high,
            n=score.n,
            method=f"fitted on {count(len(self.given))} training rows, judged on held-out rows",
            caveat=score.caveat,
        )

    def gain(self, address: str, probe: Probe, raw: Probe) -> Finding:
        """How much more can be read off that level than off the raw input."""
        value, low, high = paired(
            self.task, probe.decoded, raw.decoded, self.truth, self.units, metric=self.metric, seed=self.seed
        )
        if low > 0:
            said = "more than from the raw input."
        elif high < 0:
            said = "less than from the raw input."
        else:
            said = "against the raw input: no difference that these examples can show."
        method = "paired difference on the same held-out rows"
        return Finding(f"levels.{address}.gain", said, value, low, high, n=len(self.truth), method=method)

    def _decoded(self, x: np.ndarray, held: np.ndarray) -> np.ndarray:
        if self.task.name == "classify":
            return fit_probe(x, np.eye(self.task.outputs)[self.given], "classes", seed=self.seed)(held)
        if self.task.name == "tags":
            return fit_probe(x, self.given.astype(np.float64), "tags", seed=self.seed)(held)
        goals = self.given.reshape(len(self.given), -1).astype(np.float64)
        centre, spread = goals.mean(axis=0), np.maximum(goals.std(axis=0), 1e-12)
        answers = fit_probe(x, (goals - centre) / spread, "numbers", seed=self.seed)(held)
        return np.reshape(answers * spread + centre, (len(held), *self.given.shape[1:]))

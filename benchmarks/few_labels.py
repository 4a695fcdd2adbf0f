"""Ten, a hundred and a thousand labelled digits: what pretraining without labels gains, draw by draw.

    python -m benchmarks.few_labels [--draws N]

Nets 784-500-500-500-10 of sigmoids learn from 10, 100 or 1,000 labelled pictures of MNIST, as many of each digit,
by the same steps, from their first weights or from levels that have learned from the 60,000 training pictures
without any label (the labelled ones are among them). That pretraining is done once; all draws share it. Which
one it is (stacked autoencoders, denoising ones, or a deep belief network), and the rates with and without it,
are chosen by draws from the first 50,000 training pictures, scored on the other 10,000: the way by its mean error
over the three numbers of labels, the rates for each number. Then the test pictures are scored once per draw of
labels, with and without; the gain is paired by draws. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.autoencoder import pictures
from benchmarks.beginnings import WAYS, begun, classifier, interval, trained, tuning, wrong
from benchmarks.record import recorded
from benchmarks.sets import mnist
from layerwise.nn import Pipeline
from layerwise.randomness import Randomness

WIDTHS = (500, 500, 500)
LABELLED = (10, 100, 1000)
EPOCHS = 10  # of each level's pretraining
STEPS = 200  # of tuning
RATES = (1e-3, 1e-2)
TRIALS = 3  # draws by which choices are made
DRAWS = 20
KEPT = (
    Path(tempfile.gettempdir()) / "layerwise-few-labels"
)  # checkpoints and scores of a run that is not done


class Scores:
    """Errors by name, each found once and kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}

    def of(self, *where: object) -> float | None:
        return self._known.get(" ".join(map(str, where)))

    def keep(self, error: float, *where: object) -> None:
        self._known[" ".join(map(str, where))] = error
        self._path.write_text(json.dumps(self._known))


class Pool(NamedTuple):
    """Pictures to draw labelled ones from, and those to be scored on."""

    name: str
    x: Tensor
    y: Tensor
    held: tuple[Tensor, Tensor]

    def draw(self, n: int, number: int) -> Tensor:
        """(n,) rows, n / 10 of each digit."""
        generator = Randomness(number).at(self.name, n).generator("labelled")
        order = torch.randperm(len(self.y), generator=generator)
        return torch.cat([order[self.y[order] == digit][: n // 10] for digit in range(10)])


class Comparison:
    """Errors of nets begun in each way on draws from a pool."""

    def __init__(self, x: Tensor) -> None:
        KEPT.mkdir(exist_ok=True)
        self._x, self._scores = x, Scores(KEPT / "scores.json")
        self._encoders: dict[str, Pipeline] = {}

    def error(self, pool: Pool, way: str, n: int, number: int, rate: float) -> float:
        """Of the pool's held pictures, in percent, after tuning on that draw."""
        where = (pool.name, way, n, number, rate)
        known = self._scores.of(*where)
        if known is None:
            net = classifier(self._encoder(way, number), seed=number)
            rows = pool.draw(n, number)
            trained(net, (tuning(rate=rate, steps=STEPS),), pool.x[rows], pool.y[rows], seed=number)
            known = wrong(net, *pool.held).mean().item()
            self._scores.keep(known, *where)
            sys.stdout.write(f"{' '.join(map(str, where))}: {known:.2f} %\n")
            sys.stdout.flush()
        return known

    def errors(self, pool: Pool, way: str, n: int, draws: int, rate: float) -> Tensor:
        """(draws,)"""
        return torch.tensor([self.error(pool, way, n, number, rate) for number in range(draws)])

    def _encoder(self, way: str, number: int) -> Pipeline:
        """What was learned without labels, shared by all draws; first weights are each draw's own."""
        if way == "plain":
            return begun(way, WIDTHS, self._x, epochs=EPOCHS, seed=number, path=KEPT / way)
        if way not in self._encoders:
            path = KEPT / f"{way}.safetensors"
            self._encoders[way] = begun(way, WIDTHS, self._x, epochs=EPOCHS, seed=0, path=path)
        return deepcopy(self._encoders[way])


def chosen(comparison: Comparison, pool: Pool, ways: Sequence[str]) -> tuple[str, dict[int, float]]:
    """The way of the lowest mean error, and its rate for each number of labels."""
    found: dict[str, tuple[float, dict[int, float]]] = {}
    for way in ways:
        each = {
            n: min((comparison.errors(pool, way, n, TRIALS, rate).mean().item(), rate) for rate in RATES)
            for n in LABELLED
        }
        mean = sum(error for error, _ in each.values()) / len(each)
        found[way] = mean, {n: rate for n, (_, rate) in each.items()}
    way = min(found, key=lambda name: found[name][0])
    return way, found[way][1]


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--draws", type=int, default=DRAWS)
    draws = asked.parse_args().draws
    x, y = pictures("train"), torch.from_numpy(mnist("train")[1]).long()
    held = pictures("t10k"), torch.from_numpy(mnist("t10k")[1]).long()
    comparison = Comparison(x)
    bar = "interval of the gain above 0 at 100 labels; aim: at 10 too"
    with recorded("few_labels", bar=bar, seed=f"0 to {draws - 1}", n=len(held[0])) as figures:
        trial = Pool("validation", x[:50_000], y[:50_000], (x[50_000:], y[50_000:]))
        _, without = chosen(comparison, trial, WAYS[:1])
        way, rates = chosen(comparison, trial, WAYS[1:])
        test = Pool("test", x, y, held)
        figures |= {"pretraining": way, "draws": draws, "rates": {"with": rates, "without": without}}
        for n in LABELLED:
            plain = comparison.errors(test, "plain", n, draws, without[n])
            begun_so = comparison.errors(test, way, n, draws, rates[n])
            figures[f"{n} without"], figures[f"{n} with"] = interval(plain), interval(begun_so)
            figures[f"{n} gain"] = interval(plain - begun_so)
            sys.stdout.write(f"{n} labels, {way}: gain {figures[f'{n} gain']}\n")
        figures["aim"] = figures["10 gain"]["low"] > 0
        figures["holds"] = figures["100 gain"]["low"] > 0
    for path in KEPT.iterdir():
        path.unlink()
    return 0 if figures["holds"] else 5


if __name__ == "__main__":
    sys.exit(main())

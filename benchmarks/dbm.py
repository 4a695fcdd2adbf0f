"""Deep Boltzmann machines 784-500-1000 on MNIST, tuned to tell digits apart: error on the test pictures.

    python -m benchmarks.dbm [2009 | dropout | adversarial ...] [--seeds N] [--validate]

The machine begins layer by layer, by CD-1, and learns as one by mean field and chains that persist, 40 epochs
each. A network that sees the pixels, and beside them the means of the second hidden layer, begins with its
weights. `2009` tunes it by conjugate gradients (Salakhutdinov and Hinton 2009 report 0.95 %), `dropout` by AdamW
with dropout (Srivastava et al. 2014 report 0.79 % for a machine of 500-500-2000), `adversarial` so too, half on
pictures moved by 0.1 to its harm (Goodfellow et al. 2015). Rows share the machine; it is kept until a run of them
all is over.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import torch
from torch import nn

from benchmarks.tuned import PRECISION, Row, Run, main
from layerwise.nn import Pipeline
from layerwise.nn.stage import vector
from layerwise.stacks.autoencoding import by_conjugate_gradients, by_one_cycle
from layerwise.stacks.boltzmann import deep_machine
from layerwise.stacks.discriminating import Joined, from_machine, with_dropout
from layerwise.train import Adversarial, Objective, Plan, Supervised

WIDTHS = (500, 1000)
LEARNING = 40  # epochs of each part and of the whole
HEAD, CONJUGATE = 5, 50  # epochs of the head alone, and of all levels
EPOCHS, WORST = 100, 80  # of AdamW; of AdamW half on pictures moved to its harm
STEP = 0.1  # by which those are moved
DROPOUT = 0.4  # of hidden units; of inputs 0.4 times that
RATE = 2e-3


def joined(run: Run) -> Joined:
    """Pixels with the machine's second hidden layer beside them."""

    def learn(net: nn.Module, plan: Plan) -> None:
        run.follow(net, plan, f"machine.{type(net).__name__}")

    dbm = deep_machine(
        vector(784), WIDTHS, learn, means=run.x.mean(0), epochs=LEARNING, seed=run.seed, precision=PRECISION
    )
    return Joined(dbm.requires_grad_(False))


def tuned(run: Run, before: Joined, net: Pipeline, plan: Plan, name: str) -> nn.Module:
    """The network after that plan, on pictures; what it sees is found once."""
    run.follow(net, plan, name, x=torch.cat([before(part) for part in run.x.split(1000)]))
    return nn.Sequential(before, net)


def of_2009(run: Run) -> nn.Module:
    before = joined(run)
    together = by_conjugate_gradients(Supervised(run.task), epochs=CONJUGATE)
    alone = replace(together, name="head", epochs=HEAD, learns=("answer",))
    return tuned(run, before, from_machine(before.dbm, outputs=10, seed=run.seed), (alone, together), "2009")


def of_today(run: Run, objective: Objective, epochs: int, name: str) -> nn.Module:
    before = joined(run)
    net = with_dropout(from_machine(before.dbm, outputs=10, seed=run.seed), DROPOUT)
    phase = by_one_cycle(objective, epochs=epochs, rate=RATE, size=100)
    return tuned(run, before, net, (replace(phase, precision=PRECISION),), name)


def by_dropout(run: Run) -> nn.Module:
    return of_today(run, Supervised(run.task), EPOCHS, "dropout")


def by_the_worst(run: Run) -> nn.Module:
    return of_today(run, Adversarial(run.task, step=STEP), WORST, "adversarial")


ROWS = {"2009": Row(of_2009, 0.95), "dropout": Row(by_dropout, 0.95), "adversarial": Row(by_the_worst, 0.95)}

if __name__ == "__main__":
    sys.exit(main("dbm", ROWS, __doc__ or "", shared="machine"))

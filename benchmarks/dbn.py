"""Deep belief networks 784-500-500-2000-10 on MNIST, tuned to tell digits apart: error on the test pictures.

    python -m benchmarks.dbn [2006 | dropout | plain ...] [--seeds N] [--validate]

`2006` is a stack of restricted Boltzmann machines, each learned by CD-1 for 20 epochs, tuned by conjugate
gradients (Hinton and Salakhutdinov 2006; Hinton, Osindero and Teh 2006 report 1.25 %, with backpropagation
1.15 %). `dropout` tunes the same stack by AdamW with dropout (Srivastava et al. 2014 report 0.92 %). `plain` is
a network of the same size without pretraining, of rectified units with batch norm, and with the same dropout.
Rows share the pretraining; it is kept until a run of them all is over.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from torch import nn

from benchmarks.tuned import PRECISION, Row, Run, main
from layerwise.energy import RestrictedBoltzmannMachine
from layerwise.nn import Dense, Head, Pipeline
from layerwise.nn.stage import vector
from layerwise.stacks.autoencoding import (
    by_conjugate_gradients,
    by_one_cycle,
    first_weights,
    machines,
    pretraining,
)
from layerwise.stacks.discriminating import from_stack, with_dropout
from layerwise.train import Phase, Supervised

WIDTHS = (500, 500, 2000)
PIXELS = vector(784)
PRETRAINING = 20  # epochs of each machine
HEAD, CONJUGATE = 5, 50  # epochs of the head alone, and of all levels
EPOCHS = 100  # of AdamW
DROPOUT = 0.4  # of hidden units; of inputs 0.4 times that
RATE = 2e-3


def pretrained(run: Run) -> Pipeline:
    """The network that begins with the stack."""
    stack = machines(PIXELS, WIDTHS, code="bernoulli", seed=run.seed)
    found = [stage for _, stage in stack.stages() if isinstance(stage, RestrictedBoltzmannMachine)]
    found[0].start_at(run.x.mean(0))
    run.follow(stack, pretraining(stack, epochs=PRETRAINING), "pretraining")
    return from_stack(found, outputs=10, seed=run.seed)


def of_2006(run: Run) -> nn.Module:
    net = pretrained(run)
    together = by_conjugate_gradients(Supervised(run.task), epochs=CONJUGATE)
    alone = replace(together, name="head", epochs=HEAD, learns=("answer",))
    run.follow(net, (alone, together), "2006")
    return net


def by_dropout(run: Run) -> nn.Module:
    net = with_dropout(pretrained(run), DROPOUT)
    run.follow(net, (of_today(run, RATE),), "dropout")
    return net


def plain(run: Run) -> nn.Module:
    with first_weights(run.seed):
        levels: dict[str, Dense | Head] = {}
        spec = PIXELS
        for place, width in enumerate(WIDTHS, 1):
            levels[f"level{place}"] = Dense.from_spec(spec, width=width, norm="batch")
            spec = vector(width)
        net = Pipeline(**levels, answer=Head.from_spec(spec, outputs=10))
    net = with_dropout(net, DROPOUT)
    run.follow(net, (of_today(run, RATE),), "plain")
    return net


def of_today(run: Run, rate: float) -> Phase:
    phase = by_one_cycle(Supervised(run.task), epochs=EPOCHS, rate=rate, size=100)
    return replace(phase, precision=PRECISION)


ROWS = {"2006": Row(of_2006, 1.20), "dropout": Row(by_dropout, 1.20), "plain": Row(plain, None)}

if __name__ == "__main__":
    sys.exit(main("dbn", ROWS, __doc__ or "", shared="pretraining"))

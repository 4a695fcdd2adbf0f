"""Networks that begin with what energy models know, and how they are tuned to tell classes apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from layerwise.energy import DeepBoltzmannMachine, RestrictedBoltzmannMachine, unrolled
from layerwise.nn import Dense, Head, Pipeline
from layerwise.nn.stage import Stage, vector
from layerwise.spec import Spec
from layerwise.stacks.autoencoding import by_conjugate_gradients, by_one_cycle, first_weights
from layerwise.tasks import Task
from layerwise.train import Phase, Supervised

__all__ = ["Joined", "from_machine", "from_stack", "tuning", "with_dropout"]

OF_INPUTS = 0.4  # times the dropout of hidden units: a fifth of the inputs where half of those are left out


class Joined(Stage):
    """What is seen, and beside it what the machine makes of its second hidden layer.

    **Shape** (N, V) to (N, V + H_2): what the network of `from_machine` sees (Salakhutdinov and Hinton 2009,
    "Deep Boltzmann machines", section 3.3).
    """

    def __init__(self, dbm: DeepBoltzmannMachine) -> None:
        super().__init__()
        self.dbm = dbm

    @torch.no_grad()
    def forward(self, v: Tensor) -> Tensor:
        return torch.cat([v, self.dbm.posterior(v)[1]], 1)

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.dbm.sizes[0] + self.dbm.sizes[2])

    def cost(self, spec: Spec) -> int:
        return self.dbm.cost(spec)

    def words(self) -> str:
        return "values, and the means of the second hidden layer beside them"


def from_stack(stack: Sequence[RestrictedBoltzmannMachine], *, outputs: int, seed: int) -> Pipeline:
    """A network whose levels are the stack's hidden means, and a head that knows nothing yet."""
    with first_weights(seed):
        encoder = unrolled(stack).encoder
        head = Head.from_spec(vector(len(stack[-1].hidden_bias)), outputs=outputs)
    return Pipeline(**dict(encoder.stages()), answer=head)


def from_machine(dbm: DeepBoltzmannMachine, *, outputs: int, seed: int) -> Pipeline:
    """A network on what `Joined` gives: `level1`, ..., and a head that knows nothing yet.

    Its first level is what mean field makes of the first hidden layer; those above are as in the pass upwards
    that mean field begins with, their weights doubled but for the topmost.
    """
    seen, *widths = dbm.sizes
    weights = [torch.cat([dbm.weights[0].t(), dbm.weights[1]], 1)]
    weights += [2 * weight.t() for weight in dbm.weights[1:-1]] + [dbm.weights[-1].t()]
    levels: dict[str, Dense | Head] = {}
    spec = vector(seen + widths[1])
    with first_weights(seed), torch.no_grad():
        for place, (width, weight) in enumerate(zip(widths, weights, strict=True), 1):
            level = Dense.from_spec(spec, width=width, activation="sigmoid")
            level.linear.weight.copy_(weight)
            level.linear.bias.copy_(dbm.biases[place])
            levels[f"level{place}"] = level
            spec = vector(width)
        levels["answer"] = Head.from_spec(spec, outputs=outputs)
    return Pipeline(**levels)


def with_dropout(net: Pipeline, share: float) -> Pipeline:
    """The network, in training without `share` of its hidden units and 0.4 `share` of its inputs, drawn anew.

    Srivastava et al. 2014, "Dropout", section 6.1.1 and appendix B.1.
    """
    for _, stage in net.stages():
        if isinstance(stage, Dense):
            stage.dropout = share
    return Pipeline(noise=nn.Dropout(OF_INPUTS * share), **dict(net.stages()))


def tuning(task: Task, *, epochs: float, dropout: bool) -> Phase:
    """Backpropagation: by conjugate gradients as in 2006; with dropout, which is noise, by AdamW."""
    if dropout:
        return by_one_cycle(Supervised(task), epochs=epochs, rate=2e-3, size=100)
    return by_conjugate_gradients(Supervised(task), epochs=epochs)

"""Predictive sparse decomposition: the net learns to tell at once the sparse code that a search would find."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.randomness import Randomness
from layerwise.train.objectives import Descent
from layerwise.train.reconstruct import floats, mean
from layerwise.train.state import as_found
from layerwise.values import Batch

__all__ = ["PredictiveSparseDecomposition", "inferred"]


@final
class PredictiveSparseDecomposition(Descent):
    """Learn a dictionary of which few columns added up bring back an example, and the net to predict which.

    For inputs x (N, ...) of F values, the net's outputs p (N, K) and a `dictionary` D (F, K) with columns of
    length 1, codes z are sought that make |x - D z|^2 + sparsity |z|_1 + prediction |z - p|^2 small, beginning at
    p; then D and the net take a step down the same sum, z held (Kavukcuoglu, Ranzato and LeCun 2008, "Fast
    inference in sparse coding algorithms"). More units than values, K > F, are welcome.

    `sparsity`   the weight of the codes' absolute values: the larger, the more of them are 0
    `prediction` the weight of the squared distance of codes from what the net says
    `steps`      of the search, see `inferred`

    Codes are of either sign, so the net ends linear, or in tanh where they stay below 1. The dictionary is drawn
    when training begins, and learns with the net. Scalars, of an example: "loss"; "error", the squared error of
    D z; "distance", the squared distance of z from p; "activity", the share of z that is not 0.

    >>> from layerwise.nn import Dense, Pipeline
    >>> from layerwise.nn.stage import vector
    >>> from layerwise.train import Phase, greedy, optimiser
    >>> level1 = Dense.from_spec(vector(64), width=100, activation="tanh")
    >>> net = Pipeline(level1=level1, level2=Dense.from_spec(vector(100), width=50, activation="tanh"))
    >>> def phase(name):
    ...     objective = PredictiveSparseDecomposition(sparsity=0.2)
    ...     return Phase(name, objective, optimiser("adamw", rate=0.003), epochs=10)
    >>> [phase.name for phase in greedy(["level1", "level2"], phase)]  # for train(net, plan, data, seed=0)
    ['level1', 'level2']
    """

    dictionary: nn.Parameter

    def __init__(self, *, sparsity: float = 0.5, prediction: float = 1.0, steps: int = 20) -> None:
        super().__init__()
        for name, value in (("sparsity", sparsity), ("prediction", prediction), ("steps", steps)):
            if not value > 0:
                raise UsageError(f"{name} of a sparse decomposition must be positive, got {value}")
        self._sparsity, self._prediction, self._steps = sparsity, prediction, steps

    def begin(self, net: nn.Module, example: Batch, rng: Randomness) -> None:
        x = floats(example.inputs).flatten(1)
        with torch.no_grad(), as_found(net):
            width = _predicted(net.eval(), example).shape[1]
        first = torch.randn(x.shape[1], width, generator=rng.generator("dictionary"))
        self.dictionary = nn.Parameter(F.normalize(first, dim=0).to(x))

    def loss(self, net: nn.Module, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:  # noqa: ARG002
        x, said = floats(batch.inputs).flatten(1), _predicted(net, batch)
        with torch.autocast(x.device.type, enabled=False):
            said = said.to(x.dtype)
            code = inferred(
                x,
                self.dictionary.detach(),
                said.detach(),
                sparsity=self._sparsity,
                prediction=self._prediction,
                steps=self._steps,
            )
            error = (x - code @ self.dictionary.T).square().sum(1)
            distance = (code - said).square().sum(1)
            losses = error + self._sparsity * code.abs().sum(1) + self._prediction * distance
        active = (code != 0).to(x.dtype).mean(1)
        return {
            "loss": mean(losses, batch.weights),
            "error": mean(error, batch.weights),
            "distance": mean(distance, batch.weights),
            "activity": mean(active, batch.weights),
        }

    def advance(self, net: nn.Module, batch: Batch, rng: Randomness) -> None:  # noqa: ARG002
        # long columns would let codes, and so their price, be as small as one likes
        self.dictionary.copy_(F.normalize(self.dictionary, dim=0))


def inferred(
    x: Tensor, dictionary: Tensor, said: Tensor, *, sparsity: float, prediction: float, steps: int
) -> Tensor:
    """Codes z (N, K) that make |x - D z|^2 + sparsity |z|_1 + prediction |z - said|^2 small, of each example.

    x (N, F), D the `dictionary` (F, K); `said` (N, K) is where the search begins. Steps are those of FISTA of
    constant length (Beck and Teboulle 2009, equations 4.1 to 4.3): after k of them the sum is at most
    2 L |said - z*|^2 / (k + 1)^2 above its least, at z*, where L = 2 (|D|^2 + prediction) (theorem 4.4).
    """
    steepest = 2 * (float(torch.linalg.matrix_norm(dictionary, 2)) ** 2 + prediction)
    gram, pull = dictionary.T @ dictionary, x @ dictionary + prediction * said
    code = ahead = said
    momentum = 1.0
    for _ in range(steps):
        slope = 2 * (ahead @ gram + prediction * ahead - pull)
        after = F.softshrink(ahead - slope / steepest, sparsity / steepest)
        later = (1 + sqrt(1 + 4 * momentum**2)) / 2
        ahead = after + (momentum - 1) / later * (after - code)
        code, momentum = after, later
    return code


def _predicted(net: nn.Module, batch: Batch) -> Tensor:
    """(N, K) what the net says the codes are."""
    said = net(batch.inputs)
    if not isinstance(said, Tensor):
        raise UsageError(
            "a sparse code is one vector an example, and the network gives one for each step:"
            " end it with GlobalPool"
        )
    return said.flatten(1)

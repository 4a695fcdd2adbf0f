"""The deep Boltzmann machine: layers of binary units, each tied to the one below and the one above."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from layerwise.energy.rbm import RestrictedBoltzmannMachine
from layerwise.energy.units import Bernoulli
from layerwise.errors import UsageError
from layerwise.nn.dense import flat, inputs_of
from layerwise.nn.initialise import normal
from layerwise.nn.options import Channels
from layerwise.nn.stage import Reach, Stage, spatial, vector
from layerwise.spec import Spec

__all__ = ["DeepBoltzmannMachine"]

SETTLING = 30  # rounds of mean field after which features of data have settled


class DeepBoltzmannMachine(Stage):
    """Layers x0 (what is seen), x1, ..., xL of units 0 or 1, with the energy -sum b_l x_l - sum x_l W_l x_(l+1).

    **Shape** (N, ...) to the means of the topmost units (N, H_L), by mean field.

    Salakhutdinov and Hinton 2009, "Deep Boltzmann machines", equation 9, with biases. States are lists of layers
    from the lowest up, (N, V), (N, H_1), ...; data between 0 and 1 are taken as probabilities. Given the even
    layers the odd ones are independent, and the other way round, so that the whole is a restricted machine of
    two halves (`halves`), by which its partition function is found. First weights are normal of deviation
    0.01 and biases 0; `start_from` takes those of machines that learned layer by layer.

    Where products run in lower precision (autocast), states keep the precision of what went in: `posterior` and
    `gibbs` round the weights once, inputs and products, and nothing else.
    """

    def __init__(self, spec: Spec, *, widths: list[Channels]) -> None:
        super().__init__()
        if spec.padded:
            raise UsageError("DeepBoltzmannMachine takes examples of one shape, got unequal lengths")
        if len(widths) < 2:
            raise UsageError(
                f"a deep Boltzmann machine has at least 2 layers of hidden units, got widths {list(widths)}:"
                " for one layer take a restricted Boltzmann machine"
            )
        self.sizes = (inputs_of(self, spec), *widths)
        self.weights = nn.ParameterList(normal(torch.empty(a, b), 0.01) for a, b in pairwise(self.sizes))
        self.biases = nn.ParameterList(torch.zeros(size) for size in self.sizes)
        self._units = Bernoulli()
        self._axes = spatial(spec)

    @torch.no_grad()
    def start_from(self, machines: Sequence[RestrictedBoltzmannMachine]) -> None:
        """Begin with machines that learned one on the other, a layer each, the outer layers of which were "doubled".

        Salakhutdinov and Hinton 2009, section 3.1, and 2012, "An efficient learning procedure for deep
        Boltzmann machines", section 4: the doubled layers have made up for the neighbour that each inner layer
        lacked, twice over in the machines between, whose weights are halved. The inner biases are the
        means of what the machines below and above say.
        """
        last = len(machines) - 1
        weights = [m.weight if place in (0, last) else m.weight / 2 for place, m in enumerate(machines)]
        inner = [(low.hidden_bias + high.visible_bias) / 2 for low, high in pairwise(machines)]
        biases = [machines[0].visible_bias, *inner, machines[last].hidden_bias]
        for own, found in zip((*self.weights, *self.biases), (*weights, *biases), strict=True):
            own.copy_(found)

    def forward(self, x: Tensor) -> Tensor:
        return self.posterior(flat(x))[-1]

    def energy(self, states: Sequence[Tensor]) -> Tensor:
        """Of layers (N, V), (N, H_1), ...: (N,)."""
        own = sum((x @ b for x, b in zip(states, self.biases, strict=True)), states[0].new_zeros(()))
        tied = [
            (low @ w * high).sum(1) for (low, high), w in zip(pairwise(states), self.weights, strict=True)
        ]
        return -(own + torch.stack(tied).sum(0))

    def input_to(
        self, states: Sequence[Tensor], layer: int, weights: Sequence[Tensor] | None = None
    ) -> Tensor:
        """What reaches a layer from its neighbours: (N, its size). Its own states are not looked at.

        `weights` are the machine's own, as `_rounded` gives them, or None.
        """
        weights = list(self.weights) if weights is None else weights
        x: Tensor = self.biases[layer]
        if layer > 0:
            x = torch.addmm(x, states[layer - 1], weights[layer - 1])
        if layer < len(self.weights):
            x = torch.addmm(x, states[layer + 1], weights[layer].t())
        return x.to(self.biases[layer].dtype)

    def posterior(self, v: Tensor, *, rounds: int = SETTLING) -> list[Tensor]:
        """Mean-field means (N, H_1), ..., (N, H_L) of the hidden layers given (N, V).

        From a pass upwards with doubled weights, which stand in for what is not yet known above, each of the
        `rounds` sets the odd layers and then the even ones to what the others make of them, so that the
        bound of `variational_free_energy` never rises (equation 8; section 3.2 has the first pass).
        """
        states, weights = [v], self._rounded()
        for layer, weight in enumerate(weights, 1):
            double = 1 if layer == len(weights) else 2
            x = torch.addmm(self.biases[layer], states[-1], weight, alpha=double)
            states.append(x.to(v.dtype).sigmoid_())
        seen = torch.addmm(self.biases[1], v, weights[0])  # stays as it is
        for _ in range(rounds):
            states[1] = torch.addmm(seen, states[2], weights[1].t()).to(v.dtype).sigmoid_()
            for layer in (*range(3, len(states), 2), *range(2, len(states), 2)):
                states[layer] = self.input_to(states, layer, weights).sigmoid_()
        return states[1:]

    def downwards(self, top: Tensor) -> Tensor:
        """Means of what is seen (N, V) given states (N, H_L) of the topmost layer.

        By one pass, with doubled weights where a layer waits for what is not yet known below it.
        """
        x = top
        for layer in reversed(range(len(self.weights))):
            double = 2 if layer else 1
            x = torch.addmm(self.biases[layer], x, self.weights[layer].t(), alpha=double).sigmoid_()
        return x

    def variational_free_energy(self, v: Tensor, means: Sequence[Tensor]) -> Tensor:
        """Energy less entropy of independent hidden units of these means, given (N, V): (N,), in nats.

        At least the free energy -log sum over h of exp(-energy), so that minus it, less log Z, is at most
        log p(v) (equation 7).
        """
        entropy = [(torch.special.entr(m) + torch.special.entr(1 - m)).sum(1) for m in means]
        return self.energy([v, *means]) - torch.stack(entropy).sum(0)

    def free_energy(self, even: Sequence[Tensor]) -> Tensor:
        """-log of the sum of exp(-energy) over all states of the odd layers, given x0, x2, ...: (N,). Exact."""
        states = self._beside(even)
        own = sum((x @ b for x, b in zip(even, self.biases[::2], strict=True)), even[0].new_zeros(()))
        odd = [self._units.log_partition(self.input_to(states, layer)) for layer in self._odd]
        return -(own + torch.stack(odd).sum(0))

    @torch.no_grad()
    def gibbs(self, even: Sequence[Tensor], *, generator: Generator, sweeps: int = 1) -> list[Tensor]:
        """`sweeps` times the odd layers given x0, x2, ..., then those given the odd: new x0, x2, ....

        Block Gibbs sampling; it leaves exp(-free_energy) as it is.
        """
        states, weights = self._beside(even), self._rounded()
        for _ in range(sweeps):
            for layer in (*self._odd, *range(0, len(states), 2)):
                states[layer] = self._units.sample(self.input_to(states, layer, weights), generator)
        return states[::2]

    @torch.no_grad()
    def halves(self) -> RestrictedBoltzmannMachine:
        """The same distribution as a restricted machine: x0, x2, ... its visible units, x1, x3, ... its hidden ones.

        So log Z is that of `exact_log_partition` or `annealed_log_partition`.
        """
        even, odd = self.sizes[::2], self.sizes[1::2]
        rbm = RestrictedBoltzmannMachine(vector(sum(even)), width=sum(odd)).to(self.weights[0])
        starts = [sum(self.sizes[layer % 2 : layer : 2]) for layer in range(len(self.sizes))]
        rbm.weight.zero_()
        for layer, weight in enumerate(self.weights):
            rows, columns = (layer, layer + 1) if layer % 2 == 0 else (layer + 1, layer)
            block = rbm.weight[starts[rows] :, starts[columns] :]
            block[: self.sizes[rows], : self.sizes[columns]] = weight if layer % 2 == 0 else weight.t()
        rbm.visible_bias.copy_(torch.cat(list(self.biases[::2])))
        rbm.hidden_bias.copy_(torch.cat(list(self.biases[1::2])))
        return rbm

    def _rounded(self) -> list[Tensor]:
        """The weights as products take them: autocast itself would round them again for each."""
        device = self.weights[0].device.type
        if not torch.is_autocast_enabled(device):
            return list(self.weights)
        return [weight.to(torch.get_autocast_dtype(device)) for weight in self.weights]

    @property
    def _odd(self) -> range:
        return range(1, len(self.sizes), 2)

    def _beside(self, even: Sequence[Tensor]) -> list[Tensor]:
        """All layers, the odd ones empty until they are found."""
        states = [even[0].new_empty(0)] * len(self.sizes)
        states[::2] = even
        return states

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.sizes[-1])

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self._axes)

    def cost(self, _spec: Spec) -> int:
        return sum(low * high for low, high in pairwise(self.sizes)) * (1 + 2 * SETTLING)

    def depth(self, _spec: Spec) -> int:
        return len(self.weights)

    def words(self) -> str:
        return f"deep Boltzmann machine, {' to '.join(str(size) for size in self.sizes)} units"

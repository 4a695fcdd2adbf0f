"""The convolutional restricted Boltzmann machine, whose hidden units are pooled by probabilities."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.nn.grad import conv2d_weight

from layerwise.energy.harmonium import Harmonium, scaled
from layerwise.energy.units import Bernoulli, Gaussian, Units
from layerwise.errors import UsageError
from layerwise.nn.initialise import normal
from layerwise.nn.options import Between, Channels, Window
from layerwise.nn.stage import IMAGE, Reach, positions, resized, wanted
from layerwise.spec import Spec

__all__ = ["Blocks", "ConvolutionalRBM"]

_SURE = 1e-3  # the nearest to 0 and to a full block that a mean may come when a bias is made from it


class Blocks(Units):
    """Maps (N, K, H, W) of units 0 or 1, at most one of them on in each block of `size` x `size`. Exact.

    A block is one softmax over its units and "all off"; its pooling unit is on where one of them is (Lee,
    Grosse, Ranganath and Ng 2009, section 3.3). Blocks of 1 x 1 are units that are on or off by themselves.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def mean(self, x: Tensor) -> Tensor:
        return self._maps(self._chances(x))

    def sample(self, x: Tensor, generator: Generator) -> Tensor:
        upto = self._chances(x).cumsum(2)
        shape = (*upto.shape[:2], 1, *upto.shape[3:])
        uniform = torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device)
        on = torch.lt(uniform, upto).to(x.dtype)  # from the unit that is drawn onwards
        on[:, :, 1:] -= on[:, :, :-1].clone()
        return self._maps(on)

    def log_partition(self, x: Tensor) -> Tensor:
        return F.softplus(self._inner(x).logsumexp(2)).flatten(1).sum(1)

    def cost(self, s: Tensor) -> Tensor:
        return s.new_zeros(len(s))

    def bias(self, mean: Tensor) -> Tensor:
        among = self.size**2
        mean = mean.clamp(_SURE / among, (1 - _SURE) / among)
        return mean.log() - torch.log1p(-among * mean)

    def pooled(self, x: Tensor) -> Tensor:
        """How likely each pooling unit is on: (N, K, H / size, W / size)."""
        return torch.sigmoid(self.evidence(x))

    def evidence(self, x: Tensor) -> Tensor:
        """The logits of `pooled`."""
        return self._inner(x).logsumexp(2)

    def _chances(self, x: Tensor) -> Tensor:
        inner = self._inner(x)
        return (inner - F.softplus(inner.logsumexp(2, keepdim=True))).exp_()

    def _inner(self, x: Tensor) -> Tensor:
        """(N, K, H, W) to (N, K, size * size, H / size, W / size)."""
        inner = F.pixel_unshuffle(x, self.size)
        return inner.view(len(x), x.shape[1], -1, *inner.shape[2:])

    def _maps(self, inner: Tensor) -> Tensor:
        return F.pixel_shuffle(inner.flatten(1, 2), self.size)


class ConvolutionalRBM(Harmonium):
    """Pictures of C channels and K = `width` groups of hidden units, each with one kernel for all places.

    **Shape** (N, C, H, W) to the means of the pooling units (N, K, H', W'), so that it is a level of a
    Pipeline: Lee, Grosse, Ranganath and Ng 2009, "Convolutional deep belief networks for scalable unsupervised
    learning of hierarchical representations". A hidden unit sees `size` x `size` positions, all of them within
    the picture; of each block of `pool` x `pool` in a group at most one is on. Hidden units make whole blocks: of
    a picture that gives more, the middle is taken.

    Visible units are 0 or 1 ("bernoulli"; data between are taken as probabilities) or real ("gaussian", with a
    fixed standard `deviation`). `weight` is (K, C, size, size); there is a bias for each channel (C, 1, 1) and
    each group (K, 1, 1). First weights are normal of deviation 0.01, biases 0.
    """

    hidden: Blocks

    def __init__(
        self,
        spec: Spec,
        *,
        width: Channels,
        size: Window = 10,
        pool: Window = 2,
        visible: Literal["bernoulli", "gaussian"] = "bernoulli",
        deviation: Annotated[float, Between(1e-3, 1e3)] = 1.0,
    ) -> None:
        super().__init__()
        wanted(self, spec, IMAGE)
        if visible == "bernoulli" and deviation != 1:
            raise UsageError(f"deviation is for gaussian visible units, got {deviation} for bernoulli units")
        self.size, self.pool, self.kind = size, pool, visible
        self.visible = Gaussian([deviation]) if visible == "gaussian" else Bernoulli()
        self.hidden = Blocks(pool)
        channels = spec.length("channel") or 0
        self.weight = nn.Parameter(normal(torch.empty(width, channels, size, size), 0.01))
        self.visible_bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.hidden_bias = nn.Parameter(torch.zeros(width, 1, 1))
        if min(self.spec(spec).shape[1:], key=lambda n: n or 0) == 0:
            raise UsageError(
                f"no block of {pool} x {pool} units that see {size} x {size} fits into {spec}: make size or"
                " pool smaller"
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.hidden.pooled(self.hidden_input(self.seen(x)))

    def seen(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the middle of it that whole blocks of hidden units see."""
        x = x if x.is_floating_point() else x.float()
        for axis in (2, 3):
            n = x.shape[axis]
            covered = self._blocks(n) * self.pool + self.size - 1
            x = x.narrow(axis, (n - covered) // 2, covered)
        return x

    def hidden_input(self, v: Tensor) -> Tensor:
        """Pictures as `seen` gives them to (N, K, H, W)."""
        return F.conv2d(v, self.weight, self.hidden_bias.flatten()).to(v.dtype)

    def visible_input(self, h: Tensor, *, beta: float | Tensor = 1.0) -> Tensor:
        """(N, K, H, W) to pictures as `seen` gives them."""
        y = F.conv_transpose2d(scaled(h, beta), self.weight, self.visible_bias.flatten())
        return y.to(h.dtype)

    def contrast(self, v: Tensor, h: Tensor, other_v: Tensor, other_h: Tensor) -> Tensor:
        """(K, C, size, size)."""
        both = torch.cat([v, other_v]), self.weight.shape, torch.cat([h, -other_h])
        together: Tensor = conv2d_weight(*both)  # type: ignore[no-untyped-call]
        return together

    def project(self, pooled: Tensor) -> Tensor:
        """What states of pooling units (N, K, H', W') look like one level below, linearly, without biases.

        Each block's units share its state evenly, and each adds its kernel: the weighted linear combinations
        by which the paper shows what higher units look for.
        """
        h = F.interpolate(pooled, scale_factor=float(self.pool), mode="nearest") / self.pool**2
        return F.conv_transpose2d(h, self.weight)

    def spec(self, spec: Spec) -> Spec:
        return resized(spec, len(self.weight), self._blocks, self.pool)

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(("height", "width"), Reach(self.size + self.pool - 1, self.pool))

    def cost(self, spec: Spec) -> int:
        return positions(self.spec(spec)) * self.pool**2 * self.weight.numel()

    def words(self) -> str:
        return (
            f"convolutional restricted Boltzmann machine {self.size} x {self.size}, {self.kind} to"
            f" {len(self.weight)}, probabilistic max pool {self.pool}"
        )

    def _blocks(self, n: int) -> int:
        """How many blocks of hidden units stand on n positions."""
        return max(0, (n - self.size + 1) // self.pool)

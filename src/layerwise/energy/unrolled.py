"""Stacks of restricted Boltzmann machines as networks that backpropagation can tune."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from layerwise.energy.rbm import RestrictedBoltzmannMachine
from layerwise.energy.units import Bernoulli, Gaussian, Rectified, Units
from layerwise.errors import UsageError
from layerwise.nn.activations import Activation
from layerwise.nn.dense import Dense
from layerwise.nn.mirror import Mirrored, mirrored
from layerwise.nn.stage import vector

__all__ = ["unrolled"]

_ACTIVATIONS: dict[type[Units], Activation | None] = {Bernoulli: "sigmoid", Gaussian: None, Rectified: "relu"}


def unrolled(stack: Sequence[RestrictedBoltzmannMachine]) -> Mirrored:
    """The stack as an encoder, and upside down, with transposed weights, as a decoder.

    Hinton and Salakhutdinov 2006, figure 1: from here on the two have weights of their own. Hidden means
    become activations, those of "relu" units without their noise. The decoder's output is what reaches the
    visible units of the lowest machine: logits where they are 0 or 1, else means. Raises UsageError unless
    each machine sees as many units as the one below has, and all but the topmost have hidden units of one
    kind.
    """
    sizes = [tuple(rbm.weight.shape) for rbm in stack]
    kinds = {type(rbm.hidden) for rbm in stack[:-1]}
    if not stack or len(kinds) > 1 or any(low[1] != high[0] for low, high in pairwise(sizes)):
        raise UsageError(
            "a stack that can be unrolled has machines of matching sizes and one kind of hidden units below"
            f" the topmost, got sizes {sizes} and {len(kinds)} kinds"
        )
    level = _ACTIVATIONS[kinds.pop()] if kinds else None
    code = _ACTIVATIONS[type(stack[-1].hidden)]
    net = mirrored(vector(sizes[0][0]), [width for _, width in sizes], activation=level, code=code)
    net.encoder.to(stack[0].weight)
    net.decoder.to(stack[0].weight)
    down = [stage for _, stage in net.encoder.stages()]
    up = [stage for _, stage in net.decoder.stages()]
    with torch.no_grad():
        for rbm, there, back in zip(stack, down, reversed(up), strict=True):
            assert isinstance(there, Dense)
            assert isinstance(back, Dense)
            reach = rbm.visible.variance if isinstance(rbm.visible, Gaussian) else torch.ones(1)
            there.linear.weight.copy_(rbm.weight.t())
            there.linear.bias.copy_(rbm.hidden_bias)
            back.linear.weight.copy_(rbm.weight * reach[:, None])
            back.linear.bias.copy_(rbm.visible_bias * reach)
    return net

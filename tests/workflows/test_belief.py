"""A network's levels taken over from a stack of machines."""

import numpy as np
import torch

from layerwise.energy import RestrictedBoltzmannMachine
from layerwise.nn import build
from layerwise.nn.stage import vector
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.stacks.autoencoding import machines
from layerwise.workflows.belief import take_over


def test_the_net_says_what_the_machines_say():
    """Scale turns pixels about their mean; the first level undoes it."""
    spec = Spec(("channel", "height", "width"), (1, 4, 5), "uint8", centre=(33.0,), spread=(60.0,))
    choice = {"activation": "sigmoid"}
    net = build(
        [
            StageChoice("scale", "Scale"),
            StageChoice("level1", "Dense", {"width": 7, **choice}),
            StageChoice("level2", "Dense", {"width": 3, **choice}),
        ],
        spec,
        None,
    )
    stack = [
        rbm
        for _, rbm in machines(vector(20), (7, 3), code="bernoulli", seed=1).stages()
        if isinstance(rbm, RestrictedBoltzmannMachine)
    ]
    take_over(net, stack, spec, 200.0)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 201, (6, 1, 4, 5)).astype(np.uint8))
    v = pixels.flatten(1).float() / 200
    expected = stack[1].hidden_mean(stack[0].hidden_mean(v))
    torch.testing.assert_close(net.eval()(pixels), expected, rtol=1e-5, atol=1e-6)

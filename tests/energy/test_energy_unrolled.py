"""A stack unrolled does what its machines do by means, upwards and downwards."""

import pytest
import torch

from layerwise.energy import RestrictedBoltzmannMachine, unrolled
from layerwise.errors import UsageError
from layerwise.nn.stage import vector


def machine(visible: int, width: int, /, **options) -> RestrictedBoltzmannMachine:
    draw = torch.Generator().manual_seed(visible)
    rbm = RestrictedBoltzmannMachine(vector(visible), width=width, **options).double()
    with torch.no_grad():
        for p in rbm.parameters():
            p.copy_(torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return rbm


@pytest.mark.parametrize(
    "options", [{}, {"visible": "gaussian"}, {"visible": "gaussian", "deviations": [0.5, 2.0] * 3}]
)
@pytest.mark.parametrize("top", ["gaussian", "bernoulli"])
def test_up_and_down_by_means(options, top):
    stack = [machine(6, 5, **options), machine(5, 4), machine(4, 2, hidden=top)]
    encoder, decoder = unrolled(stack)
    v = torch.rand(7, 6, dtype=torch.float64)
    h = v
    for rbm in stack:
        h = rbm.hidden_mean(h)
    torch.testing.assert_close(encoder(v), h, atol=1e-12, rtol=0)
    for rbm in reversed(stack[1:]):
        h = rbm.visible_mean(h)
    low = stack[0]
    expected = low.visible_mean(h) if options else low.visible_input(h)  # logits where units are 0 or 1
    torch.testing.assert_close(decoder(encoder(v)), expected, atol=1e-12, rtol=0)


def test_the_decoder_has_weights_of_its_own():
    rbm = machine(6, 3)
    encoder, decoder = unrolled([rbm])
    before = rbm.weight.clone()
    with torch.no_grad():
        for p in (*encoder.parameters(), *decoder.parameters()):
            p.zero_()
    assert torch.equal(rbm.weight, before)


def test_rectified_levels_become_rectifiers():
    encoder, _ = unrolled([machine(6, 5, hidden="relu"), machine(5, 2, hidden="gaussian")])
    assert [stage.activation for _, stage in encoder.stages()] == ["relu", None]


@pytest.mark.parametrize(
    "stack",
    [
        [],
        [(6, 5, "bernoulli"), (4, 2, "gaussian")],
        [(6, 5, "bernoulli"), (5, 4, "relu"), (4, 2, "gaussian")],
    ],
)
def test_machines_that_do_not_stack_are_refused(stack):
    with pytest.raises(UsageError, match="matching sizes and one kind"):
        unrolled([machine(v, h, hidden=kind) for v, h, kind in stack])

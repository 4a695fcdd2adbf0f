"""Autoencoders: penalties against exact ones, denoising, the bound of the variational one, layer by layer."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.nn import Pipeline
from layerwise.randomness import Randomness
from layerwise.train import Phase, Step, optimiser, train
from layerwise.train.reconstruct import Reconstruction, Variational, blurred, masked
from layerwise.train.stagewise import Within, greedy
from layerwise.values import Batch

RNG = Randomness(3)


def batch(n=6, inputs=5, weights=None):
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(n, inputs, generator=draw, dtype=torch.float64)
    return Batch(x, None, weights, torch.arange(n))


def encoder(*widths):
    torch.manual_seed(0)
    pairs = pairwise(widths)
    layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.Sigmoid())]
    return nn.Sequential(*layers).double()


def scalars(objective, net, given, rng=RNG):
    return objective.loss(net, objective.altered(given, rng), rng)


def test_squared_error_and_cross_entropy_are_torchs_own():
    net, given = encoder(5, 3), batch()
    decoder = nn.Linear(3, 5).double()
    said = decoder(net(given.inputs))
    found = scalars(Reconstruction(decoder), net, given)
    assert found["loss"].item() == pytest.approx(5 * nn.functional.mse_loss(said, given.inputs).item())
    assert found["error"].item() == found["loss"].item()
    found = scalars(Reconstruction(decoder, error="cross-entropy"), net, given)
    torch_says = 5 * nn.functional.binary_cross_entropy(said.sigmoid(), given.inputs).item()
    assert found["loss"].item() == pytest.approx(torch_says)
    squares = 5 * nn.functional.mse_loss(said.sigmoid(), given.inputs).item()
    assert found["error"].item() == pytest.approx(squares)


def test_weights_repeat_rows():
    net, decoder, given = encoder(5, 3), nn.Linear(3, 5).double(), batch(3)
    weighted = Batch(given.inputs, None, torch.tensor([2.0, 1.0, 0.0]), given.rows)
    repeated = Batch(given.inputs[[0, 0, 1]], None, None, given.rows)
    one, two = (scalars(Reconstruction(decoder), net, b)["loss"].item() for b in (weighted, repeated))
    assert one == pytest.approx(two)


def test_contraction_is_the_norm_of_the_jacobian_on_average():
    net, given = encoder(5, 4), batch(2)
    exact = torch.stack(
        [torch.autograd.functional.jacobian(net, x[None]).square().sum() for x in given.inputs]
    ).mean()
    decoder = nn.Linear(4, 5).double()
    plain = scalars(Reconstruction(decoder), net, given)["loss"].item()
    objective = Reconstruction(decoder, contraction=1.0)
    drawn = torch.tensor(
        [scalars(objective, net, given, RNG.at(i))["loss"].item() - plain for i in range(400)]
    )
    assert abs(drawn.mean() - exact) < 4 * drawn.std() / 20
    assert drawn.std() > 0


def test_sparsity_vanishes_where_the_activity_is_the_one_wanted():
    net, given = encoder(5, 3), batch()
    decoder = nn.Linear(3, 5).double()
    plain = scalars(Reconstruction(decoder), net, given)["loss"].item()
    wanted = 0.2
    activity = net(given.inputs).mean(0)
    exact = sum(
        torch.distributions.kl_divergence(
            torch.distributions.Bernoulli(torch.tensor(wanted, dtype=torch.float64)),
            torch.distributions.Bernoulli(a),
        ).item()
        for a in activity
    )
    found = scalars(Reconstruction(decoder, sparsity=(wanted, 0.5)), net, given)["loss"].item()
    assert found - plain == pytest.approx(0.5 * exact)
    with pytest.raises(UsageError, match="between 0 and 1, got 0"):
        Reconstruction(decoder, sparsity=(0, 1))


@pytest.mark.parametrize("corrupt", [masked(0.4), blurred(0.5)])
def test_what_is_to_be_brought_back_stays_whole(corrupt):
    given = batch(400, 20)
    seen = Reconstruction(nn.Identity(), corrupt=corrupt).altered(given, RNG)
    assert torch.equal(seen.targets, given.inputs)
    assert not torch.equal(seen.inputs, given.inputs)
    again = Reconstruction(nn.Identity(), corrupt=corrupt).altered(given, RNG)
    assert torch.equal(seen.inputs, again.inputs)
    noise = (seen.inputs - given.inputs).flatten()
    changed = noise != 0
    if changed.all():
        assert noise.std().item() == pytest.approx(0.5, rel=0.03)
    else:
        assert changed.double().mean().item() == pytest.approx(0.4, abs=0.03)
        assert (seen.inputs[seen.inputs != given.inputs] == 0).all()


def test_the_variational_bound_is_the_evidence_where_the_posterior_is_exact():
    # x = W z + noise of unit variance with orthogonal columns: the posterior is normal and factorises
    torch.manual_seed(0)
    columns, _ = torch.linalg.qr(torch.randn(4, 2, dtype=torch.float64))
    weight = columns * torch.tensor([2.0, 0.5], dtype=torch.float64)
    decoder = nn.Linear(2, 4, bias=False).double()
    decoder.weight.data.copy_(weight)
    n, x = 20_000, torch.randn(1, 4, dtype=torch.float64)
    variance = 1 / (1 + weight.square().sum(0))
    posterior = torch.cat([x @ weight * variance, variance.log()[None]], 1).expand(n, 4)
    cover = torch.eye(4, dtype=torch.float64) + weight @ weight.T
    evidence = torch.distributions.MultivariateNormal(torch.zeros(4, dtype=torch.float64), cover).log_prob(x)
    given = Batch(x.expand(n, 4), None, None, torch.arange(n))
    found = Variational(decoder, error="squared").loss(lambda _: posterior, given, RNG)
    constant = -2 * torch.log(torch.tensor(2 * torch.pi)).item()
    assert constant - found["loss"].item() == pytest.approx(evidence.item(), abs=0.02)


def test_layer_by_layer_each_stage_learns_alone_and_brings_back_its_input(digits):
    torch.manual_seed(0)
    net = Pipeline(
        h1=nn.Sequential(nn.Linear(64, 32), nn.Sigmoid()), h2=nn.Sequential(nn.Linear(32, 8), nn.Sigmoid())
    )
    sizes = {"h1": (64, 32), "h2": (32, 8)}

    def phase(address):
        decoder = nn.Linear(*sizes[address][::-1])
        return Phase(address, Reconstruction(decoder), optimiser("adamw", rate=0.01), size=100, epochs=6)

    moved = {name: [] for name in sizes}
    before = {name: [p.clone() for p in net.get_submodule(name).parameters()] for name in sizes}
    errors = {name: [] for name in sizes}
    for event in train(net, greedy(["h1", "h2"], phase), digits.train, seed=0):
        if isinstance(event, Step):
            errors[event.phase].append(float(event.scalars["error"]))
            for name in sizes:
                same = all(
                    torch.equal(a, b)
                    for a, b in zip(before[name], net.get_submodule(name).parameters(), strict=True)
                )
                before[name] = [p.clone() for p in net.get_submodule(name).parameters()]
                if not same:
                    moved[name].append(event.phase)
    assert set(moved["h1"]) == {"h1"}
    assert set(moved["h2"]) == {"h2"}
    for name in sizes:
        assert sum(errors[name][-5:]) < 0.6 * sum(errors[name][:5])


def test_within_needs_a_pipeline_and_greedy_a_stage():
    with pytest.raises(UsageError, match="within a Pipeline, got Sequential"):
        Within("0", Reconstruction(nn.Identity())).gradients(encoder(5, 3), batch(), RNG)
    with pytest.raises(UsageError, match="at least one stage"):
        greedy([], lambda name: None)


def test_a_decoder_of_another_width_is_named():
    with pytest.raises(UsageError, match="gives 4 values an example, the inputs have 5"):
        scalars(Reconstruction(nn.Linear(3, 4).double()), encoder(5, 3), batch())

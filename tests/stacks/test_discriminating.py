"""Networks that tell classes apart begin with what energy models know."""

import numpy as np
import torch

from layerwise.energy import DeepBoltzmannMachine, RestrictedBoltzmannMachine
from layerwise.nn.stage import vector
from layerwise.stacks.discriminating import Joined, from_machine, from_stack, tuning, with_dropout
from layerwise.tasks import Classify
from layerwise.train import ConjugateGradients, Learned
from layerwise.workflows.unlabelled import derived, vectors_of


def scaled(module: torch.nn.Module, scale: float = 0.5) -> torch.nn.Module:
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=draw))
    return module


def test_the_network_of_a_stack_makes_its_hidden_means():
    stack = [scaled(RestrictedBoltzmannMachine(vector(a), width=b)) for a, b in ((6, 5), (5, 4))]
    net = from_stack(stack, outputs=3, seed=0)
    v = torch.rand(7, 6)
    levels = dict(net.levels(v))
    torch.testing.assert_close(levels["level1"], stack[0].hidden_mean(v))
    torch.testing.assert_close(levels["code"], stack[1].hidden_mean(stack[0].hidden_mean(v)))
    assert levels["answer"].shape == (7, 3)
    again = from_stack(stack, outputs=3, seed=0)
    torch.testing.assert_close(again.answer.linear.weight, net.answer.linear.weight, atol=0, rtol=0)


def test_the_network_of_a_machine_makes_what_mean_field_settles_on():
    dbm = scaled(DeepBoltzmannMachine(vector(6), widths=[5, 4]))
    v = torch.rand(7, 6)
    joined = Joined(dbm)
    assert joined.spec(vector(6)) == vector(10)
    levels = dict(from_machine(dbm, outputs=3, seed=0).levels(joined(v)))
    for name, mean in zip(("level1", "level2"), dbm.posterior(v, rounds=100), strict=True):
        torch.testing.assert_close(levels[name], mean, atol=1e-5, rtol=0)


def test_levels_between_are_those_of_the_pass_upwards():
    dbm = scaled(DeepBoltzmannMachine(vector(6), widths=[5, 4, 3]))
    levels = dict(from_machine(dbm, outputs=2, seed=0).levels(torch.rand(7, 10)))
    h2 = torch.sigmoid(dbm.biases[2] + 2 * levels["level1"] @ dbm.weights[1])
    torch.testing.assert_close(levels["level2"], h2)
    torch.testing.assert_close(levels["level3"], torch.sigmoid(dbm.biases[3] + h2 @ dbm.weights[2]))


def test_dropout_is_of_training_alone():
    dbm = scaled(DeepBoltzmannMachine(vector(6), widths=[50, 40]))
    x = torch.rand(200, 46)
    plain = from_machine(dbm, outputs=3, seed=0)
    before = plain.eval()(x)
    dropped = with_dropout(plain, 0.5)
    torch.testing.assert_close(dropped.eval()(x), before)
    seen = dict(dropped.train().levels(x))
    assert abs((seen["noise"] == 0).float().mean() - 0.2) < 0.03
    assert abs((seen["level1"] == 0).float().mean() - 0.5) < 0.03


def test_noise_is_tuned_without_line_searches():
    task = Classify.fit(np.arange(3))
    net = torch.nn.Linear(2, 3)
    searched, noisy = (tuning(task, epochs=2, dropout=d).optimiser(Learned.of(net)) for d in (False, True))
    assert isinstance(searched, ConjugateGradients)
    assert isinstance(noisy, torch.optim.AdamW)


def test_what_a_stage_makes_of_stored_examples_is_found_once(tmp_path):
    X = np.random.default_rng(0).random((1500, 6))
    vectors, store = vectors_of(X, unit=True, run=tmp_path)
    joined = Joined(scaled(DeepBoltzmannMachine(vector(6), widths=[5, 4])))
    plain, beside = derived(vectors, store, joined, run=tmp_path)
    (found,) = beside.take(np.array([3, 1400])).values()
    torch.testing.assert_close(torch.from_numpy(found), joined(torch.from_numpy(X[[3, 1400]]).float()))
    assert plain.width == 10
    torch.testing.assert_close(plain.scaled(torch.from_numpy(found)), torch.from_numpy(found))

"""Deep autoencoders on digits: pretrained as in 2006, tuned by conjugate gradients, and as today."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from layerwise.energy import unrolled
from layerwise.errors import UsageError
from layerwise.nn import mirrored
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.stacks.autoencoding import (
    Coding,
    autoencode,
    by_conjugate_gradients,
    by_one_cycle,
    first_weights,
    machines,
    pretraining,
    stacking,
)
from layerwise.train import Reconstruction, Step, train
from layerwise.values import Batch

WIDTHS = [48, 24, 6]


@dataclass
class Rows:
    x: Tensor
    size: int
    rng: Randomness

    @property
    def steps_per_epoch(self) -> int:
        return len(self.x) // self.size

    def at(self, step: int) -> Batch:
        epoch, place = divmod(step, self.steps_per_epoch)
        order = torch.randperm(len(self.x), generator=self.rng.at(epoch).generator("order"))
        rows = order[place * self.size : (place + 1) * self.size]
        return Batch(self.x[rows], None, None, rows)


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    x = load_digits().data[np.random.default_rng(0).permutation(1797)]
    return torch.tensor(x / 16, dtype=torch.float32)


def run(net, plan, x: Tensor) -> list[Step]:
    events = train(net, plan, lambda size, rng: Rows(x[:1500], min(size, 500), rng), seed=0)
    return [event for event in events if isinstance(event, Step)]


@torch.no_grad()
def error(net, x: Tensor) -> float:
    """Squared error of a held-out example, from logits."""
    return (net.decoder(net.encoder(x[1500:])).sigmoid() - x[1500:]).square().sum(1).mean().item()


@pytest.fixture(scope="module")
def stack(pixels):
    net = machines(vector(64), WIDTHS)
    assert net.level1.weight.std().item() == pytest.approx(0.1, rel=0.05)
    return net, run(net, pretraining(net, epochs=20), pixels)


def test_each_machine_learns_alone_slowly_first(stack):
    net, steps = stack
    names = list(dict.fromkeys(step.phase for step in steps))
    assert names == ["level1", "level2", "code"]
    assert [sum(step.phase == name for step in steps) for name in names] == [300] * 3  # 15 batches an epoch
    for phase in pretraining(net):
        assert phase.learns == (phase.name,)
        assert [phase.momentum(along) for along in (0, 0.09, 0.11, 1)] == [0.5, 0.5, 0.9, 0.9]
    for name in ("level1", "level2"):
        losses = [float(step.loss) for step in steps if step.phase == name]
        assert sum(losses[-15:]) < 0.5 * sum(losses[:15])


def test_the_stack_keeps_more_than_the_mean_and_tuning_far_more(stack, pixels):
    net = unrolled([rbm for _, rbm in stack[0].stages()])
    mean = (pixels[1500:] - pixels[:1500].mean(0)).square().sum(1).mean().item()
    before = error(net, pixels)
    run(
        net.encoder,
        (by_conjugate_gradients(Reconstruction(net.decoder, error="cross-entropy"), epochs=20),),
        pixels,
    )
    assert error(net, pixels) < 0.55 * before < 0.55 * 0.95 * mean


def test_without_pretraining_the_same_net_says_the_mean_image(pixels):
    """Levels of 0 to 1 and first weights as was the habit, as long a tuning: no way out of the plateau."""
    with first_weights(0):
        net = mirrored(vector(64), WIDTHS, activation="sigmoid", init="classic")
    run(
        net.encoder,
        (by_conjugate_gradients(Reconstruction(net.decoder, error="cross-entropy"), epochs=20),),
        pixels,
    )
    mean = (pixels[1500:] - pixels[:1500].mean(0)).square().sum(1).mean().item()
    assert error(net, pixels) == pytest.approx(mean, rel=0.05)


def test_as_today_it_beats_principal_components_of_the_same_number(pixels):
    with first_weights(0):
        net = mirrored(vector(64), WIDTHS, activation="gelu", norm="batch")
    objective = Reconstruction(net.decoder, error="cross-entropy")
    run(net.encoder, (by_one_cycle(objective, epochs=20, rate=0.008, size=100),), pixels)
    centred = pixels - pixels[:1500].mean(0)
    _, _, directions = torch.linalg.svd(centred[:1500], full_matrices=False)
    kept = centred[1500:] @ directions[:6].T @ directions[:6]
    assert error(net, pixels) < 0.75 * (centred[1500:] - kept).square().sum(1).mean().item()


def test_first_weights_are_of_the_seed_and_leave_the_callers_randomness_alone():
    state = torch.get_rng_state()
    one, two, other = (machines(vector(8), [3], seed=seed).code.weight for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


# ---- stacks


def test_each_level_of_a_stack_learns_to_bring_back_what_the_level_below_gives(pixels):
    with first_weights(0):
        net = mirrored(vector(64), WIDTHS, activation="sigmoid", code="sigmoid", init="glorot")
    first = {name: stage.linear.weight.clone() for name, stage in net.encoder.stages()}
    steps = run(net.encoder, stacking(net, error="cross-entropy", epochs=30, rate=0.01), pixels)
    names = [name for name, _ in net.encoder.stages()]
    assert list(dict.fromkeys(step.phase for step in steps)) == names
    for name, below in zip(names, [pixels, *(v for _, v in net.encoder.levels(pixels))], strict=False):
        assert not torch.equal(dict(net.encoder.stages())[name].linear.weight, first[name])
        with torch.no_grad():
            code = dict(net.encoder.stages())[name](below[1500:])
            partner = dict(zip(names, reversed(net.decoder.stages()), strict=True))[name][1]
            back = partner.linear(code).sigmoid()
        mean = (below[1500:] - below[:1500].mean(0)).square().sum()
        assert (back - below[1500:]).square().sum() < 0.6 * mean, name


def test_a_level_of_a_denoising_stack_bears_noise_in_what_it_sees(pixels):
    """The second level, whose input is what the first gives: a third of it is hidden."""

    def lost(noise: float) -> float:
        with first_weights(0):
            net = mirrored(vector(64), [48, 24], activation="sigmoid", code="sigmoid", init="glorot")
        run(net.encoder, stacking(net, error="cross-entropy", noise=noise, epochs=30, rate=0.01), pixels)
        with torch.no_grad():
            below = net.encoder.level1(pixels[1500:])
            kept = torch.rand(below.shape, generator=torch.Generator().manual_seed(1)) >= 1 / 3
            back = net.decoder.level1.linear(net.encoder.code(below * kept)).sigmoid()
        return (back - below).square().sum().item()

    assert lost(1 / 3) < 0.9 * lost(0.0)


# ---- one call


def coded(x: Tensor, coding: Coding) -> tuple[Tensor, float]:
    """Codes of held-out examples, and the share of their variance that is lost."""
    net = autoencode(coding, vector(64), lambda net, plan: run(net, plan, x), seed=0)
    with torch.no_grad():
        codes = net.encoder.eval()(x[1500:])
        lost = (net.decoder.eval()(codes) - x[1500:]).square().sum()
    return codes, (lost / (x[1500:] - x[:1500].mean(0)).square().sum()).item()


@pytest.mark.parametrize("pretrain", ["rbm", "stack", None])
@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_codes_of_probabilities_and_of_real_values(pixels, pretrain, visible):
    unit = visible == "bernoulli"
    x = pixels if unit else (pixels - pixels.mean(0)) / pixels.std(0).clamp_min(0.1)
    codes, lost = coded(x, Coding((32, 8), pretrain, visible, epochs=20))
    assert codes.shape == (297, 8)
    assert codes.min() < 0 < codes.max()  # linear
    assert lost < (0.45 if unit else 0.7)


@pytest.mark.parametrize("pretrain", ["rbm", None])
def test_sparse_codes_are_as_active_as_was_asked(pixels, pretrain):
    activity = {
        sparsity: coded(pixels, Coding((32,), pretrain, sparsity=sparsity, epochs=15))[0].mean().item()
        for sparsity in (0.1, 0.3)
    }
    for sparsity, found in activity.items():
        assert found == pytest.approx(sparsity, abs=0.05)


def test_contraction_flattens_the_code(pixels):
    plain, firm = (
        coded(pixels, Coding((16,), contraction=c, sparsity=0.3, epochs=20))[0].std(0).mean()
        for c in (0.0, 20.0)
    )
    assert firm < 0.8 * plain


def test_noise_makes_a_code_that_bears_noise(pixels):
    draw = torch.Generator().manual_seed(1)
    held = pixels[1500:]
    spoiled = held * (torch.rand(held.shape, generator=draw) > 0.4)

    def lost(noise: float) -> float:
        coding = Coding((64, 16), noise=noise, epochs=20)
        net = autoencode(coding, vector(64), lambda net, plan: run(net, plan, pixels), seed=0)
        with torch.no_grad():
            return (net.decoder(net.encoder(spoiled)) - held).square().sum(1).mean().item()

    assert lost(0.4) < 0.85 * lost(0.0)


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_a_variational_net_climbs_its_bound_and_leaves_an_encoder_of_means(pixels, visible):
    x = pixels if visible == "bernoulli" else (pixels - pixels.mean(0)) / pixels.std(0).clamp_min(0.1)
    nets, steps = [], []

    def trained(net, plan) -> None:
        nets.append(net)
        steps.extend(run(net, plan, x))

    coding = Coding((32, 8), visible=visible, variational=True, epochs=15)
    net = autoencode(coding, vector(64), trained, seed=0)
    first, last = (sum(float(step.loss) for step in some) for some in (steps[:5], steps[-5:]))
    assert last < 0.7 * first
    assert all(
        float(step.scalars["divergence"]) > 1 for step in steps[-5:]
    )  # nats: codes tell of the example
    (learned,) = nets
    with torch.no_grad():
        both, means = learned.eval()(x[1500:]), net.encoder.eval()(x[1500:])
    assert both.shape == (297, 16)
    torch.testing.assert_close(means, both[:, :8])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pretrain": "dbn"}, "'rbm', 'stack' or None, got 'dbn'"),
        ({"visible": "softmax"}, "'bernoulli' or 'gaussian', got 'softmax'"),
        ({"noise": 1.0}, "below 1, got 1.0"),
        ({"contraction": -1.0}, "at least 0, got -1.0"),
        ({"variational": True, "pretrain": "stack"}, "goes without .*, got pretrain='stack'"),
        ({"variational": True, "noise": 0.1, "sparsity": 0.2}, "got noise=0.1, sparsity=0.2: leave"),
        ({"variational": True, "contraction": 0.1}, "got contraction=0.1: leave"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        Coding((2,), **options)
    with pytest.raises(UsageError, match="width of its code"):
        machines(vector(4), [])

"""Two views: the loss against its definition, collapse avoided, sounds of unequal length, resumed bit for bit."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.kinds import IMAGE, SOUND
from layerwise.nn import Convolution, Dense, GlobalPool, LogMel, Pipeline, Scale
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.train import Done, Phase, Step, optimiser, train
from layerwise.train.views import TwoViews, contrast, projector
from layerwise.values import Batch, Padded

RNG = Randomness(5)


def noisy(batch, rng):
    noise = torch.randn(batch.inputs.shape, generator=rng.generator("noise"))
    return replace(batch, inputs=batch.inputs + 0.5 * noise)


def drawn(*shape, key=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(key), dtype=torch.float64)


def given(x, weights=None):
    return Batch(x, None, weights, torch.arange(len(x)))


def test_contrast_is_the_published_sum_written_out():
    one, other = drawn(4, 3), drawn(4, 3, key=1)
    z = torch.cat([one, other])

    def alike(i, j):
        return (z[i] @ z[j] / (z[i].norm() * z[j].norm()) / 0.5).exp()

    def each(i, j):
        return -(alike(i, j) / sum(alike(i, k) for k in range(8) if k != i)).log()

    by_hand = torch.stack([(each(i, i + 4) + each(i + 4, i)) / 2 for i in range(4)])
    assert torch.allclose(contrast(one, other, 0.5), by_hand)


def test_views_differ_repeat_and_leave_the_batch_alone():
    objective, batch = TwoViews(nn.Identity(), noisy), given(drawn(6, 3))
    before = batch.inputs.clone()
    first, second = objective.altered(batch, RNG).inputs.values()
    assert not torch.equal(first, second)
    again = objective.altered(batch, RNG).inputs
    assert all(torch.equal(a, b) for a, b in zip((first, second), again.values(), strict=True))
    assert torch.equal(batch.inputs, before)


def test_spread_says_whether_all_examples_became_the_same():
    objective = TwoViews(nn.Identity(), noisy)
    same, apart = torch.ones(64, 8), 100 * drawn(64, 8).float()

    def spread(x):
        return objective.loss(nn.Identity(), replace(given(x), inputs={"first": x, "second": x}), RNG)

    assert spread(same)["spread"] < 1e-3
    assert spread(apart)["spread"] > 0.95
    assert spread(same)["agreement"].item() == pytest.approx(1)


def test_weights_of_zero_count_for_nothing_in_what_agrees():
    objective = TwoViews(nn.Identity(), noisy)
    x, weights = drawn(4, 3), torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    views = {"first": x, "second": drawn(4, 3, key=2)}
    found = objective.loss(nn.Identity(), Batch(views, None, weights, torch.arange(4)), RNG)
    each = contrast(views["first"].float(), views["second"].float(), 0.2)
    assert found["loss"].item() == pytest.approx(each[0].item())


class Circle:
    """Batches of points of four groups on a circle, their place within the group and radius being noise."""

    steps_per_epoch = 8

    def at(self, step):
        draw = torch.Generator().manual_seed(step)
        group = torch.randint(0, 4, (64,), generator=draw)
        angle = group * torch.pi / 2 + 0.3 * torch.randn(64, generator=draw)
        return given(torch.stack([angle.cos(), angle.sin()], 1))


def test_training_makes_views_agree_without_collapse():
    torch.manual_seed(0)
    net = Pipeline(h1=nn.Linear(2, 32), act=nn.ReLU(), h2=nn.Linear(32, 16), out=nn.ReLU())
    objective = TwoViews(projector(vector(16), widths=(32, 8)), noisy)
    phase = Phase("views", objective, optimiser("adamw", rate=0.01), size=64, steps=80)
    seen = [e.scalars for e in train(net, (phase,), lambda *_: Circle(), seed=0) if isinstance(e, Step)]
    first, last = seen[:5], seen[-5:]
    assert sum(s["loss"] for s in last) < 0.9 * sum(s["loss"] for s in first)
    assert all(s["spread"] > 0.6 for s in last)


def test_a_run_that_was_stopped_ends_the_same_projector_included(tmp_path):
    def learners():
        torch.manual_seed(0)
        net = Pipeline(h1=nn.Linear(2, 8), act=nn.ReLU())
        objective = TwoViews(projector(vector(8), widths=(8, 4)), noisy)
        return net, objective, (Phase("views", objective, optimiser("adamw", rate=0.01), size=64, steps=20),)

    def tensors(net, objective):
        return [*net.state_dict().values(), *objective.state_dict().values()]

    net, objective, plan = learners()
    assert isinstance(list(train(net, plan, lambda *_: Circle(), seed=3))[-1], Done)
    whole, path = tensors(net, objective), tmp_path / "run.safetensors"
    net, objective, plan = learners()
    began = train(net, plan, lambda *_: Circle(), seed=3, checkpoint=path, every=5)
    list(islice(began, 12))
    began.close()
    net, objective, plan = learners()
    list(train(net, plan, lambda *_: Circle(), seed=3, checkpoint=path, every=5))
    assert all(torch.equal(a, b) for a, b in zip(whole, tensors(net, objective), strict=True))


def test_sounds_of_unequal_length_are_viewed_as_their_kind_says():
    spec = Spec(("time",), (None,), "int16", rate_hz=4000.0, longest=3000)
    mel = LogMel.from_spec(spec, bands=8)
    conv = Convolution.from_spec(mel.spec(spec), width=4, norm="batch")
    net = Pipeline(mel=mel, conv=conv, pool=GlobalPool.from_spec(conv.spec(mel.spec(spec))))
    lengths = torch.tensor([3000, 1500, 10, 0])
    values = torch.randint(-9000, 9000, (4, 3000), generator=torch.Generator().manual_seed(0)).short()
    alter = SOUND.alter(spec, SOUND.methods["views"](spec, 500).training.alter)
    objective = TwoViews(projector(net.spec(spec), widths=(8, 4)), alter)
    batch = objective.altered(given(Padded(values, lengths).zeroed()._replace(lengths=lengths)), RNG)
    scalars = objective.gradients(net, batch, RNG)
    assert all(torch.isfinite(s) for s in scalars.values())
    assert all(p.grad is not None for p in (*net.parameters(), *objective.parameters()))


def test_pictures_are_viewed_as_their_kind_says():
    spec = Spec(("channel", "height", "width"), (3, 16, 16), "uint8", centre=(120.0,) * 3, spread=(60.0,) * 3)
    x = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    alter = IMAGE.alter(spec, IMAGE.methods["views"](spec, 500).training.alter)
    scale = Scale.from_spec(spec)
    net = Pipeline(scale=scale, dense=Dense.from_spec(scale.spec(spec), width=6))
    objective = TwoViews(projector(net.spec(spec), widths=(4,)), alter)
    assert torch.isfinite(objective.gradients(net, objective.altered(given(x), RNG), RNG)["loss"])


def test_wrong_use_is_named():
    with pytest.raises(UsageError, match="positive, got 0"):
        TwoViews(nn.Identity(), noisy, temperature=0)
    with pytest.raises(UsageError, match="at least one width"):
        projector(vector(3), widths=())
    columns = Batch({"a": drawn(2, 3)}, None, None, torch.arange(2))
    with pytest.raises(UsageError, match="of one column, got several"):
        TwoViews(nn.Identity(), lambda batch, rng: batch).altered(columns, RNG)
    steps = {name: Padded(drawn(2, 3, 1), torch.tensor([3, 2])) for name in ("first", "second")}
    with pytest.raises(UsageError, match="end it with GlobalPool"):
        TwoViews(nn.Identity(), noisy).loss(nn.Identity(), replace(columns, inputs=steps), RNG)

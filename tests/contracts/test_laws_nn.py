"""The laws of networks, over every stage that a recipe may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from layerwise.nn import STAGES, Embedding, Pipeline, build, describe
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.values import Padded, Value, count

IMAGES = Spec(("channel", "height", "width"), (3, 24, 20), "uint8", centre=(120.0,) * 3, spread=(60.0,) * 3)
MAPS = Spec(("channel", "height", "width"), (4, 24, 20))
WINDOWS = Spec(("time", "channel"), (40, 3))
SEQUENCES = Spec(
    ("time", "channel"), (None, 5), longest=37, centre=(0.5,) * 5, spread=(2.0,) * 5, rate_hz=50.0
)
SPECTROGRAMS = Spec(("time", "channel", "band"), (None, 2, 12), longest=37)
TOKENS = Spec(("time",), (None,), "int32", sizes=(30,), longest=37)
SOUND = Spec(("time",), (None,), "int16", rate_hz=1000.0, longest=400)
NUMBERS = Spec(("feature",), (3,), edges=((-1.0, 0.0, 1.0), (0.0,), (-2.0, -0.5, 0.2, 3.0)))
CATEGORIES = Spec(("category",), (2,), "int32", sizes=(4, 200))
TABLE = Spec(columns={"numbers": NUMBERS, "categories": CATEGORIES, "re.view": TOKENS})


@dataclass(frozen=True)
class Case:
    stage: str
    spec: Spec
    options: Mapping[str, Any] = field(default_factory=dict)
    then: tuple[StageChoice, ...] = ()  # what makes one vector of it

    def __str__(self) -> str:
        words = ",".join(f"{k}={v}" for k, v in self.options.items() if k not in ("branches", "network"))
        return f"{self.stage}({words})-{'x'.join(self.spec.axes) or 'columns'}"


POOLED = (StageChoice("pooled", "GlobalPool", {"how": "both"}),)
BRANCHES = {
    "numbers": [{"name": "encoding", "stage": "PiecewiseLinear", "width": 4}],
    "categories": [{"name": "vectors", "stage": "Categories"}],
    "re.view": [
        {"name": "words", "stage": "Embedding", "width": 6},
        {"name": "conv", "stage": "Convolution", "width": 5},
        {"name": "all", "stage": "GlobalPool"},
    ],
}
CASES = (
    Case("Scale", IMAGES),
    Case("Scale", SEQUENCES, then=POOLED),
    Case("Whitening", IMAGES, {"cutoff": 0.6}),
    Case("Dense", MAPS, {"width": 6, "norm": "batch", "dropout": 0.2, "max_norm": 2.0}),
    Case("Dense", SEQUENCES, {"width": 5, "norm": "batch", "residual": True, "activation": "tanh"}, POOLED),
    Case("Dense", SPECTROGRAMS, {"width": 6, "norm": "layer", "activation": "gelu"}, POOLED),
    Case("Maxout", MAPS, {"width": 6, "pieces": 3, "dropout": 0.2}),
    Case("Maxout", SEQUENCES, {"width": 6}, POOLED),
    Case("Flatten", MAPS),
    Case("Convolution", MAPS, {"width": 6, "norm": "batch", "pool": "max", "dropout": 0.1}),
    Case("Convolution", MAPS, {"width": 6, "size": 5, "padding": "valid", "norm": "response", "pool": "max",
                               "pool_size": 3, "pool_stride": 2}),
    Case("Convolution", MAPS, {"width": 4, "size": 4, "stride": 3, "groups": 2, "pool": "average"}),
    Case("Convolution", WINDOWS, {"width": 6, "activation": "silu", "pool": "max", "norm": "layer"}),
    Case("Convolution", SEQUENCES, {"width": 6, "norm": "batch", "pool": "max"}, POOLED),
    Case("Convolution", SEQUENCES, {"width": 6, "size": 4, "stride": 2, "activation": "sigmoid",
                                    "pool": "average", "pool_size": 3, "pool_stride": 2}, POOLED),
    Case("Convolution", SEQUENCES, {"width": 6, "size": 4, "padding": "valid", "activation": "silu",
                                    "pool": "max"}, POOLED),
    Case("Convolution", SPECTROGRAMS, {"width": 6, "norm": "batch", "pool": "average", "stride": 2}, POOLED),
    Case("Residual", MAPS, {"width": 8, "blocks": 2, "stride": 2, "dropout": 0.1}),
    Case("Residual", SEQUENCES, {"width": 8, "blocks": 2, "stride": 2, "shortcut": "pad"}, POOLED),
    Case("Residual", SPECTROGRAMS, {"width": 8, "blocks": 2, "stride": 2, "kind": "preactivation",
                                    "norm": "layer", "activation": "elu"}, POOLED),
    Case("Pool", MAPS, {"how": "subsample", "activation": "lecun_tanh"}),
    Case("Pool", SEQUENCES, {"how": "max", "size": 3, "stride": 2, "activation": "softplus"}, POOLED),
    Case("Pool", SPECTROGRAMS, {"how": "average", "size": 3, "stride": 1}, POOLED),
    Case("GlobalPool", MAPS, {"how": "attention"}),
    Case("GlobalPool", SPECTROGRAMS, {"how": "attention"}),
    Case("GlobalPool", SEQUENCES, {"how": "average"}),
    Case("GlobalPool", SEQUENCES, {"how": "max"}),
    Case("GlobalPool", SEQUENCES, {"how": "last"}),
    Case("Recurrent", SEQUENCES, {"width": 6, "both_ways": True}, POOLED),
    Case("Recurrent", SPECTROGRAMS, {"width": 6, "cell": "gru"}, POOLED),
    Case("Recurrent", WINDOWS, {"width": 6, "both_ways": True, "dropout": 0.2}),
    Case("Embedding", TOKENS, {"width": 6, "dropout": 0.1}, POOLED),
    Case("NgramBag", TOKENS, {"width": 6}),
    Case("NgramBag", TOKENS, {"width": 6, "how": "max"}),
    Case("NgramBag", TOKENS, {"width": 6, "how": "root"}),
    Case("LogMel", SOUND, {"bands": 8}, POOLED),
    Case("LogMel", SOUND, {"bands": 8, "context": 0.08}, POOLED),
    Case("PiecewiseLinear", NUMBERS),
    Case("PiecewiseLinear", NUMBERS, {"width": 5}),
    Case("Categories", CATEGORIES),
    Case("Columns", TABLE, {"branches": BRANCHES}),
    Case("Decomposition", WINDOWS, {"targets": [0, 2], "window": 6, "individual": True}),
    Case("ReversibleNorm", WINDOWS, {"targets": [1], "network": [
        {"name": "hidden", "stage": "Dense", "width": 5}]}),
    Case("ReversibleNorm", WINDOWS, {"targets": [1], "how": "last", "network": [
        {"name": "linear", "stage": "Decomposition", "targets": [1]}]}),
    Case("Head", MAPS),
)  # fmt: skip
OUTPUTS = 4
EACH = pytest.mark.parametrize("case", CASES, ids=str)


def network(case: Case) -> Pipeline:
    """The stage, what makes a vector of it, and a head; away from its first state, so that it has effects."""
    stage = StageChoice("stage", case.stage, case.options)
    net = build((stage, *case.then), case.spec, OUTPUTS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.2)
        for module in net.modules():
            if isinstance(module, Embedding):
                module.weight[0] = 0  # as no step of training moves it
        for name, b in net.named_buffers():
            if name.endswith("running_mean"):
                b.add_(0.3)
    return net.eval()


def examples(spec: Spec, seed: int = 0) -> Value:
    """Five examples: uneven lengths where the Spec allows, 0 and 1 among them, junk past each."""
    if spec.columns:
        return {name: examples(column, seed) for name, column in spec.columns.items()}
    generator = torch.Generator().manual_seed(seed)
    steps = spec.longest if spec.padded else spec.shape[0]
    shape = (5, steps or 1, *(n or 1 for n in spec.shape[1:]))
    if spec.sizes:
        most = torch.tensor(spec.sizes)
        values = (torch.rand(shape, generator=generator) * most).int()
    elif spec.dtype in ("uint8", "int16"):
        low, high = (0, 256) if spec.dtype == "uint8" else (-9000, 9000)
        values = torch.randint(low, high, shape, generator=generator).to(getattr(torch, spec.dtype))
    else:
        values = torch.randn(shape, generator=generator)
    if spec.edges:
        values[0, 0], values[1, 2], values[2, 2] = float("nan"), float("inf"), 1e30
    if not spec.padded:
        return values
    return junk(Padded(values, torch.tensor([shape[1], 5 * shape[1] // 37, 1, 0, shape[1] // 2])))


def junk(x: Padded) -> Padded:
    """Past each length what must not matter: NaN, or a number that is no token."""
    mask = x.mask().reshape(*x.values.shape[:2], *(1,) * (x.values.ndim - 2))
    bad = float("nan") if x.values.is_floating_point() else 12345
    return Padded(torch.where(mask, x.values, torch.tensor(bad, dtype=x.values.dtype)), x.lengths)


def take(x: Value, rows: list[int], longer: int = 0) -> Value:
    """Those examples; `longer` None cuts the padding to the longest of them, else it is so much longer."""
    if isinstance(x, Mapping):
        return {name: take(v, rows, longer) for name, v in x.items()}
    if not isinstance(x, Padded):
        return x[rows]
    lengths = x.lengths[rows]
    steps = max(1, int(lengths.max())) + longer
    values = x.values.new_zeros(len(rows), steps, *x.values.shape[2:])
    for i, row in enumerate(rows):
        values[i, : lengths[i]] = x.values[row, : lengths[i]]
    return junk(Padded(values, lengths))


def test_every_stage_stands_here() -> None:
    assert {case.stage for case in CASES} == {stage.__name__ for stage in STAGES}


@EACH
def test_levels_are_the_network(case: Case) -> None:
    net, x = network(case), examples(case.spec)
    levels = list(net.levels(x))
    assert torch.equal(levels[-1][1], net(x))
    assert [address for address, _ in levels] == [level.name for level in describe(net, case.spec)]
    direct = dict(levels)
    for name, stage in net.stages():
        again = stage(net.upto(x, name))
        for one, other in zip(tensors(direct[name]), tensors(again), strict=True):
            assert torch.equal(one, other)


@EACH
def test_the_spec_is_what_comes_out(case: Case) -> None:
    net, x = network(case), examples(case.spec)
    told = {level.name: level for level in describe(net, case.spec)}
    for address, value in net.levels(take(x, [0, 1])):
        shape = told[address].shape
        if isinstance(value, Padded):
            assert shape[0] is None
            assert tuple(value.values.shape[2:]) == shape[1:]
            assert (value.values[~value.mask()] == 0).all()
        else:
            assert tuple(value.shape[1:]) == shape
        assert tensors(value)[0].dtype == torch.float32
    assert sum(level.parameters for level in told.values()) == sum(p.numel() for p in net.parameters())


@EACH
def test_lengths_are_told_by_the_spec(case: Case) -> None:
    if not case.spec.padded:
        return
    net, x = network(case), examples(case.spec)
    stage = dict(net.stages())["stage"]
    for row in range(5):
        one = take(x, [row])
        y = stage(one.zeroed())
        if isinstance(y, Padded):
            told = stage.spec(case.spec.but(longest=int(one.lengths[0]))).longest
            assert int(y.lengths[0]) == (told if one.lengths[0] else 0)


@EACH
def test_neighbours_do_not_matter(case: Case) -> None:
    net, x = network(case), examples(case.spec)
    together = net(x)
    assert together.isfinite().all()
    alone = torch.cat([net(take(x, [row])) for row in range(count(x))])
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-5)
    order = [3, 1, 4, 0, 2]
    torch.testing.assert_close(net(take(x, order, longer=9)), together[order], rtol=1e-5, atol=1e-5)


@EACH
def test_gradients_are_finite_whatever_the_padding(case: Case) -> None:
    net, x = network(case).train(), examples(case.spec)
    net(x).square().sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name


@EACH
def test_a_network_is_a_function_of_its_key(case: Case) -> None:
    stage = StageChoice("stage", case.stage, case.options)
    before = torch.get_rng_state()
    one, same = (build((stage, *case.then), case.spec, OUTPUTS) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    for p, q in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(p, q)
    other = build((stage, *case.then), case.spec, OUTPUTS, rng=Randomness(1))
    weights = [p for p in one.parameters() if p.ndim > 1 and p.std() > 0]
    assert not weights or any(
        not torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True)
    )


@EACH
def test_no_unit_sees_more_than_is_told(case: Case) -> None:
    if case.spec.columns or case.spec.sizes or case.spec.edges or case.stage == "Head":
        return
    net = network(case)
    level = next(row for row in describe(net, case.spec) if row.name == "stage")
    steps = case.spec.longest if case.spec.padded else case.spec.shape[0]
    shape = (64, steps or 1, *(n or 1 for n in case.spec.shape[1:]))
    values = torch.randn(shape, generator=torch.Generator().manual_seed(3), requires_grad=True)
    x = Padded(values, torch.full((64,), shape[1])) if case.spec.padded else values
    y = tensors(dict(net.stages())["stage"](x))[0]
    middle = [
        slice(None) if axis in ("channel", "feature") else n // 2
        for axis, n in zip(level.axes, y.shape[1:], strict=True)
    ]
    y[(slice(None), *middle)].square().sum().backward()
    for place, axis in enumerate(case.spec.axes, start=1):
        if axis == "channel":
            continue
        others = [d for d in range(values.ndim) if d != place]
        seen = values.grad.abs().sum(others).nonzero().flatten()
        extent = int(seen.max() - seen.min()) + 1
        told = level.receptive_field[axis]
        told = shape[place] if told is None else min(told, shape[place])
        # the ends of LogMel's window weigh nothing
        slack = {"LogMel": 2}.get(case.stage, 0)
        if case.stage == "Recurrent" and not case.options.get("both_ways") and axis == "time":
            slack = told // 2  # all that came before
        if case.options.get("how") == "last":
            slack = told
        assert told - slack <= extent <= told


def tensors(value: Value) -> list[Tensor]:
    if isinstance(value, Mapping):
        return [t for v in value.values() for t in tensors(v)]
    return list(value) if isinstance(value, Padded) else [value]

"""Masked reconstruction: what is hidden is not seen, counts alone, and is told better than by a guess."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from torch import Tensor, nn

from layerwise.data.source import Column
from layerwise.errors import UsageError
from layerwise.kinds import IMAGE, SERIES, SOUND, TABLE, TEXT, Kind
from layerwise.nn import Pipeline, Stage, build
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.train import Masked, Phase, Step, optimiser, train
from layerwise.train import loop as loop_module
from layerwise.values import Batch, Padded, Value, collate

RNG = Randomness(5)


class Examples(NamedTuple):
    """Read examples; the batches of training are all but the last 40."""

    kind: Kind
    spec: Spec
    x: Value
    n: int

    def some(self, rows: slice) -> Batch:
        def cut(v: Any) -> Any:
            if isinstance(v, Padded):
                return Padded(v.values[rows], v.lengths[rows])
            return v[rows] if isinstance(v, Tensor) else {name: cut(field) for name, field in v.items()}

        return Batch(cut(self.x), None, None, torch.arange(self.n)[rows])

    @property
    def held(self) -> Batch:
        return self.some(slice(self.n - 40, self.n))

    @property
    def steps_per_epoch(self) -> int:
        return (self.n - 40) // 32

    def at(self, step: int) -> Batch:
        start = 32 * (step % self.steps_per_epoch)
        return self.some(slice(start, start + 32))

    def encoder(self) -> Pipeline:
        network = self.kind.methods["masked"](self.spec, self.n).network
        return build(network, self.spec, None, rng=RNG)


def read(kind: Kind, columns: dict[str, Column]) -> Examples:
    n = len(next(iter(columns.values())))
    reader = kind.reader().fit(columns, np.arange(n))
    values = reader.read({name: c.take(np.arange(n)) for name, c in columns.items()}).values
    return Examples(kind, reader.spec, collate(values, reader.spec), n)


def table(load: Callable[..., Any]) -> Examples:
    """A table with gaps, its classes as a column of categories."""
    x, y = load(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))[:340]
    x, y = x[order], y[order]
    x = np.where(rng.random(x.shape) < 0.05, np.nan, x)
    columns = {f"c{i}": Column(f"c{i}", "cells", pl.Series(v).fill_nan(None)) for i, v in enumerate(x.T)}
    columns["class"] = Column("class", "cells", pl.Series([f"k{k}" for k in y]))
    return read(TABLE, columns)


def pictures() -> Examples:
    x, _ = load_digits(return_X_y=True)
    return read(IMAGE, {"p": Column("p", "arrays", (x[:500].reshape(-1, 8, 8) * 15).astype(np.uint8))})


def series() -> Examples:
    """Two channels that swing together, of unequal length."""
    rng = np.random.default_rng(1)
    time = [np.arange(n)[:, None] for n in rng.integers(18, 30, 300)]
    x = [np.sin(rng.uniform(0.2, 0.6) * t + rng.uniform(0, 6) + np.array([0, 1])) for t in time]
    return read(SERIES, {"s": Column("s", "arrays", [one.astype(np.float32) for one in x])})


def sounds() -> Examples:
    """Tones of one pitch each, of unequal length."""
    rng = np.random.default_rng(2)
    time = [np.arange(n) / 8_000 for n in rng.integers(700, 1_200, 300)]
    x = [np.sin(2 * np.pi * rng.uniform(200, 3_000) * t) + 0.01 * rng.normal(size=len(t)) for t in time]
    return read(SOUND, {"c": Column("c", "arrays", [(one * 9_000).astype(np.int16) for one in x], 8_000.0)})


def texts() -> Examples:
    """Each of the words of one subject out of six."""
    rng = np.random.default_rng(3)
    said = [" ".join(f"s{s}w{w}" for w in rng.integers(0, 8, 30)) for s in rng.integers(0, 6, 400)]
    return read(TEXT, {"t": Column("t", "cells", pl.Series(said))})


MADE: dict[str, Callable[[], Examples]] = {
    "wine": lambda: table(load_wine),
    "breast cancer": lambda: table(load_breast_cancer),
    "pictures": pictures,
    "series": series,
    "sounds": sounds,
    "texts": texts,
}


@pytest.fixture(scope="module", params=MADE)
def examples(request: pytest.FixtureRequest) -> Examples:
    return MADE[request.param]()


class Blind(Stage):
    """Makes the same code of every example, and keeps what it was given."""

    takes_padded = takes_columns = True

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.ones(4))
        self.seen: Any = None

    def forward(self, x: Any) -> Tensor:
        self.seen = x
        n = len(x["numbers"] if isinstance(x, dict) else x[0] if isinstance(x, Padded) else x)
        return self.code.expand(n, 4)

    def spec(self, _spec: Spec) -> Spec:
        return vector(4)

    def words(self) -> str:
        return "blind"


def blinded(net: Pipeline) -> Pipeline:
    """The stages of `net` that learn nothing, then Blind."""
    front = {name: stage for name, stage in net.stages() if not list(stage.parameters())}
    return Pipeline(**{n: s for n, s in front.items() if n != "pool"}, blind=Blind())


def learned(examples: Examples, net: Pipeline, steps: int = 60) -> Masked:
    objective = Masked(examples.spec)
    phase = Phase("masked", objective, optimiser("adamw", rate=5e-3), size=32, steps=steps)
    for _ in train(net, (phase,), lambda size, rng: examples, seed=0):
        pass
    net.eval()
    return objective.eval()


@torch.no_grad()
def loss(objective: Masked, net: Pipeline, batch: Batch, rng: Randomness = RNG) -> float:
    return float(objective.loss(net, batch, rng)["loss"])


def begun(spec: Spec, net: Pipeline, batch: Batch, **options: Any) -> Masked:
    objective = Masked(spec, **options)
    objective.begin(net, batch, RNG)
    net.eval()
    return objective.eval()


def test_what_is_hidden_is_told_better_than_by_who_sees_nothing(examples):
    net = examples.encoder()
    blind = blinded(net)
    steps = 150 if examples.kind in (SERIES, SOUND) else 60
    seeing, guessing = learned(examples, net, steps), learned(examples, blind, steps)
    told, guessed = (
        sum(loss(objective, which, examples.held, RNG.at(i)) for i in range(5))
        for objective, which in ((seeing, net), (guessing, blind))
    )
    assert told < 0.9 * guessed


def test_hidden_cells_are_told_better_than_by_the_mean_and_the_mode():
    examples = table(load_wine)
    net = examples.encoder()
    part = learned(examples, net).part
    numbers, classes = examples.held.inputs["numbers"], examples.held.inputs["categories"]
    trained = examples.some(slice(0, examples.n - 40)).inputs
    rank = part.ranks[0]
    mean = rank(trained["numbers"]).where(~trained["numbers"].isnan(), torch.nan).nanmean(0)
    mode = trained["categories"].long().mode(0).values
    told, guessed = np.zeros(2), np.zeros(2)
    for column in range(numbers.shape[1] + 1):
        seen = {"numbers": numbers.clone(), "categories": classes.clone()}
        with torch.no_grad():
            if column < numbers.shape[1]:
                seen["numbers"][:, column] = torch.nan
                goal, known = rank(numbers)[:, column], ~numbers[:, column].isnan()
                said = part.decoder(net(seen))[:, column]
                told[0] += (said - goal)[known].square().sum()
                guessed[0] += (mean[column] - goal)[known].square().sum()
            else:
                seen["categories"][:] = 0
                said = part.decoder(net(seen))[:, column:].argmax(1)
                told[1] += (said == classes[:, 0]).sum()
                guessed[1] += (mode[0] == classes[:, 0]).sum()
    assert told[0] < 0.7 * guessed[0]
    assert told[1] > 1.5 * guessed[1]


def flat(value: Any) -> list[Tensor]:
    """What a stage was given, tensor by tensor."""
    if isinstance(value, dict):
        return list(value.values())
    return [value.values if isinstance(value, Padded) else value]


def like(value: Any, tensors: list[Tensor]) -> Any:
    if isinstance(value, dict):
        return dict(zip(value, tensors, strict=True))
    return Padded(tensors[0], value.lengths) if isinstance(value, Padded) else tensors[0]


def spectrograms() -> Examples:
    look = Spec(("time", "channel", "band"), (None, 1, 9), longest=20)
    values = torch.randn(200, 20, 1, 9, generator=torch.Generator().manual_seed(0))
    lengths = torch.arange(200) % 20 + 1
    return Examples(SOUND, look, Padded(values, lengths).zeroed(), 200)


def hiding(examples: Examples) -> tuple[Masked, Pipeline, Batch, list[Tensor], list[Tensor]]:
    """A blind net, all examples, what was seen of them, and where it is not what there was."""
    front = (
        {n: s for n, s in examples.encoder().stages() if n == "scale"} if examples.kind is not SOUND else {}
    )
    net, batch = Pipeline(**front, blind=Blind()), examples.some(slice(0, examples.n))
    objective = begun(examples.spec, net, batch)
    loss(objective, net, batch)
    whole = net.upto(batch.inputs, "blind")
    seen = flat(net.blind.seen)
    return objective, net, batch, seen, [_differ(a, b) for a, b in zip(seen, flat(whole), strict=True)]


def _differ(a: Tensor, b: Tensor) -> Tensor:
    return (a != b) & ~(a.isnan() & b.isnan()) if a.is_floating_point() else a != b


WITHIN = {name: make for name, make in MADE.items() if name not in ("sounds", "texts")}


def others(t: Tensor) -> Tensor:
    """What another example has in each place; the same where either has nothing."""
    other = t.roll(1, 0)
    gap = other.isnan() | t.isnan() if t.is_floating_point() else (other == 0) | (t == 0)
    return torch.where(gap & (t.dtype != torch.uint8), t, other)


@pytest.mark.parametrize("make", [*WITHIN.values(), spectrograms], ids=[*WITHIN, "spectrograms"])
def test_only_what_is_hidden_counts_and_none_of_it_is_seen(make):
    objective, net, batch, seen, hidden = hiding(make())
    first, raw = loss(objective, net, batch), flat(batch.inputs)

    def changed(where: list[Tensor]) -> Batch:
        tensors = [torch.where(w, others(t), t) for t, w in zip(raw, where, strict=True)]
        return Batch(like(batch.inputs, tensors), None, None, batch.rows)

    def as_seen() -> list[bool]:
        return [
            torch.equal(a.nan_to_num(), b.nan_to_num())
            for a, b in zip(flat(net.blind.seen), seen, strict=True)
        ]

    assert loss(objective, net, changed(hidden)) != first
    assert all(as_seen())
    assert loss(objective, net, changed([~h for h in hidden])) == first
    assert not any(as_seen())


def test_the_share_is_hidden_on_average():
    for make in (*WITHIN.values(), spectrograms):
        *_, batch, _, hidden = hiding(make())
        known = [~t.isnan() if t.is_floating_point() else t != 0 for t in flat(batch.inputs)]
        known = [torch.ones_like(k) if make is pictures else k for k in known]
        if isinstance(batch.inputs, Padded):
            known = [
                batch.inputs.mask().reshape(*k.shape[:2], *(1,) * (k.ndim - 2)).expand_as(k) for k in known
            ]
        share = sum(h.sum() for h in hidden) / sum(k.sum() for k in known)
        assert share.item() == pytest.approx(0.5, abs=0.05)


def test_words_are_left_out_everywhere_with_the_ngrams_that_hold_them():
    examples = texts()
    net = Pipeline(blind=Blind())
    objective, batch = begun(examples.spec, net, examples.held), examples.held
    said = loss(objective, net, batch)
    tokens, seen = batch.inputs.values, net.blind.seen.values
    names = examples.spec.tokens[0]
    assert any(" " in names[t] for t in tokens.unique())
    chances = torch.zeros(len(tokens), dtype=torch.float64)
    log = objective.part.decoder(torch.ones(1, 4)).log_softmax(1)[0].double()
    shares = []
    for row, (whole, left) in enumerate(zip(tokens.tolist(), seen.tolist(), strict=True)):
        out = {t for t, kept in zip(whole, left, strict=True) if t and not kept}
        words = {w for t in out for w in names[t].split() if " " not in names[t]}
        assert out == {t for t in whole if t and words & set(names[t].split())}
        assert not out & set(left)
        chances[row] = -log[sorted(out)].mean() if out else 0.0
        shares.append(len(words) / len({w for t in whole if t for w in names[t].split()}))
    assert said == pytest.approx(chances.mean().item(), rel=1e-5)
    assert np.mean(shares) == pytest.approx(0.3, abs=0.06)


def test_of_other_units_each_token_stands_for_itself():
    look = Spec(("time",), (None,), "int32", sizes=(12,), names=("pairs",), longest=9)
    net = Pipeline(blind=Blind())
    tokens = Padded(torch.arange(36, dtype=torch.int32).reshape(4, 9) % 12, torch.tensor([9, 9, 9, 9]))
    batch = Batch(tokens, None, None, torch.arange(4))
    objective = begun(look, net, batch, share=0.5)
    assert loss(objective, net, batch) > 0
    kept = net.blind.seen.values
    assert ((kept == tokens.values) | (kept == 0)).all()
    assert 0 < (kept != tokens.values).sum() < 33


def test_columns_of_other_kinds_stay_as_they_are():
    look = Spec(columns={"numbers": table(load_wine).spec.columns["numbers"], "text_t": texts().spec})
    x = {"numbers": table(load_wine).held.inputs["numbers"], "text_t": texts().held.inputs}
    net, batch = Pipeline(blind=Blind()), Batch(x, None, None, torch.arange(40))
    objective = begun(look, net, batch)
    assert loss(objective, net, batch) > 0
    assert net.blind.seen["text_t"] is x["text_t"]
    assert net.blind.seen["numbers"].isnan().sum() > x["numbers"].isnan().sum()
    with pytest.raises(UsageError, match="neither numbers nor categories"):
        begun(Spec(columns={"text_t": texts().spec}), net, batch)


def test_gradients_are_those_of_the_loss():
    look = Spec(("channel", "height", "width"), (1, 6, 6))
    torch.manual_seed(0)
    net = Pipeline(code=nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.Tanh())).double()
    x = torch.randn(5, 1, 6, 6, dtype=torch.float64)
    batch = Batch(x, None, torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0]), torch.arange(5))
    single = Pipeline(code=nn.Sequential(nn.Flatten(), nn.Linear(36, 3)))  # sizes are tried in float32
    objective = begun(look, single, batch).double()
    objective.gradients(net, batch, RNG)
    for parameter in (*net.parameters(), *objective.parameters()):
        way = torch.randn(parameter.shape, dtype=torch.float64)
        found = (parameter.grad * way).sum().item()
        with torch.no_grad():
            parameter += 1e-6 * way
            above = loss(objective, net, batch)
            parameter -= 2e-6 * way
            below = loss(objective, net, batch)
            parameter += 1e-6 * way
        assert found == pytest.approx((above - below) / 2e-6, rel=1e-4, abs=1e-8)


def test_an_example_of_no_weight_does_not_count_and_chance_is_the_keys():
    examples = pictures()
    net, batch = examples.encoder(), examples.held
    state = torch.random.get_rng_state()
    objective = begun(examples.spec, net, batch)
    weights = (torch.arange(40) > 0).float()
    first = loss(objective, net, Batch(batch.inputs, None, weights, batch.rows))
    other = torch.cat([batch.inputs[1:2], batch.inputs[1:]])
    assert loss(objective, net, Batch(other, None, weights, batch.rows)) == pytest.approx(first)
    assert (
        loss(objective, net, batch) == loss(objective, net, batch) != loss(objective, net, batch, RNG.at(1))
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        again = begun(examples.spec, net, batch)
    assert all(torch.equal(a, b) for a, b in zip(objective.parameters(), again.parameters(), strict=True))


def test_interrupted_and_resumed_is_undisturbed(tmp_path, monkeypatch):
    monkeypatch.setattr(loop_module, "WRITING", float("inf"))
    examples = texts()

    def events(net: Pipeline, objective: Masked, **more: Any) -> Any:
        phase = Phase("masked", objective, optimiser("adamw", rate=5e-3), size=32, steps=9, average=0.9)
        return train(net, (phase,), lambda size, rng: examples, seed=0, every=2, **more)

    whole, kept = examples.encoder(), Masked(examples.spec)
    list(events(whole, kept))
    running = events(examples.encoder(), Masked(examples.spec), checkpoint=tmp_path / "c")
    taken = 0
    for event in running:
        taken += isinstance(event, Step)
        if taken == 5:
            break
    running.close()
    net, objective = examples.encoder(), Masked(examples.spec)
    list(events(net, objective, checkpoint=tmp_path / "c"))
    for one, other in ((whole, net), (kept, objective)):
        mine, theirs = one.state_dict(), other.state_dict()
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_what_cannot_be_hidden_is_said():
    examples = pictures()
    batch = examples.held
    with pytest.raises(UsageError, match="lies between 0 and 1, got 1"):
        Masked(examples.spec, share=1)
    with pytest.raises(UsageError, match="a Pipeline without a head, got Linear"):
        Masked(examples.spec).begin(nn.Linear(2, 2), batch, RNG)
    with pytest.raises(UsageError, match="nothing to learn"):
        Masked(examples.spec).begin(Pipeline(act=nn.ReLU()), batch, RNG)
    with pytest.raises(UsageError, match="got feature"):
        Masked(vector(3)).begin(Pipeline(code=nn.Linear(3, 2)), batch, RNG)
    sequences = build([StageChoice("conv", "Convolution", {"width": 4})], series().spec, None)
    with pytest.raises(UsageError, match="end it with GlobalPool"):
        Masked(series().spec).begin(sequences, batch, RNG)

"""Predictive sparse decomposition: codes as scikit-learn finds them, and a net that comes to tell them at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import sparse_encode
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn import Dense, Pipeline
from layerwise.nn.stage import SEQUENCE, vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.train import Phase, PredictiveSparseDecomposition, Step, greedy, optimiser, train
from layerwise.train import loop as loop_module
from layerwise.train.sparse import inferred
from layerwise.values import Batch, Padded

RNG = Randomness(4)
SPARSITY, PREDICTION = 0.4, 0.7


def problem(seed: int, *, n: int = 5, inputs: int = 6, units: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, a dictionary of unit columns and what a net might say, in float64."""
    draw = torch.Generator().manual_seed(seed)
    x, columns, said = (
        torch.randn(*shape, generator=draw, dtype=torch.float64)
        for shape in ((n, inputs), (inputs, units), (n, units))
    )
    return x, F.normalize(columns, dim=0), said


def value(x: Tensor, dictionary: Tensor, said: Tensor, code: Tensor) -> Tensor:
    """(N,) what the search makes small."""
    squares = (x - code @ dictionary.T).square().sum(1) + PREDICTION * (code - said).square().sum(1)
    return squares + SPARSITY * code.abs().sum(1)


def searched(x: Tensor, dictionary: Tensor, said: Tensor, steps: int) -> Tensor:
    return inferred(x, dictionary, said, sparsity=SPARSITY, prediction=PREDICTION, steps=steps)


def by_coordinates(x: Tensor, dictionary: Tensor, said: Tensor) -> Tensor:
    """The same by scikit-learn's coordinate descent: the prediction as more inputs, seen by one unit each."""
    root = PREDICTION**0.5
    inputs = torch.cat([x, root * said], 1).numpy()
    rows = torch.cat([dictionary.T, root * torch.eye(dictionary.shape[1], dtype=x.dtype)], 1).numpy()
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.allclose(norms, norms[0])  # so that one price serves all units
    code = sparse_encode(
        inputs, rows, algorithm="lasso_cd", alpha=SPARSITY / 2, max_iter=100_000, check_input=True
    )
    return torch.from_numpy(code)


@pytest.fixture(scope="module")
def level(digits):
    """An encoder of digits, its objective, and the scalars of its steps."""
    net, objective = single(), PredictiveSparseDecomposition(sparsity=0.2)
    events = train(net, (phase("level1", objective, epochs=25),), digits.train, seed=0)
    return net, objective, [event.scalars for event in events if isinstance(event, Step)]


def single() -> Pipeline:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Pipeline(level1=Dense.from_spec(vector(64), width=100, activation="tanh"))


def encoder() -> Pipeline:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Pipeline(
            level1=Dense.from_spec(vector(64), width=80, activation="tanh"),
            level2=Dense.from_spec(vector(80), width=20, activation=None, norm="batch"),
        )


def phase(name: str, objective: PredictiveSparseDecomposition, **length: float) -> Phase:
    return Phase(name, objective, optimiser("adamw", rate=0.005), size=100, **length)


# ---- the search


def test_codes_are_those_of_the_lasso():
    given = problem(0)
    best = by_coordinates(*given)
    found = searched(*given, 2000)
    np.testing.assert_allclose(found, best, atol=1e-4)
    assert 0.1 < (best == 0).double().mean() < 0.9
    assert torch.equal(found == 0, best == 0)
    assert (value(*given, found) <= value(*given, best) + 1e-12).all()


def test_the_sum_falls_with_steps():
    given = problem(1)
    sums = [value(*given, searched(*given, steps)).mean().item() for steps in (0, 1, 2, 4, 8, 16, 64)]
    assert all(later < earlier for earlier, later in itertools.pairwise(sums))
    assert torch.equal(searched(*given, 0), given[2])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 60), units=st.integers(2, 12))
def test_it_converges_as_fast_as_was_proved(seed, steps, units):
    """Beck and Teboulle 2009, theorem 4.4."""
    x, dictionary, said = problem(seed, n=3, units=units)
    best = searched(x, dictionary, said, 1500)
    steepest = 2 * (torch.linalg.matrix_norm(dictionary, 2) ** 2 + PREDICTION)
    above = value(x, dictionary, said, searched(x, dictionary, said, steps)) - value(
        x, dictionary, said, best
    )
    bound = 2 * steepest * (said - best).square().sum(1) / (steps + 1) ** 2
    assert (above <= bound + 1e-9).all()


# ---- the objective


def batch(x: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(x, None, weights, torch.arange(len(x)))


def begun(
    net: nn.Module, x: Tensor, rng: Randomness = RNG, **options: float
) -> PredictiveSparseDecomposition:
    objective = PredictiveSparseDecomposition(**options)
    objective.begin(net, batch(x), rng)
    return objective


def test_the_loss_is_the_sum_and_moves_dictionary_and_net_with_the_codes_held():
    x, _, _ = problem(2)
    torch.manual_seed(0)
    net = nn.Linear(6, 9).double()
    objective = begun(net, x, sparsity=SPARSITY, prediction=PREDICTION, steps=7)
    scalars = objective.gradients(net, batch(x), RNG)
    dictionary = objective.dictionary.detach()
    code = searched(x, dictionary, net(x).detach(), 7)
    assert scalars["loss"].item() == pytest.approx(value(x, dictionary, net(x), code).mean().item())
    left = x - code @ dictionary.T
    torch.testing.assert_close(objective.dictionary.grad, -2 * left.T @ code / len(x))
    torch.testing.assert_close(net.bias.grad, -2 * PREDICTION * (code - net(x)).mean(0))
    assert scalars["error"].item() == pytest.approx(left.square().sum(1).mean().item())
    assert scalars["activity"].item() == pytest.approx((code != 0).double().mean().item())


def test_gradients_are_the_same_at_every_call():
    x, _, _ = problem(3)
    net = nn.Sequential(nn.Linear(6, 4), nn.Tanh()).double()
    first, second = [], []
    for found in (first, second):
        objective = begun(net, x)
        net.zero_grad()
        objective.gradients(net, batch(x), RNG)
        found.extend(p.grad for p in [*net.parameters(), objective.dictionary])
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(objective.dictionary, begun(net, x, RNG.at("elsewhere")).dictionary)


def test_weights_repeat_rows():
    x, _, _ = problem(5, n=3)
    net = nn.Linear(6, 9).double()
    objective = begun(net, x)
    weighted = objective.loss(net, batch(x, torch.tensor([2.0, 1.0, 0.0])), RNG)
    repeated = objective.loss(net, batch(x[[0, 0, 1]]), RNG)
    for name, scalar in repeated.items():
        assert weighted[name].item() == pytest.approx(scalar.item()), name


def test_to_begin_leaves_the_net_as_it_was():
    net = encoder().train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    begun(net, torch.rand(10, 64))
    assert net.level2.training
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())


# ---- training


def test_columns_keep_their_length_and_everything_falls(level):
    _, objective, steps = level
    torch.testing.assert_close(objective.dictionary.norm(dim=0), torch.ones(100))
    for name in ("loss", "error", "distance"):
        first, last = (sum(float(s[name]) for s in some) for some in (steps[:5], steps[-5:]))
        assert last < 0.5 * first, name


@torch.no_grad()
def test_the_trained_net_predicts_the_codes_of_held_out_digits(level, digits):
    """Codes that a search from 0 finds, which knows of no net; to say 0 of all of them is to miss by 1."""
    net, objective, _ = level
    x = digits.x[1500:]
    code = inferred(x, objective.dictionary, torch.zeros(297, 100), sparsity=0.2, prediction=1e-6, steps=500)
    trained, untrained = ((code - n(x)).square().sum() / code.square().sum() for n in (net, single()))
    assert trained < 0.6 < 1 < untrained


def test_a_higher_price_makes_fewer_units_active(digits):
    active = []
    for sparsity in (0.1, 1.0):
        objective = PredictiveSparseDecomposition(sparsity=sparsity)
        *steps, _ = train(encoder(), (phase("p", objective, epochs=3),), digits.train, seed=0)
        active.append(float([s for s in steps if isinstance(s, Step)][-1].scalars["activity"]))
    assert active[1] < 0.8 * active[0]


def test_level_by_level(digits):
    net, objectives = encoder(), {}

    def alone(name: str) -> Phase:
        objectives[name] = PredictiveSparseDecomposition(sparsity=0.2)
        return phase(name, objectives[name], epochs=2)

    steps = [
        e
        for e in train(net, greedy(["level1", "level2"], alone), digits.train, seed=0)
        if isinstance(e, Step)
    ]
    assert objectives["level1"].dictionary.shape == (64, 80)
    assert objectives["level2"].dictionary.shape == (80, 20)
    for name, objective in objectives.items():
        torch.testing.assert_close(
            objective.dictionary.norm(dim=0), torch.ones(objective.dictionary.shape[1])
        )
        losses = [float(step.loss) for step in steps if step.phase == name]
        assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


@pytest.mark.parametrize("stop_at", [0, 1, 4, 7])
def test_stopped_and_resumed_is_undisturbed(digits, tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr(loop_module, "WRITING", float("inf"))

    def run(checkpoint=None, **options) -> list[Tensor]:
        net, objective = encoder(), PredictiveSparseDecomposition()
        for _ in train(
            net, (phase("p", objective, steps=8),), digits.train, seed=3, checkpoint=checkpoint, **options
        ):
            pass
        return [*net.state_dict().values(), objective.dictionary.detach()]

    taken = itertools.count()
    run(tmp_path / "c", stop=lambda: next(taken) >= stop_at)
    for one, other in zip(run(), run(tmp_path / "c"), strict=True):
        assert torch.equal(one, other)


# ---- what cannot be


@pytest.mark.parametrize("name", ["sparsity", "prediction", "steps"])
def test_numbers_out_of_range_are_named(name):
    with pytest.raises(UsageError, match=f"{name} of a sparse decomposition must be positive, got 0"):
        PredictiveSparseDecomposition(**{name: 0})


def test_a_net_or_input_without_one_vector_an_example_is_refused():
    padded = Padded(torch.ones(2, 3, 6), torch.tensor([3, 2]))
    steps = Dense.from_spec(Spec(SEQUENCE, (None, 6)), width=4)
    with pytest.raises(UsageError, match="examples of one shape"):
        begun(steps, padded)
    says = nn.Identity()
    says.register_forward_hook(lambda *_: steps(padded))
    with pytest.raises(UsageError, match="end it with GlobalPool"):
        begun(says, torch.ones(2, 6))

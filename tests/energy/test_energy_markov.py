from __future__ import annotations

import itertools
from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.energy.markov import (
    Marginals,
    MarkovNetwork,
    belief_propagation,
    exact_marginals,
    mean_field,
)
from layerwise.errors import UsageError

SEEDS = st.integers(0, 2**31)
SOME = settings(max_examples=40, deadline=None, derandomize=True)


def network(edges: list[tuple[int, int]], v: int, k: int, seed: int, scale: float = 1.0) -> MarkovNetwork:
    generator = torch.Generator().manual_seed(seed)
    nodes = torch.randn(v, k, generator=generator, dtype=torch.float64)
    pairs = scale * torch.randn(len(edges), k, k, generator=generator, dtype=torch.float64)
    return MarkovNetwork(nodes, torch.tensor(edges, dtype=torch.int64).view(-1, 2), pairs)


@st.composite
def forests(draw: st.DrawFn) -> MarkovNetwork:
    """Trees, or several, with edges written in either direction and numbers in any order."""
    v = draw(st.integers(1, 9))
    order = draw(st.permutations(range(v)))
    edges = []
    for i in range(1, v):
        parent = draw(st.integers(-1, i - 1))
        if parent >= 0:
            edge = (order[i], order[parent])
            edges.append(edge if draw(st.booleans()) else edge[::-1])
    return network(
        edges, v, draw(st.integers(1, 3)), draw(SEEDS), scale=draw(st.sampled_from([0.3, 2.0, 8.0]))
    )


@st.composite
def graphs(draw: st.DrawFn) -> MarkovNetwork:
    v = draw(st.integers(1, 5))
    every = list(itertools.combinations(range(v), 2))
    edges = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    return network(
        edges, v, draw(st.integers(1, 3)), draw(SEEDS), scale=draw(st.sampled_from([0.2, 1.0, 4.0]))
    )


def agree(found: Marginals, exact: Marginals, tolerance: float = 1e-9) -> None:
    for mine, true in zip(found[:3], exact[:3], strict=True):
        torch.testing.assert_close(mine, true, rtol=0, atol=tolerance)


@settings(SOME, max_examples=15)
@given(graphs())
def test_enumeration_is_what_it_says(net: MarkovNetwork) -> None:
    v, k = net.nodes.shape
    single, ends, double = net.nodes.tolist(), net.edges.tolist(), net.pairs.tolist()
    nodes, edges, total = torch.zeros_like(net.nodes), torch.zeros_like(net.pairs), 0.0
    for values in itertools.product(range(k), repeat=v):
        score = sum(single[i][a] for i, a in enumerate(values))
        score += sum(double[e][values[i]][values[j]] for e, (i, j) in enumerate(ends))
        weight = exp(score)
        total += weight
        nodes[range(v), values] += weight
        for e, (i, j) in enumerate(ends):
            edges[e, values[i], values[j]] += weight
    assert net.energy(torch.tensor([values])).item() == pytest.approx(-score)
    log_partition = torch.tensor(log(total), dtype=torch.float64)
    agree(exact_marginals(net), Marginals(nodes / total, edges / total, log_partition, True))


@SOME
@given(forests())
def test_belief_propagation_is_exact_on_forests(net: MarkovNetwork) -> None:
    assert net.is_forest()
    found = belief_propagation(net, limit=len(net.nodes) + 1)  # the longest way, and once to see it settled
    assert found.converged
    agree(found, exact_marginals(net))


@SOME
@given(graphs())
def test_what_belief_propagation_settles_on_is_consistent(net: MarkovNetwork) -> None:
    found = belief_propagation(net, limit=2000)
    torch.testing.assert_close(found.nodes.sum(1), torch.ones(len(net.nodes), dtype=torch.float64))
    if found.converged:
        for e, (i, j) in enumerate(net.edges.tolist()):
            torch.testing.assert_close(found.edges[e].sum(1), found.nodes[i], rtol=0, atol=1e-7)
            torch.testing.assert_close(found.edges[e].sum(0), found.nodes[j], rtol=0, atol=1e-7)


@SOME
@given(graphs(), st.sampled_from([0.0, 0.5]), st.sampled_from([1, 3, 500]))
def test_mean_field_bounds_log_z_from_below(net: MarkovNetwork, damping: float, limit: int) -> None:
    found = mean_field(net, damping=damping, limit=limit)
    exact = exact_marginals(net)
    assert found.log_partition <= exact.log_partition + 1e-9
    one, other = net.edges.T
    torch.testing.assert_close(found.edges, found.nodes[one, :, None] * found.nodes[other, None, :])
    # the gap is the relative entropy from the independent variables to the network
    states = torch.cartesian_prod(*[torch.arange(net.nodes.shape[1])] * len(net.nodes)).view(
        -1, len(net.nodes)
    )
    log_q = found.nodes.log().gather(1, states.T).sum(0)
    log_p = -net.energy(states) - exact.log_partition
    gap = (log_q.exp() * torch.where(log_q > -700, log_q - log_p, 0)).sum()
    torch.testing.assert_close(exact.log_partition - found.log_partition, gap, rtol=1e-6, atol=1e-8)


RING = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]


def test_mean_field_settles_at_a_local_optimum_of_its_bound() -> None:
    net = network(RING, 4, 3, seed=0)
    found = mean_field(net)
    assert found.converged
    logits = found.nodes.log().requires_grad_()
    q = torch.softmax(logits, 1)
    edges = q[net.edges[:, 0], :, None] * q[net.edges[:, 1], None, :]
    bound = (q * net.nodes).sum() + (edges * net.pairs).sum() - (q * q.log()).sum()
    torch.testing.assert_close(bound, found.log_partition)
    (slope,) = torch.autograd.grad(bound, logits)
    assert slope.abs().max() < 1e-8
    torch.testing.assert_close(mean_field(net, damping=0.8).nodes, found.nodes, rtol=0, atol=1e-7)


def test_without_edges_everything_is_exact() -> None:
    net = network([], 4, 3, seed=1)
    for method in (mean_field, belief_propagation):
        found = method(net)
        assert found.converged
        agree(found, exact_marginals(net))


def test_with_loops_belief_propagation_is_near_and_nearer_than_mean_field() -> None:
    for seed in range(5):
        net = network(RING, 4, 2, seed=seed, scale=0.3)
        exact, loopy, naive = exact_marginals(net), belief_propagation(net), mean_field(net)
        assert not net.is_forest()
        assert loopy.converged
        error = (loopy.nodes - exact.nodes).abs().max()
        assert error < 0.01
        assert error < (naive.nodes - exact.nodes).abs().max()
        assert abs(loopy.log_partition - exact.log_partition) < abs(naive.log_partition - exact.log_partition)


APART = torch.tensor([[-6.0, 6.0], [6.0, -6.0]]).double()


@SOME
@given(graphs(), st.sampled_from([0.0, 0.7]))
def test_the_bound_of_mean_field_never_falls(net: MarkovNetwork, damping: float) -> None:
    bounds = [mean_field(net, damping=damping, limit=limit).log_partition for limit in range(8)]
    assert (torch.stack(bounds).diff() >= -1e-9).all()


def test_mean_field_settles_two_variables_in_each_other_s_way() -> None:
    pair = MarkovNetwork(torch.tensor([[0.1, 0.0], [0.1, 0.0]]).double(), torch.tensor([[0, 1]]), APART[None])
    found = mean_field(pair)
    assert found.converged
    assert (found.nodes.amax(1) > 0.99).all()
    assert found.nodes.argmax(1).sum() == 1


def test_damping_settles_messages_that_swing() -> None:
    edges = list(itertools.combinations(range(6), 2))
    nodes = torch.linspace(-0.1, 0.3, 12).double().view(6, 2)
    frustrated = MarkovNetwork(nodes, torch.tensor(edges), APART.expand(15, 2, 2) / 8)
    assert not belief_propagation(frustrated, damping=0.0, limit=500).converged
    assert belief_propagation(frustrated, limit=500).converged


def test_a_value_that_a_variable_lacks() -> None:
    net = network([(0, 1), (1, 2)], 3, 3, seed=2)
    net.nodes[0, 2] = -1e4
    net.nodes[2, :2] = -1e4
    exact = exact_marginals(net)
    assert exact.nodes[0, 2] == 0
    assert (exact.nodes[2, :2] == 0).all()
    agree(belief_propagation(net), exact)
    found = mean_field(net)
    assert found.converged
    assert found.nodes[0, 2] == 0
    assert found.log_partition <= exact.log_partition


def test_single_precision_is_taken() -> None:
    net = network([(0, 1), (1, 2)], 3, 2, seed=3)
    single = MarkovNetwork(net.nodes.float(), net.edges, net.pairs.float())
    assert belief_propagation(single).converged
    agree(belief_propagation(single), exact_marginals(net), 1e-6)
    agree(exact_marginals(single), exact_marginals(net), 1e-6)


NODES = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("edges", "pairs", "message"),
    [
        ([[0, 1]], torch.zeros(2, 2, 2), r"pairs \(E, 2, 2\), got \(1, 2\) and \(2, 2, 2\)"),
        ([[0, 3]], torch.zeros(1, 2, 2), r"two different variables of 0 to 2, got \(0, 3\)"),
        ([[1, 1]], torch.zeros(1, 2, 2), r"two different variables of 0 to 2, got \(1, 1\)"),
        ([[0, 1], [1, 0]], torch.zeros(2, 2, 2), "two edges: add up"),
        ([[0, 1]], torch.full((1, 2, 2), -torch.inf), "must be finite"),
    ],
)
def test_what_a_network_refuses(edges: list[list[int]], pairs: torch.Tensor, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MarkovNetwork(NODES, torch.tensor(edges), pairs)


def test_other_refusals() -> None:
    net = network([], 3, 2, seed=0)
    for method in (mean_field, belief_propagation):
        with pytest.raises(UsageError, match="below 1, got 1"):
            method(net, damping=1.0)
    with pytest.raises(UsageError, match="too many configurations"):
        exact_marginals(network([], 21, 2, seed=0))

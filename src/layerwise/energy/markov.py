"""Pairwise Markov networks of discrete variables: their marginals, exactly and by two approximations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from layerwise.energy.enumeration import configurations
from layerwise.errors import UsageError

__all__ = ["Marginals", "MarkovNetwork", "belief_propagation", "exact_marginals", "mean_field"]


@dataclass(frozen=True)
class MarkovNetwork:
    """V variables of K values, and E edges between them, by log potentials.

    `nodes` (V, K) float; `edges` (E, 2) int64, no pair twice; `pairs` (E, K, K), first variable of the edge
    first. Potentials are finite: -1e4 forbids a value, and gives a variable fewer values than K or fixes it.
    """

    nodes: Tensor
    edges: Tensor
    pairs: Tensor

    def __post_init__(self) -> None:
        (v, k), e = self.nodes.shape, len(self.edges)
        if self.edges.shape != (e, 2) or self.pairs.shape != (e, k, k):
            raise UsageError(
                f"with nodes {(v, k)} edges must be (E, 2) and pairs (E, {k}, {k}), got"
                f" {tuple(self.edges.shape)} and {tuple(self.pairs.shape)}"
            )
        ends = [tuple(sorted(edge)) for edge in self.edges.tolist()]
        wrong = [edge for edge in ends if not 0 <= edge[0] < edge[1] < v]
        if wrong:
            raise UsageError(f"an edge joins two different variables of 0 to {v - 1}, got {wrong[0]}")
        if len(set(ends)) < e:
            raise UsageError("a pair of variables has two edges: add up their log potentials")
        if not (self.nodes.isfinite().all() and self.pairs.isfinite().all()):
            raise UsageError("log potentials must be finite: write -1e4 for what is impossible")

    def energy(self, states: Tensor) -> Tensor:
        """Minus the sum of the log potentials of values (N, V), int64: (N,)."""
        one, other = states[:, self.edges[:, 0]], states[:, self.edges[:, 1]]
        single = self.nodes[torch.arange(len(self.nodes)), states].sum(1)
        return -single - self.pairs[torch.arange(len(self.edges)), one, other].sum(1)

    def is_forest(self) -> bool:
        """Whether no walk along edges comes round."""
        root = list(range(len(self.nodes)))

        def find(i: int) -> int:
            while root[i] != i:
                root[i] = i = root[root[i]]
            return i

        for a, b in self.edges.tolist():
            a, b = find(a), find(b)
            if a == b:
                return False
            root[a] = b
        return True


class Marginals(NamedTuple):
    """`nodes` (V, K), `edges` (E, K, K), log Z (a scalar), all float64, and whether the updates settled."""

    nodes: Tensor
    edges: Tensor
    log_partition: Tensor
    converged: bool


def exact_marginals(network: MarkovNetwork) -> Marginals:
    """By enumeration. Raises UsageError beyond 2**20 configurations."""
    v, k = network.nodes.shape
    states = configurations(v, values=k).long()
    log_weights = -network.energy(states).double()
    log_partition = torch.logsumexp(log_weights, 0)
    chances = torch.exp(log_weights - log_partition)
    nodes = [torch.bincount(states[:, i], chances, k) for i in range(v)]
    edges = [
        torch.bincount(states[:, i] * k + states[:, j], chances, k * k) for i, j in network.edges.tolist()
    ]
    pairs = torch.stack(edges).view(-1, k, k) if edges else chances.new_zeros(0, k, k)
    return Marginals(torch.stack(nodes), pairs, log_partition, True)


def mean_field(
    network: MarkovNetwork, *, damping: float = 0.0, tolerance: float = 1e-9, limit: int = 10_000
) -> Marginals:
    """Naive mean field: the independent variables nearest in relative entropy, to within a local optimum.

    Variables that no edge joins are updated together, keeping a share of `damping`, until none moves by
    `tolerance`. `log_partition` is a lower bound of log Z from the first update on and never falls (Wainwright
    and Jordan 2008, section 5.3).
    """
    _check_damping(damping)
    theta, pairs = network.nodes.double(), network.pairs.double()
    source, target, both = _directed(network)
    colours = _colours(network)
    groups = [(colours == c, colours[target] == c) for c in range(int(colours.max()) + 1)]
    q, converged = torch.softmax(theta, 1), False
    for _ in range(limit):
        before = q.clone()
        for members, incoming in groups:
            pull = torch.einsum("eab,ea->eb", both[incoming], q[source[incoming]])
            fresh = torch.softmax(theta.index_add(0, target[incoming], pull)[members], 1)
            q[members] = damping * q[members] + (1 - damping) * fresh
        converged = bool((q - before).abs().max() < tolerance * (1 - damping))
        if converged:
            break
    edges = q[network.edges[:, 0], :, None] * q[network.edges[:, 1], None, :]
    bound = (q * theta).sum() + (edges * pairs).sum() + _entropy(q).sum()
    return Marginals(q, edges, bound, converged)


def belief_propagation(
    network: MarkovNetwork, *, damping: float = 0.5, tolerance: float = 1e-9, limit: int = 10_000
) -> Marginals:
    """Sum-product messages along all edges at once (Pearl 1988), until none moves by `tolerance`.

    Exact on forests, where messages are not damped. With loops, marginals are approximate, `log_partition`
    is minus the Bethe free energy (Yedidia, Freeman and Weiss 2005) and no bound, and messages may not
    settle: see `converged`, and raise `damping`, the share of the log message that is kept.
    """
    _check_damping(damping)
    kept = 0.0 if network.is_forest() else damping
    theta, pairs = network.nodes.double(), network.pairs.double()
    source, target, both = _directed(network)
    half = len(network.edges)
    messages, converged = theta.new_zeros(2 * half, theta.shape[1]), half == 0

    def without_answer() -> Tensor:
        """What each directed edge's source has heard from all but its target: (2 E, K)."""
        heard = theta.index_add(0, target, messages)
        return heard[source] - messages.roll(half, 0)

    for _ in range(limit):
        if converged:
            break
        fresh = torch.log_softmax(torch.logsumexp(both + without_answer()[:, :, None], 1), 1)
        converged = bool((fresh - messages).abs().max() < tolerance)
        messages = kept * messages + (1 - kept) * fresh
    nodes = torch.softmax(theta.index_add(0, target, messages), 1)
    others = without_answer()
    joint = pairs + others[:half, :, None] + others[half:, None, :]
    edges = torch.softmax(joint.flatten(1), 1).view_as(joint)
    degree = torch.bincount(target, minlength=len(theta))
    entropy = _entropy(edges.flatten(1)).sum() - ((degree - 1) * _entropy(nodes)).sum()
    return Marginals(nodes, edges, (nodes * theta).sum() + (edges * pairs).sum() + entropy, converged)


def _directed(network: MarkovNetwork) -> tuple[Tensor, Tensor, Tensor]:
    """Each edge both ways: sources (2 E,), targets (2 E,), log potentials (2 E, K, K), source first."""
    one, other = network.edges.T
    pairs = network.pairs.double()
    return torch.cat([one, other]), torch.cat([other, one]), torch.cat([pairs, pairs.transpose(1, 2)])


def _colours(network: MarkovNetwork) -> Tensor:
    """A number for each variable (V,), different along every edge: greedily, the lowest that is free."""
    taken: list[set[int]] = [set() for _ in network.nodes]
    neighbours: list[list[int]] = [[] for _ in network.nodes]
    for i, j in network.edges.tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    colours = []
    for i, others in enumerate(neighbours):
        colours.append(next(c for c in range(len(others) + 1) if c not in taken[i]))
        for j in others:
            taken[j].add(colours[i])
    return torch.tensor(colours)


def _entropy(p: Tensor) -> Tensor:
    """Of each row, in nats."""
    entropies: Tensor = torch.special.entr(p).sum(-1)
    return entropies


def _check_damping(damping: float) -> None:
    if not 0 <= damping < 1:
        raise UsageError(f"damping must be at least 0 and below 1, got {damping}")

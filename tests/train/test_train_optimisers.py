from __future__ import annotations

import pytest
import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.train import Learned, Muon, optimiser
from layerwise.train.optimisers import OPTIMISERS, orthogonalised


@pytest.fixture
def mixed() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "words": nn.Embedding(20, 6, padding_idx=0),
            "conv": nn.Conv1d(6, 8, 3),
            "norm": nn.BatchNorm1d(8),
            "hidden": nn.Linear(8, 8),
            "answer": nn.Linear(8, 3),
        }
    )


def through(net: nn.ModuleDict, tokens: torch.Tensor) -> torch.Tensor:
    x = net["norm"](net["conv"](net["words"](tokens).transpose(1, 2))).relu().mean(2)
    return net["answer"](net["hidden"](x).relu())


def test_each_parameter_has_its_role(mixed):
    learned = Learned.of(mixed)
    names = {id(p): name for name, p in mixed.named_parameters()}

    def having(role):
        return [names[id(p)] for p in learned.having(role)]

    assert having("matrix") == ["conv.weight", "hidden.weight"]
    assert having("embedding") == ["words.weight"]
    assert having("head") == ["answer.weight"]
    assert having("vector") == ["conv.bias", "norm.weight", "norm.bias", "hidden.bias", "answer.bias"]


def test_shared_parameters_count_once_and_frozen_ones_not(mixed):
    mixed["again"] = mixed["hidden"]
    mixed["conv"].requires_grad_(False)
    learned = Learned.of(mixed)
    assert len(learned) == len({id(p) for p in learned})
    assert not any(p is mixed["conv"].weight for p in learned)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_without_gradients_decay_shrinks_only_matrices(mixed, name):
    make = optimiser(name, rate=0.1, decay=0.5)(Learned.of(mixed))
    before = {n: p.detach().clone() for n, p in mixed.named_parameters()}
    for p in mixed.parameters():
        p.grad = torch.zeros_like(p)
    make.step()
    for n, p in mixed.named_parameters():
        decayed = n in ("words.weight", "conv.weight", "hidden.weight", "answer.weight")
        shrunk = 1 - 0.1 * 0.5 * (1.9 if name == "nesterov" else 1.0)  # Nesterov looks one momentum ahead
        expected = before[n] * (shrunk if decayed else 1.0)
        torch.testing.assert_close(p.detach(), expected, msg=n)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_padding_row_stays_zero_while_others_learn(mixed, name):
    make = optimiser(name, rate=0.05, decay=0.1)(Learned.of(mixed))
    tokens = torch.randint(0, 20, (16, 5), generator=torch.Generator().manual_seed(1))
    before = mixed["words"].weight.detach().clone()
    for _ in range(5):
        make.zero_grad()
        nn.functional.cross_entropy(through(mixed, tokens), tokens[:, 0] % 3).backward()
        make.step()
    assert torch.equal(mixed["words"].weight[0], torch.zeros(6))
    assert (mixed["words"].weight[1:] != before[1:]).any(1).all()


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (1, 7)])
def test_orthogonalised_has_the_singular_vectors_of_the_matrix_and_values_near_one(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.mT @ orthogonalised(matrix) @ vh.mT
    values = inner.diagonal()
    torch.testing.assert_close(inner, torch.diag(values), atol=1e-9, rtol=0)
    big = s > 0.05 * s.norm()
    assert ((values > 0.6) & (values < 1.3))[big].all()


def test_muon_takes_a_step_of_the_size_that_is_documented():
    layer = nn.Conv2d(8, 16, 3, bias=False)
    net = nn.Sequential(layer, nn.Conv2d(16, 2, 1, bias=False))
    before = layer.weight.detach().clone()
    gradient = torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(3))
    layer.weight.grad = gradient
    net[1].weight.grad = torch.zeros_like(net[1].weight)
    Muon(Learned.of(net), rate=0.1).step()
    step = (layer.weight.detach() - before).flatten(1)
    u, _, vh = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    exact = -0.1 * 0.2 * 72**0.5 * (u @ vh)
    assert nn.functional.cosine_similarity(step.flatten(), exact.flatten(), dim=0) > 0.97
    assert 0.7 < float(step.norm() / exact.norm()) < 1.2


def test_what_muon_leaves_to_adamw_is_adamws(mixed):
    learned = Learned.of(mixed)
    reference = {id(p): p.detach().clone().requires_grad_() for p in learned.having("head", "vector")}
    muon = Muon(learned, rate=0.01, decay=0.0)
    adamw = torch.optim.AdamW(list(reference.values()), lr=0.01, weight_decay=0.0)
    draw = torch.Generator().manual_seed(4)
    for _ in range(4):
        for p in learned:
            p.grad = torch.randn(p.shape, generator=draw)
        for key, copy in reference.items():
            copy.grad = next(p.grad for p in learned if id(p) == key)
        muon.step()
        adamw.step()
    for p in learned.having("head", "vector"):
        torch.testing.assert_close(p, reference[id(p)])


def test_unknown_name():
    with pytest.raises(UsageError, match="no optimiser 'adam'; did you mean 'adamw'"):
        optimiser("adam", rate=0.1)

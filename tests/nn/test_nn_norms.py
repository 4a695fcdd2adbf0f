from __future__ import annotations

import torch
from torch import nn

from layerwise.nn.norms import BatchNorm, LayerNorm

X = torch.randn(6, 4, 9, generator=torch.Generator().manual_seed(0)) * 3 + 40
MASK = torch.arange(9) < torch.tensor([9, 4, 1, 0, 7, 2])[:, None, None]


def test_batch_norm_is_torchs_when_nothing_is_padded() -> None:
    ours, theirs = BatchNorm(4), nn.BatchNorm1d(4)
    whole = torch.ones(6, 1, 9, dtype=torch.bool)
    masked = BatchNorm(4)
    for _ in range(3):
        expected = theirs(X)
        assert torch.equal(ours(X), expected)
        torch.testing.assert_close(masked(X, whole), expected, rtol=1e-4, atol=1e-5)
    for one in (ours, masked):
        torch.testing.assert_close(one.running_mean, theirs.running_mean)
        torch.testing.assert_close(one.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(X), theirs.eval()(X))


def test_batch_norm_sees_only_what_is_real() -> None:
    ours, theirs = BatchNorm(4), nn.BatchNorm1d(4)
    real = X.transpose(1, 2)[MASK[:, 0]]  # (positions, C)
    x, y = torch.where(MASK, X, 0).requires_grad_(), real.clone().requires_grad_()
    torch.testing.assert_close(ours(x, MASK).transpose(1, 2)[MASK[:, 0]], theirs(y), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (ours(x, MASK).transpose(1, 2)[MASK[:, 0]] * weight).sum().backward()
    (theirs(y) * weight).sum().backward()
    torch.testing.assert_close(x.grad.transpose(1, 2)[MASK[:, 0]], y.grad, rtol=1e-3, atol=1e-5)


def test_batch_norm_of_one_lone_value_uses_what_it_knows() -> None:
    norm = BatchNorm(4)
    assert torch.allclose(norm(torch.full((1, 4), 2.0)), torch.full((1, 4), 2.0))
    assert norm.running_mean.tolist() == [0.0] * 4
    nothing = torch.zeros(6, 1, 9, dtype=torch.bool)
    assert norm(torch.zeros_like(X), nothing).isfinite().all()
    assert norm.running_mean.tolist() == [0.0] * 4


def test_layer_norm_is_torchs_over_channels() -> None:
    expected = nn.LayerNorm(4)(X.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(LayerNorm(4)(X), expected)

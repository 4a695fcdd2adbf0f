from __future__ import annotations

import pytest
import torch

from layerwise.nn import Embedding, NgramBag
from layerwise.spec import Spec
from layerwise.values import Padded

TOKENS = Spec(("time",), (None,), "int32", sizes=(7,))
X = Padded(
    torch.tensor([[3, 0, 5, 3], [6, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.int32), torch.tensor([4, 2, 0])
)


def test_token_0_is_zero_and_no_step_moves_it() -> None:
    stage = Embedding(TOKENS, width=4)
    y = stage(X).values
    assert torch.equal(y[0, 0], stage.weight[3])
    assert (y[0, 1] == 0).all()
    y.sum().backward()
    assert (stage.weight.grad[0] == 0).all()
    assert (stage.weight.grad[3] == 2).all()


@pytest.mark.parametrize("how", ["mean", "sum", "max", "root"])
def test_a_bag_counts_tokens_that_are_there(how: str) -> None:
    stage = NgramBag(TOKENS, width=4, how=how)
    vectors = stage.weight[[3, 5, 3]]
    expected = {
        "mean": vectors.mean(0),
        "sum": vectors.sum(0),
        "max": vectors.amax(0),
        "root": vectors.sum(0) / 3**0.5,
    }[how]
    y = stage(X)
    torch.testing.assert_close(y[0], expected)
    assert (y[2] == 0).all()
    y.sum().backward()
    assert (stage.weight.grad[0] == 0).all()

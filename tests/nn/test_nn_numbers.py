from __future__ import annotations

import torch

from layerwise.nn import Categories, PiecewiseLinear
from layerwise.spec import Spec

SPEC = Spec(("feature",), (2,), edges=((0.0, 1.0, 3.0, 4.0), (5.0,)))


def test_encoding_is_the_papers() -> None:
    stage = PiecewiseLinear(SPEC)
    x = torch.tensor(
        [[0.25, 1], [2, 2], [3.5, 3], [float("nan"), float("nan")], [-0.5, 4], [99, 5], [-99, 6]]
    )
    expected = [
        [0.25, 0, 0, 0, 0], [1, 0.5, 0, 0, 0], [1, 1, 0.5, 0, 0], [0, 0, 0, 1, 1], [-0.5, 0, 0, 0, 0],
        [1, 1, 2, 0, 0], [-1, 0, 0, 0, 0],
    ]  # fmt: skip
    assert stage(x).tolist() == expected
    assert stage.spec(SPEC).shape == (5,)


def test_width_gives_each_feature_a_map_of_its_own() -> None:
    torch.manual_seed(0)
    plain, stage = PiecewiseLinear(SPEC), PiecewiseLinear(SPEC, width=3)
    x = torch.tensor([[0.25, 1.0], [2.0, float("nan")]])
    e = plain(x)
    first = (e[:, :4] @ stage.weight[0] + stage.bias[0]).relu()
    second = (e[:, 4:] @ stage.weight[1, 3:] + stage.bias[1]).relu()
    torch.testing.assert_close(stage(x), torch.cat([first, second], 1))


def test_widths_of_categories_follow_their_number() -> None:
    spec = Spec(("category",), (3,), "int32", sizes=(2, 30, 100_000))
    stage = Categories(spec)
    assert [t.shape[1] for t in stage.tables] == [2, 11, 50]
    x = torch.tensor([[1, 29, 99_999], [0, 0, 0]], dtype=torch.int32)
    y = stage(x)
    assert torch.equal(y[0], torch.cat([t[i] for t, i in zip(stage.tables, (1, 29, 99_999), strict=True)]))
    assert (y[1] == 0).all()

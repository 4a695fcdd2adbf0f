from __future__ import annotations

import pytest
import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.nn import Columns, Pipeline, build
from layerwise.recipe import StageChoice
from layerwise.spec import Spec
from layerwise.values import Padded

LENGTHS = torch.tensor([4, 2, 0])


def padded(*shape: int) -> Padded:
    values = torch.randn(3, 4, *shape, generator=torch.Generator().manual_seed(0))
    values[1, 2:] = float("nan")
    return Padded(values, LENGTHS)


def test_position_wise_modules_of_torch_take_padded_values() -> None:
    net = Pipeline(
        a=nn.Linear(5, 6), b=nn.Sequential(nn.GELU(), nn.LayerNorm(6)), c=nn.Dropout(), d=nn.Linear(6, 2)
    )
    x = padded(5)
    y = net.eval()(x)
    assert (y.values[1, 2:] == 0).all()
    torch.testing.assert_close(y.values[1:2, :2], net(x.values[1:2, :2]))


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv1d(5, 5, 3),
        nn.Flatten(),
        nn.LayerNorm((4, 5)),
        nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4)),
        nn.Softmax(1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_other_modules_that_meet_padding_are_refused_by_name(module: nn.Module) -> None:
    net = Pipeline(first=nn.ReLU(), mixing=module)
    with pytest.raises(
        UsageError, match=rf"stage 'mixing' \({type(module).__name__}\) got examples of unequal length"
    ):
        net(padded(5))


def test_a_linear_map_over_samples_mixes_along_time() -> None:
    with pytest.raises(UsageError, match="stage 'first'"):
        Pipeline(first=nn.Linear(4, 3))(padded())


def test_a_module_may_declare_that_it_takes_padding() -> None:
    class Longest(nn.Module):
        takes_padded = True

        def forward(self, x: Padded) -> torch.Tensor:
            return x.lengths

    assert Pipeline(first=nn.ReLU(), count=Longest())(padded(5)).tolist() == [4, 2, 0]


def test_columns_are_refused_where_they_are_not_declared() -> None:
    with pytest.raises(UsageError, match=r"'first' \(Linear\) got several groups of columns"):
        Pipeline(first=nn.Linear(4, 3))({"a": torch.zeros(2, 4)})


def test_addresses() -> None:
    branches = {"a.b": [{"name": "flat", "stage": "Flatten"}], "a_b": [{"name": "flat", "stage": "Flatten"}]}
    spec = Spec(columns={"a.b": Spec(("feature",), (2,)), "a_b": Spec(("feature",), (3,))})
    net = build([StageChoice("columns", "Columns", {"branches": branches})], spec, 2)
    x = {"a.b": torch.zeros(1, 2), "a_b": torch.ones(1, 3)}
    assert [address for address, _ in net.levels(x)] == [
        "columns.a_b.flat",
        "columns.a_b_.flat",
        "columns",
        "answer",
    ]
    assert torch.equal(net.upto(x, "columns.a_b_.flat"), torch.ones(1, 3))
    assert net.upto(x, "columns") is x
    assert net.upto(x, "answer").shape == (1, 5)
    assert isinstance(net.columns, Columns)
    with pytest.raises(UsageError, match="no stage 'anwser'; did you mean 'answer'"):
        net.upto(x, "anwser")
    with pytest.raises(UsageError, match="no network 'a_c'; did you mean 'a_b'"):
        net.upto(x, "columns.a_c.flat")
    with pytest.raises(UsageError, match="'answer' has no inner levels"):
        net.upto(x, "answer.weight")


def test_pipelines_in_pipelines() -> None:
    net = Pipeline(body=Pipeline(one=nn.Linear(2, 3), two=nn.ReLU()), answer=nn.Linear(3, 1))
    x = torch.randn(4, 2)
    levels = dict(net.levels(x))
    assert list(levels) == ["body.one", "body.two", "answer"]
    assert torch.equal(net.upto(x, "body.two"), levels["body.one"])
    assert torch.equal(levels["answer"], net(x))


def test_a_pipeline_has_stages_with_names_of_their_own() -> None:
    with pytest.raises(UsageError, match="at least one stage"):
        Pipeline()
    with pytest.raises(UsageError, match="cannot be called 'train'"):
        Pipeline(train=nn.ReLU())

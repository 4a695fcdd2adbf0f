from __future__ import annotations

import resource
from typing import Any

import pytest
import torch

from layerwise.errors import UsageError
from layerwise.nn import build
from layerwise.recipe import StageChoice
from layerwise.spec import Spec

IMAGES = Spec(("channel", "height", "width"), (3, 16, 16))
TOKENS = Spec(("time",), (None,), "int32", sizes=(9,))
TABLE = Spec(columns={"price": Spec(("feature",), (2,)), "words": TOKENS})


def test_a_head_is_added_where_there_is_none() -> None:
    dense = StageChoice("hidden", "Dense", {"width": 4})
    assert [name for name, _ in build([dense], IMAGES, 3).stages()] == ["hidden", "answer"]
    own = build([dense, StageChoice("out", "Head")], IMAGES, 3)
    assert [name for name, _ in own.stages()] == ["hidden", "out"]
    assert build([], IMAGES, 3)(torch.zeros(2, 3, 16, 16)).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize(
    "choice",
    [
        StageChoice("huge", "Dense", {"width": 1 << 20}),
        StageChoice("huge", "Convolution", {"width": 1 << 20, "size": 9}),
        StageChoice("huge", "Residual", {"width": 4096, "blocks": 1000}),
    ],
    ids=lambda c: c.stage,
)
def test_more_than_two_gigabytes_are_refused_before_they_are_taken(choice: StageChoice) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UsageError, match=r"GB of parameters, more than the 2\.1 GB allowed"):
        build([choice], IMAGES, 10)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.mark.parametrize(
    ("spec", "name", "stage", "options", "message"),
    [
        (IMAGES, "a", "Convolutoin", {}, r"no stage 'Convolutoin'; did you mean 'Convolution'\?"),
        (IMAGES, "a", "os.system", {}, "no stage 'os.system'"),
        (IMAGES, "a", "Stage", {}, "no stage 'Stage'"),
        (IMAGES, "a", "Dense", {"widht": 3}, "stage 'a': Dense has no option 'widht'; did you mean 'width'"),
        (IMAGES, "a", "Dense", {"width": "3"}, "stage 'a': width of Dense must be a whole number"),
        (IMAGES, "a", "Dense", {"width": [3]}, "width of Dense must be a whole number"),
        (IMAGES, "a", "Dense", {"width": 10**30}, "from 1 to 1,048,576"),
        (IMAGES, "a", "Dense", {"width": 4, "max_norm": float("nan")}, "max_norm of Dense must be a number"),
        (IMAGES, "a", "Residual", {"width": 4, "blocks": 10**9}, "blocks of Residual must be a whole number"),
        (IMAGES, "a", "Scale", {"spec": 3}, "Scale has no option 'spec'"),
        (IMAGES, "a", "Embedding", {"width": 3}, "Embedding takes samples or tokens in time, got images"),
        (IMAGES, "a", "Columns", {"branches": {"x": []}}, "Columns takes columns, got images"),
        (IMAGES, "a", "Dense", {"width": 5, "residual": True}, "keeps its width, got 768 in and 5 out"),
        (IMAGES, "forward", "Flatten", {}, "cannot be called 'forward'"),
        (IMAGES, "a.b", "Flatten", {}, "cannot be called 'a.b'"),
        (IMAGES, "answer", "Flatten", {}, "two stages are called 'answer'"),
        (TOKENS, "a", "Convolution", {"width": 3}, "put Embedding"),
        (TOKENS, "a", "Dense", {"width": 3}, "put Embedding"),
        (TOKENS, "a", "Embedding", {"width": 3}, "put GlobalPool before it"),
        (TOKENS, "a", "Flatten", {}, "use GlobalPool"),
        (TABLE, "a", "Dense", {"width": 3}, "put Columns before it"),
        (TABLE, "a", "Scale", {}, "put it into the branches"),
        (TABLE, "a", "Columns", {}, "branches"),
        (TABLE, "a", "Columns", {"branches": {"prize": []}}, "no field 'prize' for a branch; did you mean"),
        (TABLE, "a", "Columns", {"branches": {"price": [{"name": "x"}]}}, "needs 'name' and 'stage'"),
        (TABLE, "a", "Columns", {"branches": {"price": [{"name": "x", "stage": "Dens"}]}}, "mean 'Dense'"),
        (TABLE, "a", "Columns", {"branches": {"price": 7}}, "a list of stages"),
        (TABLE, "a", "Columns", {"branches": {"price": [7]}}, "needs 'name' and 'stage'"),
        (
            TABLE, "a", "Columns", {"branches": {"words": [{"name": "x", "stage": "Embedding", "width": 2}]}},
            "the branch of 'words' ends in a sequence",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    spec: Spec, name: str, stage: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build([StageChoice(name, stage, options)], spec, 3)


def test_networks_within_networks_have_an_end() -> None:
    inside: list[Any] = []
    for _ in range(2000):
        inside = [{"name": "a", "stage": "ReversibleNorm", "network": inside}]
    windows = Spec(("time", "channel"), (8, 1))
    with pytest.raises(UsageError, match="networks within networks"):
        build([StageChoice("a", "ReversibleNorm", {"network": inside})], windows, 2)

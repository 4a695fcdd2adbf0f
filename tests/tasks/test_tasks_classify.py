"""Classes keep their names and types; messages say what to do."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch

from layerwise.errors import DataError
from layerwise.recipe import Training
from layerwise.tasks import Classify, restore


@pytest.mark.parametrize(
    ("targets", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        (np.array([10, 9, 10]), (9, 10)),
        (np.array([True, False]), (False, True)),
        ([np.int64(3), np.float32(0.5)], (0.5, 3)),
        (pl.Series(["x", "é;<script>"]), ("x", "é;<script>")),
        (np.array([b"cat", b"dog"]), ("cat", "dog")),
        (np.array([[1], [2]]), (1, 2)),
    ],
)
def test_labels_come_back_as_they_were(targets: object, classes: tuple[object, ...]) -> None:
    task = Classify.fit(targets)  # type: ignore[arg-type]
    assert task.classes == classes
    assert [type(c) for c in task.classes] == [type(c) for c in classes]
    again = restore(json.loads(json.dumps(task.state())))
    answer = again.answers(np.array([[0.1, 0.9]])).answer[0]
    assert answer == classes[1]
    assert type(answer) is type(classes[1])


def test_a_test_file_may_hold_numbers_as_text() -> None:
    assert Classify.fit([1, 2, 3]).encode(["3", "1"]).tolist() == [2, 0]
    assert Classify.fit([1, 2]).encode([2.0, 1.0]).tolist() == [1, 0]


def test_one_class_says_what_to_do() -> None:
    with pytest.raises(DataError) as caught:
        Classify.fit(["whale"] * 812, noun="files in clips/")
    assert str(caught.value) == (
        "all 812 files in clips/ belong to one class, 'whale'. Put each class into a folder of its own, or"
        " name the column that tells them apart with --target."
    )


def test_unusable_targets_are_refused() -> None:
    with pytest.raises(DataError, match="no row has a value for the target default: name another"):
        Classify.fit([None, "", float("nan")], names=["default"])
    with pytest.raises(DataError, match="each of the 30 rows is a class of its own"):
        Classify.fit([f"id {k}" for k in range(30)])
    with pytest.raises(DataError, match="expected one value a row"):
        Classify.fit(np.array([[0, 1], [1, 0]]))
    with pytest.raises(DataError, match="did you mean 'beluga'"):
        Classify.fit(["beluga", "bowhead"]).encode(["belluga"])


def test_sentence() -> None:
    assert Classify.fit(["yes", "no"]).sentence == "one of 2: no, yes"
    assert Classify.fit([f"c{k:02}" for k in range(13)]).sentence == "one of 13: c00, c01, ... (11 more)"


def test_words() -> None:
    task = Classify.fit(["no", "yes"])
    assert task.words("accuracy", 0.713) == "right in 71 of 100"
    assert task.words("accuracy", 0.9942) == "right in 994 of 1,000"
    assert task.words("accuracy", 1.0) == "right in 100 of 100"
    assert task.words("roc_auc", 0.88) == "ranks a case of 'yes' above one of the rest in 88 of 100 pairs"


def test_balanced_weights_give_classes_the_same_mass() -> None:
    targets = ["rare"] * 2 + ["common"] * 8
    task = Classify.fit(targets)
    encoded = task.encode(targets)
    assert task.weights(encoded) is None
    task.configure(Training(balance=True))
    weights = task.weights(encoded)
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    assert weights[encoded == 0].sum() == pytest.approx(weights[encoded == 1].sum())
    doubled = task.weights(encoded, np.full(10, 2.0))
    assert doubled is not None
    np.testing.assert_allclose(doubled, 2 * weights)


def test_smoothing_moves_the_best_answer_off_certainty() -> None:
    task = Classify.fit(["a", "b", "c"])
    target = torch.tensor([0])
    sure, less = torch.tensor([[20.0, 0, 0]]), torch.tensor([[3.0, 0, 0]])
    assert task.losses(sure, target) < task.losses(less, target)
    task.configure(Training(smoothing=0.1))
    assert task.losses(sure, target) > task.losses(less, target)


def test_shares_of_classes_may_be_targets() -> None:
    task = Classify.fit(["a", "b"])
    outputs = torch.tensor([[0.3, -1.0], [2.0, 0.1]])
    whole = task.losses(outputs, torch.tensor([0, 1]))
    torch.testing.assert_close(task.losses(outputs, torch.eye(2)), whole)
    members = torch.stack([outputs, outputs], 1)
    torch.testing.assert_close(task.losses(members, torch.eye(2)), torch.stack([whole, whole], 1))


def test_rows_without_a_class_cost_nothing() -> None:
    task = Classify.fit(["a", "b"])
    assert task.losses(torch.tensor([[1.0, 2.0]]), torch.tensor([-1])).item() == 0

"""Tags in one cell, in lists and in 0/1 columns."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from layerwise.errors import DataError
from layerwise.recipe import Training
from layerwise.tasks import Tags


def test_tags_in_one_cell() -> None:
    cells = ["sea; whale", None, "whale;;", " sky "]
    task = Tags.fit(cells)
    assert task.tags == ("sea", "sky", "whale")
    assert task.encode(cells).tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert task.known(cells).all()
    assert task.sentence == "any of 3 tags: sea, sky, whale"


@pytest.mark.parametrize("make", [list, pl.Series, lambda rows: np.array([*rows, None], dtype=object)[:-1]])
def test_tags_in_lists(make: type) -> None:
    rows = make([["a", "b"], [], ["b"]])
    task = Tags.fit(rows)
    assert task.tags == ("a", "b")
    assert task.encode(rows).tolist() == [[1, 1], [0, 0], [0, 1]]


def test_tags_in_columns() -> None:
    marks = np.array([[0, 1], [1, 1], [0, 0]])
    task = Tags.fit(marks, names=["sea", "sky"])
    assert task.tags == ("sea", "sky")
    assert task.encode(marks).tolist() == marks.tolist()
    assert task.encode(np.array([["0", "1"], [True, 1.0]], dtype=object)).tolist() == [[0, 1], [1, 1]]
    assert Tags.fit([[0, 1], [1, 0]]).tags == ("tag 1", "tag 2")


def test_unusable_tags_are_refused() -> None:
    with pytest.raises(DataError, match="row 2 of tag column 1 holds '7', expected 0 or 1"):
        Tags.fit(np.array([[0, 1], [7, 1]]))
    with pytest.raises(DataError, match="all 3 rows have the same tags, 'a;b'"):
        Tags.fit(["a;b", "b;a", "a ; b"])
    with pytest.raises(DataError, match="on all of them or none"):
        Tags.fit(np.array([[0, 1], [0, 1]]))
    task = Tags.fit(["sea;sky", "sea"])
    with pytest.raises(DataError, match="did you mean 'sea'"):
        task.encode(["seas"])
    assert task.encode(["seas;sky"], mark=True).tolist() == [[0, 1]]
    with pytest.raises(DataError, match="3 columns of tags, expected 2"):
        task.encode(np.zeros((1, 3)))


def test_answers_are_the_likely_tags() -> None:
    task = Tags.fit(["a;b", "b", "c"])
    answers = task.answers(np.array([[0.9, 0.5, 0.1], [0.2, 0.3, 0.4]]))
    assert answers.answer == [["a", "b"], []]
    assert answers.confidence == pytest.approx([(0.9 * 0.5 * 0.9) ** (1 / 3), (0.8 * 0.7 * 0.6) ** (1 / 3)])


def test_smoothing_moves_the_best_answer_off_certainty() -> None:
    task = Tags.fit(["a", "b"])
    target = torch.tensor([[1.0, 0.0]])
    sure, less = torch.tensor([[20.0, -20.0]]), torch.tensor([[3.0, -3.0]])
    assert task.losses(sure, target) < task.losses(less, target)
    task.configure(Training(smoothing=0.1))
    assert task.losses(sure, target) > task.losses(less, target)

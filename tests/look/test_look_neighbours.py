"""Votes of nearest neighbours against scikit-learn's."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from layerwise.look import neighbours
from layerwise.look.neighbours import nearest_votes


@pytest.mark.parametrize("at_once", [1 << 24, 50])  # all at once, and one by one
def test_votes_equal_those_of_scikit_learn_by_cosine(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(neighbours, "AT_ONCE", at_once)
    draw = np.random.default_rng(0)
    x, y, asked = draw.normal(size=(60, 5)), draw.integers(0, 3, 60), draw.normal(size=(40, 5))

    def weights(distances: np.ndarray) -> np.ndarray:
        return np.exp((1 - distances) / 0.2)

    oracle = KNeighborsClassifier(7, metric="cosine", weights=weights).fit(x, y)
    found = nearest_votes(x, np.eye(3)[y], asked, k=7, temperature=0.2)
    assert np.allclose(found, oracle.predict_proba(asked), atol=1e-5)


def test_fewer_rows_than_neighbours_and_zeros_are_borne() -> None:
    found = nearest_votes(np.array([[1.0, 0.0], [0.0, 1.0]]), np.eye(2), np.array([[2.0, 0.1], [0.0, 0.0]]))
    assert found[0, 0] > 0.99
    assert found[1] == pytest.approx([0.5, 0.5])

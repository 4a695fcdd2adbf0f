"""Simple methods that a network for texts has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from layerwise.kinds.base import ONLY, Rival, Values
from layerwise.kinds.features import Facts, Features
from layerwise.spec import Spec
from layerwise.tasks.base import Task

__all__ = ["rivals", "tf_idf"]


def rivals(spec: Spec, task: Task) -> tuple[Rival, ...]:
    """Majority, linear and nearest neighbours on how often each token occurs."""
    what = spec.names[0] if spec.names else "tokens"
    return (
        Rival("the most frequent answer" if task.labels else "the mean answer", "majority"),
        Rival(f"linear on {what} (tf-idf)", "linear", tf_idf, most=50_000),
        Rival(f"nearest neighbours on {what} (tf-idf)", "neighbours", tf_idf),
    )


def tf_idf(values: Values, facts: Facts, spec: Spec) -> Features:
    """(N, V) sparse: 1 + log of each token's count, times the log of how rare it is, rows of length 1.

    After Salton and Buckley 1988.
    """
    counts = _counts(values[ONLY], spec.sizes[0])
    texts = np.bincount(counts.indices, minlength=spec.sizes[0])
    rareness = np.log((1 + counts.shape[0]) / (1 + texts)) + 1

    def see(values: Values, facts: Facts) -> Any:
        seen = _counts(values[ONLY], spec.sizes[0])
        seen.data = (1 + np.log(seen.data)) * rareness[seen.indices]
        lengths = np.sqrt(seen.power(2).sum(axis=1))
        return sparse.csr_array(seen / np.maximum(np.asarray(lengths), 1e-12).reshape(-1, 1))

    return see


def _counts(texts: np.ndarray | Sequence[np.ndarray], size: int) -> Any:
    """(N, V) CSR of how often each known token occurs."""
    starts = np.concatenate([[0], np.cumsum([len(t) for t in texts])])
    tokens = np.concatenate([np.zeros(0, np.int32), *texts])
    matrix = sparse.csr_array((np.ones(len(tokens), np.float32), tokens, starts), shape=(len(texts), size))
    matrix.sum_duplicates()
    matrix.data[matrix.indices == 0] = 0
    matrix.eliminate_zeros()
    return matrix

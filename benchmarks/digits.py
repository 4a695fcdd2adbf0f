"""scikit-learn's digits, five stratified folds, default recipe: bar 98.5 % mean accuracy.

python -m benchmarks.digits
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.record import recorded
from layerwise import DeepClassifier

BAR = 0.985

if __name__ == "__main__":
    images, labels = load_digits(return_X_y=False).images, load_digits().target
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    with recorded("digits", bar=f"mean of 5 stratified folds >= {BAR}", seed=0, n=len(labels)) as figures:
        scores = cross_val_score(DeepClassifier(kind="image"), images, labels, cv=folds, error_score="raise")
        rival = cross_val_score(KNeighborsClassifier(3), images.reshape(len(images), -1), labels, cv=folds)
        half = 2.776 * scores.std(ddof=1) / np.sqrt(5)  # Student's t with 4 degrees of freedom
        figures |= {
            "accuracy": scores.mean(),
            "low": scores.mean() - half,
            "high": scores.mean() + half,
            "folds": scores.tolist(),
            "nearest_neighbours": rival.mean(),
            "holds": bool(scores.mean() >= BAR),
        }
    sys.stdout.write(f"{scores.mean():.4f} +- {half:.4f}, nearest neighbours {rival.mean():.4f}\n")
    sys.exit(0 if figures["holds"] else 5)

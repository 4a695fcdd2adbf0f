"""Small words that findings share."""

from __future__ import annotations

__all__ = ["NAMES", "capital", "plural", "with_article"]

NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
    "roc_auc": "area under the ROC curve",
    "log_loss": "log loss",
    "ece": "calibration error",
    "r2": "R²",
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "mae_scaled": "mean absolute error in standard deviations",
    "mse_scaled": "mean squared error of standardised values",
    "probe": "accuracy of a linear probe",
    "nearest": "accuracy of the 20 nearest neighbours",
}
"""Metrics as people call them."""


def capital(text: str) -> str:
    """The text with its first letter raised: `boosting on mel statistics` begins a sentence."""
    return text[:1].upper() + text[1:]


def with_article(noun: str) -> str:
    """`an accuracy`, `a macro F1`."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def plural(word: str) -> str:
    """The plain English plural of a group's name."""
    if word.endswith("s"):
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"

"""How good, where it errs: against counting by hand and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from read_digits import Digits
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from layerwise.findings import Curves, Dots, Finding, Gallery, Heat, Rows, Section
from layerwise.look import Examples, quality
from layerwise.tasks import TASKS
from layerwise.tasks.base import Task

RNG = np.random.default_rng(0)


def fitted(name: str, targets: np.ndarray) -> Task:
    return next(t for t in TASKS if t.name == name).fit(targets)


def named(section: Section, name: str) -> Finding:
    return next(f for f in section.findings if f.name == name)


@pytest.fixture(scope="module")
def section(digits: Digits) -> Section:
    held = digits.parts.held
    return quality(
        digits.task, digits.decoded, targets=digits.targets[held], groups=held % 13, group_word="writer",
        examples=digits.examples,
    )  # fmt: skip


def test_metrics_carry_the_promised_names(section: Section, digits: Digits) -> None:
    promised = ["accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "ece"]
    assert [f.name for f in section.findings][: len(promised)] == promised
    accuracy = named(section, "accuracy")
    assert accuracy.value == pytest.approx(
        accuracy_score(digits.targets[digits.parts.held], digits.decoded.argmax(1))
    )
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert accuracy.method == "drawn over 13 writers"


def test_confusion_counts_what_scikit_learn_counts(section: Section, digits: Digits) -> None:
    heat, listing = named(section, "confusion").pictures
    assert isinstance(heat, Heat)
    assert isinstance(listing, Rows)
    order = [int(name) for name in heat.rows]
    truth, answers = digits.targets[digits.parts.held], digits.decoded.argmax(1)
    assert np.array_equal(heat.values, confusion_matrix(truth, answers, labels=order))
    errors = [int(((truth == k) != (answers == k)).sum()) for k in order]
    assert errors == sorted(errors, reverse=True)
    assert listing.rows[0][2] == max(row[2] for row in listing.rows)


def test_recall_is_that_of_scikit_learn_worst_first(section: Section, digits: Digits) -> None:
    dots = named(section, "recall").pictures[0]
    assert isinstance(dots, Dots)
    expected = recall_score(digits.targets[digits.parts.held], digits.decoded.argmax(1), average=None)
    values = [row[1] for row in dots.rows]
    assert values == sorted(values)
    for label, value, low, high in dots.rows:
        assert value == pytest.approx(expected[int(label.split()[0])])
        assert low is not None
        assert high is not None
        assert low - 1e-9 <= value <= high + 1e-9


def test_reliability_bins_hold_every_answer(section: Section, digits: Digits) -> None:
    curve = named(section, "reliability").pictures[0]
    assert isinstance(curve, Curves)
    assert curve.diagonal
    (hits,) = curve.lines.values()
    right = (digits.decoded.argmax(1) == digits.targets[digits.parts.held]).mean()
    assert np.mean([h for h in hits if h is not None]) == pytest.approx(right, abs=0.01)
    assert list(curve.x) == sorted(curve.x)


def test_the_mistakes_shown_are_the_surest_wrong_ones(section: Section, digits: Digits) -> None:
    gallery = named(section, "mistakes").pictures[0]
    assert isinstance(gallery, Gallery)
    assert gallery.examples
    truth, decoded = digits.targets[digits.parts.held], digits.decoded
    wrong = np.flatnonzero(decoded.argmax(1) != truth)
    surest = wrong[np.argsort(-decoded[wrong].max(1), kind="stable")][:12]
    assert [tile.title for tile in gallery.tiles] == [digits.examples.ids[i] for i in surest]
    assert gallery.tiles[0].caption.endswith(f"is {truth[surest[0]]}")


def test_groups_are_worst_first(section: Section, digits: Digits) -> None:
    dots = named(section, "groups").pictures[0]
    assert isinstance(dots, Dots)
    assert len(dots.rows) == 13
    values = [row[1] for row in dots.rows]
    assert values == sorted(values)


def test_a_perfect_classifier_has_no_mistakes_to_show(digits: Digits) -> None:
    truth = digits.targets[digits.parts.held]
    found = quality(digits.task, np.eye(10)[truth], targets=truth, examples=digits.examples)
    assert named(found, "mistakes").sentence == "There is no wrong answer to show."
    assert named(found, "confusion").sentence == "None of 797 answers is wrong."


def test_classes_unseen_in_training_count_as_wrong_and_are_shown(digits: Digits) -> None:
    truth = digits.targets[digits.parts.held].copy()
    truth[:5] = -1
    found = quality(digits.task, np.eye(10)[truth], targets=truth, examples=digits.examples)
    gallery = named(found, "mistakes").pictures[0]
    assert isinstance(gallery, Gallery)
    assert len(gallery.tiles) == 5
    assert gallery.tiles[0].caption.endswith("is of a class unseen in training")
    assert "unseen" in named(found, "accuracy").caveat


def test_many_classes_are_cut_to_the_worst() -> None:
    truth = np.repeat(np.arange(40), 5)
    task = fitted("classify", truth)
    decoded = np.eye(40)[np.where(truth < 3, truth + 1, truth)]
    found = quality(task, decoded, targets=truth)
    heat = named(found, "confusion").pictures[0]
    assert isinstance(heat, Heat)
    assert len(heat.rows) == 20
    assert set(heat.rows[:4]) == {"0", "1", "2", "3"}
    assert "40" in named(found, "confusion").caveat


def test_numbers_are_judged_against_the_truth_and_by_size(digits: Digits) -> None:
    truth = RNG.normal(size=300) * 10 + 50
    answers = truth + RNG.normal(size=300) * np.where(truth > 60, 9, 1)
    examples = Examples(digits.examples.kind, digits.store, np.arange(300), [f"row {i}" for i in range(300)])
    found = quality(
        fitted("regress", truth), answers, targets=truth, examples=examples, groups=np.arange(300) // 50
    )
    assert named(found, "against_truth").value == pytest.approx(np.corrcoef(truth, answers)[0, 1])
    dots = named(found, "by_size").pictures[0]
    assert isinstance(dots, Dots)
    assert dots.rows[-1][1] == max(row[1] for row in dots.rows)
    gallery = named(found, "mistakes").pictures[0]
    assert isinstance(gallery, Gallery)
    assert gallery.tiles[0].title == f"row {np.abs(answers - truth).argmax()}"
    groups = named(found, "groups").pictures[0]
    assert isinstance(groups, Dots)
    assert groups.x_label == "mean squared error"
    assert groups.rows[0][1] == max(row[1] for row in groups.rows)


def test_forecasts_are_judged_by_step() -> None:
    truth = RNG.normal(size=(100, 5))
    decoded = truth + np.arange(1, 6)
    found = quality(fitted("forecast", truth), decoded, targets=truth)
    curve = named(found, "by_step").pictures[0]
    assert isinstance(curve, Curves)
    assert np.allclose(next(iter(curve.lines.values())), [1, 2, 3, 4, 5])  # type: ignore[arg-type]
    gallery = named(found, "forecasts").pictures[0]
    assert isinstance(gallery, Gallery)
    assert len(gallery.tiles) == 6
    assert gallery.examples


def test_tags_have_an_f1_each(digits: Digits) -> None:
    truth = RNG.integers(0, 2, (200, 3))
    decoded = np.clip(truth * 0.8 + 0.1 + RNG.normal(size=truth.shape) * [0.05, 0.3, 0.6], 0, 1)
    task = fitted("tags", truth)
    examples = Examples(digits.examples.kind, digits.store, np.arange(200), [f"row {i}" for i in range(200)])
    found = quality(task, decoded, targets=task.encode(truth), examples=examples)
    dots = named(found, "by_tag").pictures[0]
    assert isinstance(dots, Dots)
    expected = f1_score(truth, decoded >= 0.5, average=None)
    assert [row[1] for row in dots.rows] == pytest.approx(sorted(expected))
    assert isinstance(named(found, "mistakes").pictures[0], Gallery)


def test_without_examples_none_are_shown(digits: Digits) -> None:
    found = quality(digits.task, digits.decoded, targets=digits.targets[digits.parts.held])
    assert not any(isinstance(p, Gallery) for f in found.findings for p in f.pictures)

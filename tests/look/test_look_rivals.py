"""The first sentence of the page, case by case, and the rivals below it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from layerwise.findings import Dots, Rows
from layerwise.look import Comparison, compare, rivals, verdict
from layerwise.tasks import TASKS, Classify, Metric, paired


def metric(
    value: float, low: float, high: float, name: str = "accuracy", groups: int | None = None
) -> Metric:
    return Metric(name, value, low, high, 126, groups)


def comparison(
    net: Metric,
    rival: float | None,
    ahead: tuple[float, float, float] | None,
    other: str = "boosting on mel statistics",
) -> Comparison:
    if rival is None or ahead is None:
        return Comparison(net, {})
    theirs = {other: {net.name: Metric(net.name, rival, rival - 0.04, rival + 0.04, net.n, net.groups)}}
    return Comparison(net, theirs, other, Metric(net.name, *ahead, net.n, net.groups))


CLIPS = metric(0.713, 0.655, 0.768, groups=15)
CASES = [
    (
        comparison(CLIPS, 0.651, (0.062, 0.011, 0.115)), ("clips", "heard", "recording"),
        "On recordings it has never heard, the network is right in 71 of 100 clips (66 to 77); boosting on mel"
        " statistics in 65.",
    ),
    (
        comparison(CLIPS, 0.69, (0.023, -0.03, 0.08)), ("clips", "heard", "recording"),
        "On recordings it has never heard, the network is right in 71 of 100 clips (66 to 77) and boosting on mel"
        " statistics in 69: no difference that these 126 clips in 15 recordings can show.",
    ),
    (
        comparison(CLIPS, 0.78, (-0.067, -0.12, -0.01)), ("clips", "heard", "recording"),
        "Boosting on mel statistics wins: on recordings it has never heard, it is right in 78 of 100 clips"
        " (74 to 82); the network in 71.",
    ),
    (comparison(CLIPS, None, None), ("clips", "heard", "city"),
     "On cities it has never heard, the network is right in 71 of 100 clips (66 to 77)."),
    (
        comparison(metric(0.9866, 0.9842, 0.9886), 0.9711, (0.0155, 0.01, 0.02), "nearest neighbours"),
        ("images", "seen", None),
        "On images it has never seen, the network is right in 987 of 1,000 (984 to 989);"
        " nearest neighbours in 971.",
    ),
    (
        comparison(metric(0.951, 0.93, 0.968, "f1_macro"), 0.9, (0.05, 0.02, 0.08), "linear on words"),
        ("texts", "read", None),
        "On texts it has never read, the network reaches a macro F1 of 0.951 (0.930 to 0.968); linear on words 0.900.",
    ),
    (
        comparison(metric(0.83, 0.8, 0.86, "r2"), 0.85, (-0.02, -0.04, 0.01), "boosting"), ("rows", "seen", None),
        "On rows it has never seen, the network reaches an R² of 0.830 (0.800 to 0.860) and boosting 0.850: no"
        " difference that these 126 rows can show.",
    ),
    (
        comparison(metric(0.38, 0.35, 0.41, "mse"), 0.45, (0.07, 0.04, 0.1), "seasonal naive"),
        ("series", "seen", None),
        "On series it has never seen, the network has a mean squared error of 0.380 (0.350 to 0.410); seasonal"
        " naive 0.450.",
    ),
    (
        comparison(metric(12.3, 11.8, 12.9, "mae"), 12.9, (0.6, 0.2, 1.0), "linear"), ("rows", "seen", None),
        "On rows it has never seen, the network is off by 12.30 (11.80 to 12.90); linear by 12.90.",
    ),
    (
        comparison(metric(1.0, 0.9705, 1.0), 0.5, (0.5, 0.4, 0.6), "the most frequent answer"), ("rows", "seen", None),
        "On rows it has never seen, the network is right in 100 of 100 (97 to 100); the most frequent answer in 50.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words", "expected"), CASES)
def test_the_first_sentence(given: Comparison, words: tuple[str, str, str | None], expected: str) -> None:
    plural, verb, group_word = words
    found = verdict(given, plural=plural, verb=verb, group_word=group_word)
    assert found.sentence == expected
    assert (found.value, found.n) == (given.net.value, 126)


def test_a_figure_that_cannot_be_told_is_not_told() -> None:
    nan = float("nan")
    net = Metric("roc_auc", nan, nan, nan, 9, None, "one class only")
    found = verdict(Comparison(net, {}), plural="rows")
    assert (
        found.sentence
        == "The network's area under the ROC curve cannot be told on these 9 rows: one class only."
    )
    assert found.value is None


@pytest.fixture(scope="module")
def answers() -> tuple[Classify, np.ndarray, dict[str, np.ndarray]]:
    """Truth, and three methods that are right in about 90, 80 and 50 of 100."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    task = Classify.fit(truth.tolist())
    methods = {}
    for name, share in (("net", 0.9), ("near", 0.8), ("far", 0.5)):
        said = np.where(rng.random(400) < share, truth, (truth + 1) % 3)
        methods[name] = 0.1 + 0.7 * np.eye(3)[said]
    return task, truth, methods


def test_the_best_rival_is_compared_on_the_same_rows(
    answers: tuple[Classify, np.ndarray, dict[str, np.ndarray]],
) -> None:
    task, truth, methods = answers
    found = compare(task, methods["net"], targets=truth, others={k: methods[k] for k in ("far", "near")})
    assert found.best == "near"
    assert found.winner == "network"
    assert found.net.value == pytest.approx(accuracy_score(truth, methods["net"].argmax(1)))
    assert found.ahead is not None
    assert found.ahead[1:4] == paired(task, methods["net"], methods["near"], truth)
    back = compare(task, methods["near"], targets=truth, others={"net": methods["net"]})
    assert back.winner == "rival"
    assert compare(task, methods["near"], targets=truth, others={"copy": methods["near"]}).winner == "nobody"
    assert compare(task, methods["near"], targets=truth, others={}).winner == "alone"


def test_of_errors_the_least_is_best() -> None:
    task_type = next(t for t in TASKS if t.name == "forecast")
    truth = np.random.default_rng(0).normal(size=(200, 4))
    task = task_type.fit(truth)
    others = {"close": truth + 0.3, "far": truth + 3.0}
    found = compare(task, truth + 0.5, targets=truth, others=others)
    assert found.best == "close"
    assert found.ahead is not None
    assert found.ahead.value < 0


def test_the_section_shows_every_method_best_first(
    answers: tuple[Classify, np.ndarray, dict[str, np.ndarray]],
) -> None:
    task, truth, methods = answers
    found = compare(task, methods["net"], targets=truth, others={k: methods[k] for k in ("far", "near")})
    section = rivals(found)
    assert section.heading == "The network beats near, the best of its simple rivals."
    dots, table = section.findings[0].pictures
    assert isinstance(dots, Dots)
    assert isinstance(table, Rows)
    assert [row[0] for row in dots.rows] == ["the network", "near", "far"]
    assert len(table.rows) == 2
    assert section.findings[0].low == found.ahead.low if found.ahead else False


def test_no_rival_is_no_error() -> None:
    section = rivals(Comparison(CLIPS, {}))
    assert section.heading == "No simple rival to compare with."

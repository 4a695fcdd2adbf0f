"""Where answers that are numbers go wrong: by size of the truth, by step ahead, example by example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerwise.errors import shown
from layerwise.figures import count, number, share
from layerwise.findings import Curves, Dots, Finding, Gallery, Tile
from layerwise.look.examples import Examples
from layerwise.look.held import Held
from layerwise.randomness import Randomness

__all__ = ["forecast_findings", "number_findings"]

BINS = 10
MOST_TILES = 6


def number_findings(held: Held, examples: Examples | None) -> list[Finding]:
    """Answers against truth, error by size, and the worst mistakes as they are."""
    known = np.flatnonzero(np.isfinite(held.targets) & np.isfinite(held.decoded))
    if len(known) < 2:
        return []
    truth, answers = held.targets[known], held.decoded[known]
    findings = [_against_truth(truth, answers), _by_size(truth, answers)]
    if examples is not None:
        worst = known[np.argsort(-np.abs(answers - truth), kind="stable")][: 2 * MOST_TILES]
        tiles = [
            Tile(
                examples.show(int(i)),
                f"said {number(float(held.decoded[i]))}, is {number(float(held.targets[i]))}",
                shown(examples.ids[i], 60)[1:-1],
            )
            for i in worst
        ]
        findings.append(
            Finding(
                "mistakes",
                f"The {len(worst)} answers that are furthest off.",
                n=len(known),
                caveat="Chosen for being worst; most are closer.",
                pictures=(Gallery(tiles, "Examples with the largest errors.", examples=True),),
            )
        )
    return findings


def forecast_findings(held: Held, examples: Examples | None) -> list[Finding]:
    """Error by step ahead, and a fair draw of forecasts against what came. `examples` are not needed."""
    error = np.abs(held.decoded - held.targets)
    good = np.isfinite(error).all(axis=1)
    if not good.any():
        return []
    middle, low, high = (np.quantile(error[good], q, axis=0) for q in (0.5, 0.25, 0.75))
    steps = list(range(1, error.shape[1] + 1))
    by_step = Curves(
        steps,
        {"absolute error": middle.tolist()},
        "steps ahead",
        "absolute error (median)",
        f"Median absolute error: {number(middle[0])} one step ahead, {number(middle[-1])} at {steps[-1]}.",
        bands={"absolute error": (low.tolist(), high.tolist())},
    )
    findings = [
        Finding(
            "by_step",
            f"Half of the forecasts are off by less than {number(middle[0])} one step ahead,"
            f" by less than {number(middle[-1])} at {count(steps[-1])}.",
            n=int(good.sum()),
            method="the band holds the middle half of the errors",
            pictures=(by_step,),
        )
    ]
    drawn = _draw(np.flatnonzero(good), held.seed)
    tiles = [
        Tile(
            _course(steps, held.decoded[i], held.targets[i]),
            f"off by {number(error[i].mean())} on average",
            shown(examples.ids[i], 60)[1:-1] if examples is not None else "",
        )
        for i in drawn
    ]
    gallery = Gallery(tiles, "Forecasts beside what came, drawn by chance.", examples=True)
    findings.append(
        Finding(
            "forecasts",
            f"{len(drawn)} forecasts drawn by chance, beside what came.",
            n=int(good.sum()),
            pictures=(gallery,),
        )
    )
    return findings


def _against_truth(truth: np.ndarray, answers: np.ndarray) -> Finding:
    """Answers by truth in bins of equal numbers: the median, and where the middle 80 % lie."""
    bins = np.array_split(np.argsort(truth, kind="stable"), max(1, min(BINS, len(truth) // 10)))
    x = [float(np.median(truth[b])) for b in bins]
    low, middle, high = (np.array([np.quantile(answers[b], q) for b in bins]) for q in (0.1, 0.5, 0.9))
    pull = float(np.corrcoef(truth, answers)[0, 1]) if truth.std() > 0 and answers.std() > 0 else float("nan")
    chart = Curves(
        x,
        {"answer": middle.tolist()},
        "truth",
        "answer",
        "On the dashed line the answer is the truth.",
        bands={"answer": (low.tolist(), high.tolist())},
        diagonal=True,
    )
    return Finding(
        "against_truth",
        f"Answers and truth go together with a correlation of {number(pull)}.",
        value=pull if np.isfinite(pull) else None,
        n=len(truth),
        method=f"{len(bins)} bins of equal numbers; the band holds the middle 80 % of the answers",
        pictures=(chart,),
    )


def _by_size(truth: np.ndarray, answers: np.ndarray) -> Finding:
    """The mean absolute error in fifths by truth."""
    error = np.abs(answers - truth)
    rows: list[tuple[str, float, float | None, float | None]] = []
    for b in np.array_split(np.argsort(truth, kind="stable"), max(1, min(5, len(truth) // 10))):
        half = 1.96 * float(error[b].std(ddof=1)) / float(np.sqrt(len(b))) if len(b) > 1 else 0.0
        mean = float(error[b].mean())
        rows.append(
            (
                f"{number(float(truth[b].min()))} to {number(float(truth[b].max()))}",
                mean,
                max(0.0, mean - half),
                mean + half,
            )
        )
    worst = max(rows, key=lambda row: row[1])
    top = float(np.quantile(error, 0.9))
    chart = Dots(
        rows,
        "mean absolute error",
        "Mean absolute error by how large the truth is.",
    )
    return Finding(
        "by_size",
        f"It errs most where the truth is {worst[0]}: by {number(*worst[1:])} on average."
        f" {share(0.9)} of all answers are off by less than {number(top)}.",
        n=len(truth),
        method="parts of equal numbers by truth, 95 % intervals of the means",
        pictures=(chart,),
    )


def _draw(rows: np.ndarray, seed: int) -> np.ndarray:
    drawn = Randomness(seed).numpy("forecasts shown").permutation(len(rows))[:MOST_TILES]
    return np.sort(rows[drawn])


def _course(steps: Sequence[int], answer: np.ndarray, truth: np.ndarray) -> Curves:
    ends = [number(float(v)) for v in (answer[0], answer[-1], truth[0], truth[-1])]
    return Curves(
        steps,
        {"forecast": answer.tolist(), "truth": truth.tolist()},
        "steps ahead",
        "value",
        f"Forecast from {ends[0]} to {ends[1]}, truth from {ends[2]} to {ends[3]}.",
        small=True,
    )

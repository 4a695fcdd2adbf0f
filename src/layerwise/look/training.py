"""How training went: curves, what was chosen and why, what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from layerwise.figures import count, in_bytes, in_seconds, number
from layerwise.findings import Curves, Finding, Rows, Section
from layerwise.look.words import NAMES, capital
from layerwise.recipe import Recipe

__all__ = ["training"]

History = Mapping[str, Mapping[str, Sequence[Any]]]
BESIDE = "validation "


def training(
    history: History,
    recipe: Recipe,
    *,
    seconds: float,
    steps: int,
    peak_bytes: int | None = None,
    recovered: Sequence[str] = (),
    parts: tuple[Section, ...] = (),
) -> Section:
    """Loss and validation scores over time, the recipe with its reasons, seconds, steps and memory.

    `history` is what the training loop gave; `recovered` are the reasons of recoveries; `parts` are
    sections to stand below this one, such as what it costs to ask.
    """
    findings = _curves(history, best=recipe.training.patience is not None)
    findings.append(
        Finding("training.seconds", f"to train, {count(steps)} steps.", round(seconds, 2), unit="s")
    )
    if peak_bytes is not None:
        findings.append(
            Finding("training.memory", f"At most {in_bytes(peak_bytes)} of memory while training.")
        )
    if recovered:
        times = "once" if len(recovered) == 1 else f"{len(recovered)} times"
        findings.append(
            Finding(
                "training.recovered",
                f"Training went back to an earlier step {times}: {'; '.join(recovered)}.",
            )
        )
    findings.append(_choices(recipe))
    return Section(
        "training", f"Training took {in_seconds(seconds)} and {count(steps)} steps.", tuple(findings), parts
    )


def _curves(history: History, *, best: bool) -> list[Finding]:
    """Loss and scores over time; `best`: whether the weights of the lowest validation loss were kept."""
    epochs, curve = history.get("epochs", {}), history.get("curve", {})
    by_epoch = len(epochs.get("loss", ())) >= 2
    table = epochs if by_epoch else curve
    losses = list(table.get("loss", ()))
    if not losses:
        return []
    x = _running(table, "epoch" if by_epoch else "step")
    unit = "epoch" if by_epoch else "step"
    scores = {
        k.removeprefix(BESIDE): list(v)
        for k, v in table.items()
        if k.startswith(BESIDE) and any(s is not None for s in v)
    }
    beside = scores.pop("loss", None)
    lines = {"training": losses} if beside is None else {"training": losses, "validation": beside}
    findings = [
        Finding(
            "training.loss",
            _fell(losses, beside, x, unit, best=best),
            pictures=(_chart(x, lines, unit, "loss"),),
        ),
    ]
    for name, values in scores.items():
        label = NAMES.get(name, name)
        last = next(v for v in reversed(values) if v is not None)
        findings.append(
            Finding(
                f"training.{name}",
                f"{capital(label)} on the validation rows ended at {number(last)}.",
                pictures=(_chart(x, {"validation": values}, unit, label),),
            )
        )
    return findings


def _running(table: Mapping[str, Sequence[Any]], name: str) -> list[float]:
    """Epochs or steps counted on from phase to phase."""
    values, phases = table[name], table.get("phase", [None] * len(table[name]))
    running: list[float] = []
    before = 0.0
    for i, value in enumerate(values):
        if i and phases[i] != phases[i - 1]:
            before = running[-1]
        running.append(before + float(value))
    return running


def _fell(
    losses: Sequence[float | None],
    beside: Sequence[float | None] | None,
    x: Sequence[float],
    unit: str,
    *,
    best: bool,
) -> str:
    known = [v for v in losses if v is not None]
    sentence = f"The loss on training rows went from {number(known[0])} to {number(known[-1])}."
    if beside is not None:
        least, at = min((v, a) for v, a in zip(beside, x, strict=True) if v is not None)
        when = f"{unit} {number(round(at, 1))} of {number(round(x[-1], 1))}"
        kept = "these weights are the ones kept" if best else "the weights of the end are kept"
        sentence += f" On validation rows it was lowest, {number(least)}, at {when}; {kept}."
    return sentence


def _chart(x: Sequence[float], lines: Mapping[str, Sequence[float | None]], unit: str, label: str) -> Curves:
    ends = [
        f"{name} from {number(_first(v))} to {number(_first(list(reversed(v))))}" for name, v in lines.items()
    ]
    return Curves(x, lines, unit, label, f"{capital(label)} by {unit}: {'; '.join(ends)}.")


def _first(values: Sequence[float | None]) -> float | None:
    return next((v for v in values if v is not None), None)


def _choices(recipe: Recipe) -> Finding:
    """Every line of the recipe, those with a reason first."""
    lines = recipe.lines()
    rows = [(name, _text(value), recipe.why.get(name, "")) for name, value in lines.items()]
    rows += [(name, "", why) for name, why in recipe.why.items() if name not in lines]
    rows.sort(key=lambda row: not row[2])
    table = Rows(
        ["choice", "value", "reason"], rows, f"Every choice of this run: {len(lines)} lines.", fold=True
    )
    said = "What was chosen, with the reason where there is one; --set name=value changes a choice."
    return Finding("training.choices", said, pictures=(table,))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

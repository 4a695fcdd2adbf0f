"""A trained model and its held-out rows in; an account of how good it is, as findings, out."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from layerwise import look
from layerwise.figures import figure, in_seconds
from layerwise.findings import Gallery, Section
from layerwise.kinds.base import Rival
from layerwise.kinds.rivals import challenge
from layerwise.look import Comparison, Examples, OtherSplit
from layerwise.model import Model
from layerwise.randomness import Randomness
from layerwise.record import to_record
from layerwise.tasks.base import Metric
from layerwise.workflows.account import note, sections_of
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.prepare import Prepared
from layerwise.workflows.supervised import answer_rows, supervised

__all__ = ["judge", "without_examples"]

MOST_RIVAL_ROWS = 20_000
ANEW = "the same network from first weights"
CHEAP = ("linear", "neighbours", "naive", "majority")  # learners, in the order in which they show a gap


def judge(
    model: Model,
    prepared: Prepared,
    *,
    folder: Path | None,
    data: Sequence[str],
    thorough: bool,
    examples: bool,
    narrator: Narrator,
    start: str | None = None,
) -> tuple[Section, ...]:
    """Everything the page says; `model.findings` and `model.about` get what a folder keeps of it.

    A network that was begun with the levels in the folder `start` has itself from first weights as a rival, if
    `thorough`.
    """
    started = time.monotonic()
    seed = model.recipe.training.seed
    held, targets, groups = (
        prepared.test,
        prepared.targets[prepared.test],
        _of(prepared.groups, prepared.test),
    )
    decoded = model.task.decode(answer_rows(model.net, prepared, held))
    metrics = model.task.metrics(decoded, targets, groups=groups, seed=seed)
    narrator.say("Rivals", "the simple methods learn the same training examples")
    others = {
        rival.name: _challenge(rival, prepared, prepared.train, held, seed) for rival in _rivals(prepared)
    }
    if start is not None and thorough:
        others[ANEW] = _net_anew(model, prepared, narrator)
    comparison = look.compare(model.task, decoded, targets=targets, others=others, groups=groups, seed=seed)
    other_split = None
    if prepared.split.kind == "groups":
        other_split = (
            _net_at_random(model, prepared, decoded, narrator)
            if thorough
            else _rival_at_random(prepared, others, seed)
        )
    shown = Examples(prepared.kind, prepared.store, held, prepared.ids(held))
    sections = sections_of(
        model, prepared, decoded, comparison, other_split, shown, folder=folder, data=data, start=start
    )
    model.findings = to_record(sections)
    note(
        model,
        prepared,
        metrics,
        comparison,
        sections,
        other_split=other_split,
        seconds=time.monotonic() - started,
    )
    _say(narrator, model, metrics[model.task.primary], comparison)
    return sections if examples else tuple(without_examples(s) for s in sections)


def _rivals(prepared: Prepared) -> tuple[Rival, ...]:
    """The simple methods for this kind, without those that compare more pairs than they can."""
    pairs = len(prepared.train) * (len(prepared.train) + len(prepared.test))
    proposed = prepared.kind.rivals(prepared.spec, prepared.task)
    return tuple(r for r in proposed if r.most_pairs is None or pairs <= r.most_pairs)


def _challenge(
    rival: Rival, prepared: Prepared, train: np.ndarray, test: np.ndarray, seed: int
) -> np.ndarray:
    """What a rival answers for `test`; it learns at most its own number of training rows."""
    most = min(rival.most, MOST_RIVAL_ROWS)
    if len(train) > most:
        draw = Randomness(seed).at("rivals").numpy("rows")
        train = np.sort(draw.choice(train, most, replace=False))
    store = prepared.store
    facts = [{name: fact[rows] for name, fact in store.facts.items()} for rows in (train, test)]
    return challenge(
        rival,
        prepared.task,
        store.take(train),
        facts[0],
        prepared.targets[train],
        store.take(test),
        facts[1],
        spec=prepared.spec,
        seed=seed,
    )


def _net_anew(model: Model, prepared: Prepared, narrator: Narrator) -> np.ndarray:
    """What the same network answers that begins with first weights, all of which learn."""
    narrator.say("Thorough", f"{ANEW}, on the same training examples")
    recipe = replace(model.recipe, training=replace(model.recipe.training, frozen=False))
    other = replace(prepared, task=copy.deepcopy(model.task))
    twin = supervised(other, recipe, checkpoint=None, narrator=narrator)
    return twin.task.decode(answer_rows(twin.net, other, other.test))


def _net_at_random(model: Model, prepared: Prepared, decoded: np.ndarray, narrator: Narrator) -> OtherSplit:
    """The same network, trained and judged once more on a random split of the same sizes."""
    seed, task = model.recipe.training.seed, copy.deepcopy(model.task)
    held = len(prepared.test)
    rows = Randomness(seed).numpy("random split").permutation(len(prepared.targets))
    test, validation = rows[:held], rows[held : held + len(prepared.validation)]
    train = rows[held + len(prepared.validation) :]
    train, validation, test = (prepared.store.rows[np.sort(part)] for part in (train, validation, test))
    split = replace(prepared.split, train=train, validation=validation, test=test)
    other = replace(prepared, task=task, split=split)
    narrator.say("Thorough", "the same network once more, on a random split")
    twin = supervised(other, model.recipe, checkpoint=None, narrator=narrator)
    answered = twin.task.decode(answer_rows(twin.net, other, other.test))
    used = model.task.metrics(
        decoded, prepared.targets[prepared.test], groups=_of(prepared.groups, prepared.test), seed=seed
    )
    random = twin.task.metrics(answered, prepared.targets[other.test], seed=seed)
    return OtherSplit("the network", used[task.primary], random[task.primary])


def _rival_at_random(prepared: Prepared, others: Mapping[str, np.ndarray], seed: int) -> OtherSplit | None:
    """The cheapest rival on the split by group and on a random one of the same size."""
    ranked = sorted(
        (r for r in _rivals(prepared) if r.learner in CHEAP), key=lambda r: CHEAP.index(r.learner)
    )
    if not ranked:
        return None
    rival, task = ranked[0], prepared.task
    rows = Randomness(seed).numpy("random split").permutation(len(prepared.targets))
    test, train = np.sort(rows[: len(prepared.test)]), np.sort(rows[len(prepared.test) :])
    answered = _challenge(rival, prepared, train, test, seed)
    used = task.metrics(
        others[rival.name],
        prepared.targets[prepared.test],
        groups=_of(prepared.groups, prepared.test),
        seed=seed,
    )
    random = task.metrics(answered, prepared.targets[test], seed=seed)
    return OtherSplit(rival.name, used[task.primary], random[task.primary])


def _say(narrator: Narrator, model: Model, metric: Metric, comparison: Comparison) -> None:
    spans = "spans of time" if model.task.name == "forecast" else "groups"
    over = f" in {metric.groups} {spans}" if metric.groups else ""
    said = figure(metric.value, metric.low, metric.high)
    lines = [f"held-out {metric.name.replace('_', ' ')} {said}, n = {metric.n:,}{over}"]
    if comparison.best is not None and comparison.ahead is not None:
        best = comparison.rivals[comparison.best][metric.name]
        ahead = comparison.ahead
        wins = " wins" if comparison.winner == "rival" else ""
        lines.append(
            f"the best rival{wins}: {figure(best.value)} ({comparison.best}), "
            f"paired difference {ahead.value:+.3g} [{ahead.low:+.3g}, {ahead.high:+.3g}]"
        )
    lines.append(f"trained in {in_seconds(model.about['seconds']['training'])}")
    narrator.say("Done", *lines)


def without_examples(section: Section) -> Section:
    findings = tuple(
        replace(f, pictures=tuple(p for p in f.pictures if not (isinstance(p, Gallery) and p.examples)))
        for f in section.findings
    )
    return replace(section, findings=findings, parts=tuple(without_examples(p) for p in section.parts))


def _of(groups: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if groups is None else groups[rows]

"""A trained model and its held-out rows in; an account of how good it is, as findings, out."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from layerwise import look
from layerwise.figures import figure, in_seconds
from layerwise.findings import Finding, Gallery, Section
from layerwise.kinds.base import Rival
from layerwise.kinds.rivals import challenge
from layerwise.look import Comparison, Examples, OtherSplit, Parts
from layerwise.model import Model
from layerwise.nn import describe
from layerwise.randomness import Randomness
from layerwise.record import to_record
from layerwise.tasks.base import Metric
from layerwise.workflows.learn import answer_rows, learn
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.prepare import Prepared

__all__ = ["judge"]

MOST_RIVAL_ROWS = 20_000
CHEAP = ("linear", "neighbours", "naive", "majority")  # learners, in the order in which they show a gap


def judge(
    model: Model,
    prepared: Prepared,
    *,
    folder: Path | None,
    data: str,
    thorough: bool,
    examples: bool,
    narrator: Narrator,
) -> tuple[Section, ...]:
    """Everything the page says; `model.findings` and `model.about` get what a folder keeps of it."""
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
    comparison = look.compare(model.task, decoded, targets=targets, others=others, groups=groups, seed=seed)
    other_split = None
    if prepared.split.kind == "groups":
        other_split = (
            _net_at_random(model, prepared, decoded, narrator)
            if thorough
            else _rival_at_random(prepared, others, seed)
        )
    shown = Examples(prepared.kind, prepared.store, held, prepared.ids(held))
    sections = _sections(model, prepared, decoded, comparison, other_split, shown, folder=folder, data=data)
    model.findings = to_record(sections)
    _note(
        model,
        prepared,
        metrics,
        comparison,
        sections,
        other_split=other_split,
        seconds=time.monotonic() - started,
    )
    _say(narrator, model, metrics[model.task.primary], comparison)
    return sections if examples else tuple(_without_examples(s) for s in sections)


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


def _net_at_random(model: Model, prepared: Prepared, decoded: np.ndarray, narrator: Narrator) -> OtherSplit:
    """The same network, trained and judged once more on a random split of the same sizes."""
    seed, task = model.recipe.training.seed, copy.deepcopy(model.task)
    held = len(prepared.test)
    rows = Randomness(seed).numpy("random split").permutation(len(prepared.targets))
    test, validation = rows[:held], rows[held : held + len(prepared.validation)]
    train = rows[held + len(prepared.validation) :]
    other = replace(
        prepared, task=task, train=np.sort(train), validation=np.sort(validation), test=np.sort(test)
    )
    narrator.say("Thorough", "the same network once more, on a random split")
    twin = learn(other, model.recipe, checkpoint=None, narrator=narrator)
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


def _sections(
    model: Model,
    prepared: Prepared,
    decoded: np.ndarray,
    comparison: Comparison,
    other_split: OtherSplit | None,
    shown: Examples,
    *,
    folder: Path | None,
    data: str,
) -> tuple[Section, ...]:
    task, seed, held = model.task, model.recipe.training.seed, prepared.test
    parts = Parts(prepared.train, prepared.validation, held, prepared.split.why)
    every = np.arange(len(prepared.store))
    word = prepared.roles.group or "group"
    groups, held_groups = prepared.groups, _of(prepared.groups, held)
    levels = look.levels(
        model.net,
        prepared.spec,
        kind=prepared.kind,
        task=task,
        store=prepared.store,
        probe_rows=prepared.train,
        probe_targets=prepared.targets[prepared.train],
        held_rows=held,
        held_targets=prepared.targets[held],
        groups=held_groups,
        ids=prepared.ids(held),
        seed=seed,
    )
    described = describe(model.net, prepared.spec)
    cost = look.cost(
        model.net,
        prepared.store,
        held,
        model_bytes=4 * sum(p.numel() for p in model.net.parameters()),
        multiply_adds=sum(level.cost for level in described if "." not in level.name),
    )
    return (
        Section("verdict", "", (_verdict(comparison, prepared, word),)),
        look.use(str(folder or f"{model.name}-model"), data=data),
        look.data(
            task,
            targets=prepared.targets,
            parts=parts,
            groups=groups,
            group_word=word,
            examples=Examples(prepared.kind, prepared.store, every, prepared.ids(every)),
            left_out=prepared.left_out,
            notes=(
                *prepared.source.notes,
                *prepared.roles.notes,
                f"Kind: {prepared.kind.name}, {prepared.kind_why}",
                f"Task: {task.name}, {prepared.task_why}",
            ),
            reading=prepared.reader.choices(),
            other_split=other_split,
            seed=seed,
        ),
        look.quality(
            task,
            decoded,
            targets=prepared.targets[held],
            groups=held_groups,
            group_word=word,
            examples=shown,
            seed=seed,
        ),
        levels,
        look.training(
            model.history,
            model.recipe,
            seconds=model.about["seconds"]["training"],
            steps=model.about["steps"][-1],
            peak_bytes=look.peak_memory(),
            parts=(cost,),
        ),
        look.rivals(comparison, group_word=word),
        look.doubts(
            task,
            targets=prepared.targets,
            parts=parts,
            comparison=comparison,
            things=prepared.kind.plural,
            groups=groups,
            group_word=word,
            left_out=len(prepared.left_out),
            other_split=other_split,
            facts=prepared.store.facts,
        ),
    )


def _verdict(comparison: Comparison, prepared: Prepared, word: str) -> Finding:
    whole = prepared.split.kind == "groups"
    return look.verdict(
        comparison, plural=prepared.kind.plural, verb=prepared.kind.verb, group_word=word if whole else None
    )


def _note(
    model: Model,
    prepared: Prepared,
    metrics: Mapping[str, Metric],
    comparison: Comparison,
    sections: Sequence[Section],
    *,
    other_split: OtherSplit | None,
    seconds: float,
) -> None:
    """What a program asks about a run, as `--json` gives it and model.json keeps it."""
    sizes = {"train": len(prepared.train), "validation": len(prepared.validation), "test": len(prepared.test)}
    groups = (
        None
        if prepared.groups is None
        else {
            "column": prepared.roles.group,
            "n": len(np.unique(prepared.groups)),
        }
    )
    model.about |= {
        "verdict": sections[0].findings[0].sentence,
        "data": f"{len(prepared.source):,} {prepared.kind.plural} from {prepared.source.name}",
        "answer": model.task.sentence,
        "network": " -> ".join(s.name for s in model.recipe.network),
        "split_why": prepared.split.why,
        "metrics": {name: m.to_json() for name, m in metrics.items()},
        "split": {"kind": prepared.split.kind, "why": prepared.split.why, "groups": groups, "counts": sizes},
        "quarantined": [{"path": _text(one.path), "reason": one.reason} for one in prepared.left_out],
        "rivals": [
            {"name": name, "metrics": {k: m.to_json() for k, m in found.items()}}
            for name, found in comparison.rivals.items()
        ],
        "levels": [_level(part) for s in sections if s.name == "levels" for part in s.parts],
        "seconds": {**model.about["seconds"], "judging": seconds},
        **({} if other_split is None else {"random_split": _other(other_split)}),
    }


def _other(split: OtherSplit) -> dict[str, Any]:
    return {"rival": split.rival, "used": split.used.to_json(), "random": split.random.to_json()}


def _level(part: Section) -> dict[str, Any]:
    probe = next((f for f in part.findings if f.name.endswith(".probe")), None)
    plain: dict[str, Any] = {"name": part.name.removeprefix("levels."), **part.facts}
    if probe is not None and probe.value is not None:
        plain["probe"] = {"value": probe.value, "low": probe.low, "high": probe.high, "n": probe.n}
    return plain


def _say(narrator: Narrator, model: Model, metric: Metric, comparison: Comparison) -> None:
    over = f" in {metric.groups} groups" if metric.groups else ""
    said = figure(metric.value, metric.low, metric.high)
    lines = [f"held-out {metric.name.replace('_', ' ')} {said}, n = {metric.n:,}{over}"]
    if comparison.best is not None and comparison.ahead is not None:
        best = comparison.rivals[comparison.best][metric.name]
        ahead = comparison.ahead
        lines.append(
            f"the best simple rival: {figure(best.value)} ({comparison.best}), "
            f"paired difference {ahead.value:+.3g} [{ahead.low:+.3g}, {ahead.high:+.3g}]"
        )
    lines.append(f"trained in {in_seconds(model.about['seconds']['training'])}")
    narrator.say("Done", *lines)


def _without_examples(section: Section) -> Section:
    findings = tuple(
        replace(f, pictures=tuple(p for p in f.pictures if not (isinstance(p, Gallery) and p.examples)))
        for f in section.findings
    )
    return replace(section, findings=findings, parts=tuple(_without_examples(p) for p in section.parts))


def _of(groups: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if groups is None else groups[rows]


def _text(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()

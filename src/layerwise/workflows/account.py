"""What is said of a run: sections of findings for the page, and plain data for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from layerwise import look
from layerwise.findings import Finding, Section
from layerwise.look import Comparison, Examples, OtherSplit, Parts
from layerwise.model import Model
from layerwise.nn import describe
from layerwise.tasks.base import Metric
from layerwise.workflows.prepare import Prepared

__all__ = ["level_facts", "note", "path_text", "sections_of"]


def sections_of(
    model: Model,
    prepared: Prepared,
    decoded: np.ndarray,
    comparison: Comparison,
    other_split: OtherSplit | None,
    shown: Examples,
    *,
    folder: Path | None,
    data: Sequence[str],
) -> tuple[Section, ...]:
    """The page's sections; `decoded` are the network's answers for the held-out rows that `shown` shows.

    `data` is what the command `fit` was given: the data, then the options that say what they are.
    """
    task, seed, held = model.task, model.recipe.training.seed, prepared.test
    parts = Parts(prepared.train, prepared.validation, held, prepared.split.why)
    every = np.arange(len(prepared.store))
    word = prepared.roles.group or ("span" if prepared.split.kind == "time" else "group")
    groups, held_groups = prepared.groups, None if prepared.groups is None else prepared.groups[held]
    levels = look.levels(
        model.net,
        prepared.spec,
        kind=prepared.kind,
        store=prepared.store,
        held_rows=held,
        ids=prepared.ids(held),
        known=look.Known(
            task, prepared.train, prepared.targets[prepared.train], prepared.targets[held], held_groups
        ),
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
        look.use(str(folder or f"{model.name}-model"), data=data[0], options=data[1:]),
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
            groups=_names(prepared, held),
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


def _names(prepared: Prepared, rows: np.ndarray) -> np.ndarray | None:
    """What the groups of stored rows are called."""
    if prepared.groups is None or prepared.roles.group is None:
        return None
    cells = prepared.source.columns[prepared.roles.group].take(prepared.store.rows[rows])
    return np.array([str(cell) for cell in cells])


def _verdict(comparison: Comparison, prepared: Prepared, word: str) -> Finding:
    whole = prepared.split.kind == "groups"
    return look.verdict(
        comparison, plural=prepared.kind.plural, verb=prepared.kind.verb, group_word=word if whole else None
    )


def note(
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
        "quarantined": [{"path": path_text(one.path), "reason": one.reason} for one in prepared.left_out],
        "rivals": [
            {"name": name, "metrics": {k: m.to_json() for k, m in found.items()}}
            for name, found in comparison.rivals.items()
        ],
        "levels": [level_facts(part) for s in sections if s.name == "levels" for part in s.parts],
        "seconds": {**model.about["seconds"], "judging": seconds},
        **({} if other_split is None else {"random_split": _other(other_split)}),
    }


def _other(split: OtherSplit) -> dict[str, Any]:
    return {"rival": split.rival, "used": split.used.to_json(), "random": split.random.to_json()}


def level_facts(part: Section) -> dict[str, Any]:
    probe = next((f for f in part.findings if f.name.endswith(".probe")), None)
    plain: dict[str, Any] = {"name": part.name.removeprefix("levels."), **part.facts}
    if probe is not None and probe.value is not None:
        plain["probe"] = {"value": probe.value, "low": probe.low, "high": probe.high, "n": probe.n}
    return plain


def path_text(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()

"""What is said of a run: sections of findings for the page, and plain data for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from layerwise import look
from layerwise.findings import Finding, Section
from layerwise.look import Comparison, Examples, OtherSplit
from layerwise.model import Model, Product
from layerwise.nn import describe
from layerwise.tasks import Task
from layerwise.tasks.base import Metric
from layerwise.workflows.prepare import Prepared
from layerwise.workflows.stored import Stored

__all__ = ["data_of", "facts_of", "levels_of", "note", "sections_of", "training_of"]


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
    start: str | None,
) -> tuple[Section, ...]:
    """The page's sections; `decoded` are the network's answers for the held-out rows that `shown` shows.

    `data` is what the command `fit` was given: the data, then the options that say what they are; `start` the
    folder of the levels that it began with.
    """
    task, seed, held = model.task, model.recipe.training.seed, prepared.test
    word = prepared.roles.group or ("span" if prepared.split.kind == "time" else "group")
    known = look.Known(
        task,
        prepared.train,
        prepared.targets[prepared.train],
        prepared.targets[held],
        None if prepared.groups is None else prepared.groups[held],
    )
    return (
        Section("verdict", "", (_verdict(comparison, prepared, word),)),
        look.use(str(folder or f"{model.name}-model"), data=data[0], options=data[1:], start=start),
        data_of(
            prepared,
            task,
            prepared.targets,
            group_word=word,
            note=f"Task: {task.name}, {prepared.task_why}",
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
        levels_of(model, prepared, held, known, seed=seed),
        training_of(model, prepared, held),
        look.rivals(comparison, group_word=word),
        look.doubts(
            task,
            targets=prepared.targets,
            parts=prepared.parts,
            comparison=comparison,
            things=prepared.kind.plural,
            groups=prepared.groups,
            group_word=word,
            left_out=len(prepared.left_out),
            other_split=other_split,
            facts=prepared.store.facts,
            start=start,
        ),
    )


def data_of(
    stored: Stored,
    task: Task | None,
    targets: np.ndarray | None,
    *,
    group_word: str,
    note: str | None,
    seed: int,
    other_split: OtherSplit | None = None,
    role: str = "the answer is",
) -> Section:
    """What the page says of the data; `targets` (N, ...) are of all stored examples."""
    every = np.arange(len(stored.store))
    kind = f"Kind: {stored.kind.name}, {stored.kind_why}"
    return look.data(
        task,
        targets=targets,
        parts=stored.parts,
        groups=stored.groups,
        group_word=group_word,
        examples=Examples(stored.kind, stored.store, every, stored.ids(every)),
        left_out=stored.left_out,
        notes=(*stored.source.notes, *stored.roles.notes, kind, *([] if note is None else [note])),
        reading=stored.reader.choices(),
        other_split=other_split,
        role=role,
        seed=seed,
    )


def levels_of(
    product: Product, stored: Stored, held: np.ndarray, known: look.Known | None, *, seed: int
) -> Section:
    """What the page says of the network's levels, looked at with the rows `held`."""
    return look.levels(
        product.net,
        stored.spec,
        kind=stored.kind,
        store=stored.store,
        held_rows=held,
        ids=stored.ids(held),
        known=known,
        seed=seed,
    )


def training_of(product: Product, stored: Stored, held: np.ndarray) -> Section:
    """What the page says of training, and of what an answer costs, measured on the rows `held`."""
    described = describe(product.net, stored.spec)
    cost = look.cost(
        product.net,
        stored.store,
        held,
        model_bytes=4 * sum(p.numel() for p in product.net.parameters()),
        multiply_adds=sum(level.cost for level in described if "." not in level.name),
    )
    return look.training(
        product.history,
        product.recipe,
        seconds=product.about["seconds"]["training"],
        steps=product.about["steps"][-1],
        peak_bytes=look.peak_memory(),
        parts=(cost,),
    )


def facts_of(product: Product, stored: Stored, sections: Sequence[Section]) -> dict[str, Any]:
    """What a program asks about any run: what it was of, what came out, what was left out."""
    counts = {"train": len(stored.train), "validation": len(stored.validation), "test": len(stored.test)}
    return {
        "verdict": sections[0].findings[0].sentence,
        "data": f"{len(stored.store):,} {stored.kind.plural} from {stored.source.name}",
        "network": " -> ".join(s.name for s in product.recipe.network),
        "split_why": stored.split.why,
        "split": {"kind": stored.split.kind, "why": stored.split.why, "counts": counts},
        "quarantined": [{"path": _path_text(x.path), "reason": x.reason} for x in stored.left_out],
        "levels": [_level_facts(part) for s in sections if s.name == "levels" for part in s.parts],
    }


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
    facts = facts_of(model, prepared, sections)
    groups = None
    if prepared.groups is not None:
        groups = {"column": prepared.roles.group, "n": len(np.unique(prepared.groups))}
    model.about |= {
        **facts,
        "answer": model.task.sentence,
        "metrics": {name: m.to_json() for name, m in metrics.items()},
        "split": {**facts["split"], "groups": groups},
        "rivals": [
            {"name": name, "metrics": {k: m.to_json() for k, m in found.items()}}
            for name, found in comparison.rivals.items()
        ],
        "seconds": {**model.about["seconds"], "judging": seconds},
        **({} if other_split is None else {"random_split": _other(other_split)}),
    }


def _other(split: OtherSplit) -> dict[str, Any]:
    return {"rival": split.rival, "used": split.used.to_json(), "random": split.random.to_json()}


def _level_facts(part: Section) -> dict[str, Any]:
    probe = next((f for f in part.findings if f.name.endswith(".probe")), None)
    plain: dict[str, Any] = {"name": part.name.removeprefix("levels."), **part.facts}
    if probe is not None and probe.value is not None:
        plain["probe"] = {"value": probe.value, "low": probe.low, "high": probe.high, "n": probe.n}
    return plain


def _path_text(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()

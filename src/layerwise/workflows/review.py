"""Features and held-out rows in; an account of what was learned without labels, as findings, out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from layerwise import look
from layerwise.findings import Section
from layerwise.look import Examples, Known
from layerwise.look.features import features as level_features
from layerwise.model import Features, Model
from layerwise.randomness import Randomness
from layerwise.record import to_record
from layerwise.segments import Cut
from layerwise.values import collate
from layerwise.workflows.account import data_of, facts_of, levels_of, training_of
from layerwise.workflows.belief import Made
from layerwise.workflows.gather import Gathered, coded
from layerwise.workflows.judge import without_examples
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.segmenting import Found, told
from layerwise.workflows.settle import untrained

__all__ = ["review", "review_rows"]

MOST_ROWS = 4_000  # training rows that probes are fitted on, and held-out rows that are looked at
BATCH = 256


def review(
    features: Features,
    gathered: Gathered,
    made: Made | None,
    segments: Found | None,
    *,
    folder: Path | None,
    data: Sequence[str],
    examples: bool,
    narrator: Narrator,
) -> tuple[Section, ...]:
    """Everything the page says; `features.findings` and `features.about` get what a folder keeps of it."""
    started = time.monotonic()
    seed, kind, store, held = features.recipe.training.seed, gathered.kind, gathered.store, gathered.shown
    known, ids = gathered.known(), gathered.ids(held)
    drawn = np.sort(Randomness(seed).numpy("held-out rows looked at").permutation(len(held))[:MOST_ROWS])
    codes = coded(features.net, gathered, held[drawn])
    few = None if known is None else _thinned(known, drawn, seed)
    learned = look.learned(
        codes,
        examples=Examples(kind, store, held[drawn], [ids[i] for i in drawn]),
        known=few,
        ways={} if few is None else _ways(features, gathered, codes, held[drawn], few.rows),
        n=len(gathered.train),
        seed=seed,
    )
    cut = segments is not None and segments.cut.net is not None
    first = segments.section.findings[0] if segments is not None and cut else learned.verdict
    out = str(folder or f"{features.name}-features")
    sections = (
        Section("verdict", "", (replace(first, pictures=()),)),
        look.use_features(out, data=data[0], options=data[1:])
        if segments is None or not cut
        else _use(segments.cut, out, data),
        *(() if segments is None else (segments.section,)),
        _data(gathered, seed),
        learned.section,
        *(() if made is None else (_made(made, gathered),)),
        levels_of(features, gathered, held, known, seed=seed),
        training_of(features, gathered, held),
        look.doubts_of_features(
            parts=gathered.parts,
            things=kind.plural,
            judged=known is not None,
            groups=gathered.groups,
            group_word=gathered.roles.group or "group",
            left_out=len(gathered.left_out),
            facts=store.facts,
        ),
    )
    features.findings = to_record(sections)
    features.about |= {
        **facts_of(features, gathered, sections),
        "answer": f"{codes.shape[1]:,} features, learned without labels",
        "features": codes.shape[1],
        "checks": learned.checks,
        "seconds": {**features.about["seconds"], "judging": time.monotonic() - started},
        **({} if segments is None else {"segments": told(segments.cut)}),
    }
    said = [] if segments is None else [segments.section.findings[0].sentence]
    narrator.say("Done", *said, learned.verdict.sentence)
    return sections if examples else tuple(without_examples(s) for s in sections)


def review_rows(
    model: Model,
    gathered: Gathered,
    found: Found,
    *,
    folder: Path | None,
    data: Sequence[str],
    examples: bool,
    narrator: Narrator,
) -> tuple[Section, ...]:
    """Everything the page says of a table that was cut into segments."""
    seed = model.recipe.training.seed
    segments = found.section
    verdict = replace(segments.findings[0], pictures=())
    sections = (
        Section("verdict", "", (verdict,)),
        _use(found.cut, str(folder or f"{model.name}-segments"), data),
        segments,
        _data(gathered, seed),
    )
    model.findings = to_record(sections)
    model.about |= {
        **facts_of(model, gathered, sections),
        "answer": model.task.sentence,
        "segments": told(found.cut),
    }
    narrator.say("Done", verdict.sentence, *(part.heading for part in segments.parts))
    return sections if examples else tuple(without_examples(s) for s in sections)


def _use(cut: Cut, folder: str, data: Sequence[str]) -> Section:
    asked = cut.segments.number if cut.segments.fixed else None
    return look.use_segments(folder, data=data[0], options=data[1:], number=asked)


def _thinned(known: Known, drawn: np.ndarray, seed: int) -> Known:
    """Labels of the held-out rows that are looked at, and of at most so many training rows."""
    fitted = np.sort(Randomness(seed).numpy("rows probed").permutation(len(known.rows))[:MOST_ROWS])
    groups = None if known.groups is None else known.groups[drawn]
    return Known(known.task, known.rows[fitted], known.targets[fitted], known.held_targets[drawn], groups)


def _ways(
    features: Features, gathered: Gathered, codes: np.ndarray, held: np.ndarray, rows: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What was learned, and others: of the same network untrained, of the raw input, of nothing, of patches.

    Each for the training `rows` and the rows `held`.
    """
    store = gathered.store
    first = untrained(features.recipe, gathered.spec, None)
    nothing = np.zeros((len(rows), 1), np.float32), np.zeros((len(held), 1), np.float32)
    ways = {
        "the features learned": (coded(features.net, gathered, rows), codes),
        "the same network untrained": (coded(first, gathered, rows), coded(first, gathered, held)),
        "the raw input": (_raw(gathered, rows), _raw(gathered, held)),
    }
    if gathered.kind.patches is not None:
        parts = [(store.take(p), {name: fact[p] for name, fact in store.facts.items()}) for p in (rows, held)]
        patches = gathered.kind.patches(*parts[0], gathered.spec)
        train, test = (np.asarray(patches(*part), np.float32) for part in parts)
        ways["k-means of patches"] = (train, test)
    return ways | {"the labels' frequencies alone": nothing}


def _made(made: Made, gathered: Gathered) -> Section:
    examples = Examples(gathered.kind, gathered.store, made.rows, gathered.ids(made.rows))
    return look.made(made.samples, made.reconstructed, examples=examples)


def _raw(gathered: Gathered, rows: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [
            level_features(
                collate(gathered.store.take(rows[i : i + BATCH]), gathered.store.spec), gathered.spec
            )
            for i in range(0, len(rows), BATCH)
        ]
    )


def _data(gathered: Gathered, seed: int) -> Section:
    labels = gathered.labels
    return data_of(
        gathered,
        None if labels is None else labels.task,
        None if labels is None else labels.targets,
        group_word=gathered.roles.group or "group",
        note=None if labels is None else "The labels are not learned from; they only judge what was learned",
        role="labels that only judge:",
        seed=seed,
    )

"""Every kind of data has, for every level, a probe score and a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from layerwise.data import Column, Store
from layerwise.findings import Curves, Gallery, Image, Rows, Section, Snippet, Sound
from layerwise.kinds import KINDS
from layerwise.kinds.base import Kind
from layerwise.look import Known, levels
from layerwise.nn import build
from layerwise.tasks import TASKS
from layerwise.tasks.base import Task

N = 60
RNG = np.random.default_rng(0)
CLASSES = np.arange(N) % 2


def pictures() -> dict[str, Column]:
    """Bright left or bright right halves."""
    x = RNG.integers(0, 80, (N, 12, 12), dtype=np.uint8)
    for i, side in enumerate(CLASSES):
        x[i, :, 6 * side : 6 * side + 6] += 120
    return {"picture": Column("picture", "arrays", x)}


def sounds() -> dict[str, Column]:
    """Low or high tones of unequal length."""
    tones = [
        (8000 * np.sin(2 * np.pi * (300 + 900 * c) * np.arange(2000 + 40 * i) / 8000)).astype(np.int16)
        for i, c in enumerate(CLASSES)
    ]
    return {"clip": Column("clip", "arrays", tones, rate_hz=8000.0)}


def texts() -> dict[str, Column]:
    """Good words or bad words among others."""
    words = [["a fine, fine film", "good and warm"], ["a dull, dull film", "bad and cold"]]
    lines = [f"{words[c][i % 3 % 2]} number {i} of them all" for i, c in enumerate(CLASSES)]
    return {"text": Column("text", "cells", pl.Series(lines))}


def tables() -> dict[str, Column]:
    """A number with gaps and a category."""
    numbers = pl.Series([None if i % 7 == 0 else float(c) + i % 5 for i, c in enumerate(CLASSES)])
    return {
        "size": Column("size", "cells", numbers),
        "colour": Column("colour", "cells", pl.Series([["red", "blue", "green"][i % 3] for i in range(N)])),
    }


def mixed() -> dict[str, Column]:
    """A table with a column of pictures and one of texts."""
    return {**tables(), **pictures(), **texts()}


def looked_at(
    folder: Path, columns: Mapping[str, Column], task: Task, targets: np.ndarray
) -> tuple[Kind, Section]:
    """The levels of the network that the kind proposes, untrained."""
    kind = next(kind for kind in KINDS if kind.claims(columns))
    rows = np.arange(N)
    reader = kind.reader().fit(columns, rows)
    read = reader.read({name: column.take(rows) for name, column in columns.items()})
    store = Store.pack(folder, reader.spec, [read])
    net = build(kind.blueprint(reader.spec, task, N).network, reader.spec, task.outputs)
    given, held = rows[: N // 2], rows[N // 2 :]
    section = levels(
        net, reader.spec, kind=kind, store=store, held_rows=held, ids=[f"row {r}" for r in held], batch=16,
        known=Known(task, given, targets[given], targets[held]),
    )  # fmt: skip
    return kind, section


@pytest.mark.parametrize("make", [pictures, sounds, texts, tables, mixed])
def test_every_level_of_every_kind_has_a_probe_and_a_picture(
    make: Callable[[], dict[str, Column]], tmp_path: Path
) -> None:
    task = TASKS[0].fit(CLASSES.tolist())
    kind, section = looked_at(tmp_path / "store", make(), task, task.encode(CLASSES.tolist()))
    assert len(section.parts) >= 3
    filters = 0
    for part in section.parts:
        findings = {f.name.removeprefix(f"{part.name}."): f for f in part.findings}
        probe = findings["probe"]
        assert probe.value is not None
        assert 0 <= probe.value <= 1
        assert probe.n == N // 2
        galleries = [p for p in findings["units"].pictures if isinstance(p, Gallery)]
        assert galleries, part.name
        assert all(g.examples and 1 <= len(g.tiles) <= 6 for g in galleries)
        assert all(
            isinstance(t.media, Image | Sound | Snippet | Curves | Rows) for g in galleries for t in g.tiles
        )
        filters += "filters" in findings
    assert filters >= 1 or kind.name == "sound"


@pytest.mark.parametrize("name", ["regress", "tags", "forecast"])
def test_other_tasks_are_probed_in_their_own_figures(name: str, tmp_path: Path) -> None:
    task_type = next(t for t in TASKS if t.name == name)
    raw = {
        "regress": CLASSES * 100.0 + RNG.normal(size=N),
        "tags": np.column_stack([CLASSES, 1 - CLASSES, RNG.integers(0, 2, N)]),
        "forecast": np.column_stack([CLASSES * k + RNG.normal(size=N) for k in (10.0, 20.0)]),
    }[name]
    task = task_type.fit(raw)
    _, section = looked_at(tmp_path / "store", pictures(), task, task.encode(raw))
    raw_input = next(f for f in section.parts[0].findings if f.name == "levels.input.probe")
    assert raw_input.sentence.startswith("macro F1" if name == "tags" else "R²")
    assert raw_input.value is not None
    assert raw_input.value > 0.6

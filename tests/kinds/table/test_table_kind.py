"""The table as a kind: networks over its columns, rivals, and pictures of what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from layerwise.data.source import Column, File
from layerwise.findings import Curves, Rows
from layerwise.kinds import KINDS, TABLE
from layerwise.kinds.base import Reader, Values
from layerwise.kinds.picture import png
from layerwise.kinds.rivals import challenge
from layerwise.kinds.table.reader import CATEGORIES, NUMBERS
from layerwise.nn import build
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.tasks import task_named
from layerwise.tasks.base import Task
from layerwise.values import Value, as_value


def mixed(folder: Path, n: int = 400) -> tuple[dict[str, Column], list[str]]:
    """A number, a picture and a text, each of which casts a vote for the answer; and a category."""
    rng = np.random.default_rng(0)
    signs = rng.random((n, 4)) < 0.5
    labels = ["yes" if row[[0, 2, 3]].sum() >= 2 else "no" for row in signs]
    files: list[File | None] = []
    for i, bright in enumerate(signs[:, 2]):
        pixels = rng.integers(0, 120, (8, 8)) + 120 * bright
        path = folder / f"{i}.png"
        path.write_bytes(png(pixels.astype(np.uint8)))
        files.append(File(path.name, path))
    fillers = rng.integers(0, 60, (n, 3))
    words = [
        f"so {'warm' if s else 'cold'} f{a} f{b} f{c}"
        for s, (a, b, c) in zip(signs[:, 3], fillers, strict=True)
    ]
    columns = {
        "size": Column("size", "cells", pl.Series(signs[:, 0] * 2.0 + rng.normal(0, 0.2, n))),
        "town": Column("town", "cells", pl.Series(np.where(signs[:, 1], "Ulm", "Bonn").tolist())),
        "photo": Column("photo", "files", files),
        "note": Column("note", "cells", pl.Series(words)),
    }
    return columns, labels


def fitted(found: dict[str, Column], rows: np.ndarray, **setting: Any) -> tuple[Reader, Values]:
    reader = TABLE.reader(**setting).fit(found, rows)
    return reader, reader.read({name: c.values for name, c in found.items()}).values


def batch(values: Values, spec: Spec, rows: np.ndarray) -> Value:
    fields = {n: [v[int(i)] for i in rows] for n, v in values.items()}
    return {
        name: as_value(found if own.padded else np.stack(found), own.padded)
        for (name, found), own in zip(fields.items(), spec.columns.values(), strict=True)
    }


def learnt(
    values: Values, spec: Spec, task: Task, targets: Tensor, rows: np.ndarray, steps: int = 60
) -> nn.Module:
    plan = TABLE.blueprint(spec, task, len(rows))
    net = build(plan.network, spec, task.outputs, rng=Randomness(0))
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.1)
    torch.manual_seed(0)
    inputs = batch(values, spec, rows)
    for _ in range(steps):
        optimiser.zero_grad()
        task.loss(net(inputs), targets[torch.from_numpy(rows)], None).backward()
        optimiser.step()
    return net.eval()


def right(net: nn.Module, values: Values, spec: Spec, targets: Tensor, rows: np.ndarray) -> float:
    with torch.no_grad():
        return float(
            (net(batch(values, spec, rows)).argmax(1) == targets[torch.from_numpy(rows)]).float().mean()
        )


def test_columns_of_pictures_and_texts_help(tmp_path: Path) -> None:
    columns, labels = mixed(tmp_path)
    train, test = np.arange(300), np.arange(300, 400)
    task = task_named("classify").fit(labels)
    targets = torch.as_tensor(task.encode(labels))
    figures = []
    for dropped in ({}, {"photo": "left out", "note": "left out"}):
        reader, values = fitted(columns, train, columns=dropped)
        net = learnt(values, reader.spec, task, targets, train)
        figures.append(right(net, values, reader.spec, targets, test))
    everything, without = figures
    assert everything >= without + 0.1
    assert everything >= 0.9


def test_answers_do_not_depend_on_company(tmp_path: Path) -> None:
    columns, labels = mixed(tmp_path, 30)
    rows = np.arange(30)
    reader, values = fitted(columns, rows)
    task = task_named("classify").fit(labels)
    net = build(
        TABLE.blueprint(reader.spec, task, 30).network, reader.spec, task.outputs, rng=Randomness(0)
    ).eval()
    with torch.no_grad():
        together = net(batch(values, reader.spec, rows))
        for i in range(0, 30, 7):
            torch.testing.assert_close(
                net(batch(values, reader.spec, rows[[i]]))[0], together[i], atol=1e-5, rtol=1e-5
            )


@pytest.mark.parametrize("like", sorted(TABLE.likes))
def test_named_networks_are_built(like: str, tmp_path: Path) -> None:
    columns, labels = mixed(tmp_path, 30)
    reader, values = fitted(columns, np.arange(30))
    task = task_named("classify").fit(labels)
    net = build(
        TABLE.likes[like](reader.spec, task, 30).network, reader.spec, task.outputs, rng=Randomness(0)
    )
    assert net(batch(values, reader.spec, np.arange(5))).shape == (5, task.outputs)


@pytest.mark.parametrize("n", [40, 5_000, 200_000])
def test_blueprints_suit_any_number_of_rows(n: int) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    reader, _ = fitted({"X": Column("X", "arrays", x)}, np.arange(60))
    plan = TABLE.blueprint(reader.spec, task_named("regress").fit(x[:, 0]), n)
    assert plan.training.epochs is not None
    assert plan.training.batch <= max(32, n)
    assert plan.why


def test_numbers_alone_learn_a_regression() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = np.abs(x[:, 0]) + 0.5 * (x[:, 1] > 0)
    reader, values = fitted({"X": Column("X", "arrays", x)}, np.arange(300))
    task = task_named("regress").fit(y[:300])
    targets = torch.as_tensor(task.encode(y))
    net = learnt(values, reader.spec, task, targets, np.arange(300), steps=80)
    with torch.no_grad():
        decoded = task.decode(net(batch(values, reader.spec, np.arange(300, 400))))
    assert task.metrics(decoded, task.encode(y[300:]))["r2"].value > 0.85


def test_rivals_see_every_column(tmp_path: Path) -> None:
    columns, labels = mixed(tmp_path)
    train, test = np.arange(300), np.arange(300, 400)
    reader, values = fitted(columns, train)
    task = task_named("classify").fit(labels)
    targets = task.encode(labels)
    known = {n: v[:300] for n, v in values.items()}
    asked = {n: v[300:] for n, v in values.items()}
    for rival in TABLE.rivals(reader.spec, task):
        answers = challenge(rival, task, known, {}, targets[train], asked, {}, spec=reader.spec, seed=0)
        assert answers.shape == (100, task.outputs)
        accuracy = (answers.argmax(1) == targets[test]).mean()
        assert accuracy > (0.8 if rival.learner in ("linear", "boosting") else 0.4), rival.name


def test_first_levels_are_drawn_for_people(tmp_path: Path) -> None:
    columns, labels = mixed(tmp_path, 60)
    reader, _ = fitted(columns, np.arange(60))
    task = task_named("classify").fit(labels)
    net = build(TABLE.blueprint(reader.spec, task, 60).network, reader.spec, task.outputs, rng=Randomness(0))
    nets = net.columns.networks()
    numbers = TABLE.filters(nets[NUMBERS].pieces, reader.spec.columns[NUMBERS])
    assert numbers is not None
    curve = numbers.tiles[0].media
    assert isinstance(curve, Curves)
    assert numbers.tiles[0].title == "size"
    assert len(curve.x) == len(curve.lines["size"])
    assert min(v for v in curve.lines["size"] if v is not None) < 0.2
    towns = TABLE.filters(nets[CATEGORIES].vectors, reader.spec.columns[CATEGORIES])
    assert towns is not None
    rows = towns.tiles[0].media
    assert isinstance(rows, Rows)
    assert {row[0] for row in rows.rows} == {"Ulm", "Bonn"}
    assert TABLE.filters(nets["text_note"].bag, reader.spec.columns["text_note"]) is not None
    assert TABLE.filters(net.dense1, Spec(("feature",), (9,))) is None


def test_a_row_is_shown_column_by_column(tmp_path: Path) -> None:
    columns, _ = mixed(tmp_path, 60)
    columns["size"] = Column("size", "cells", pl.Series([None, *np.linspace(0, 1, 59).tolist()]))
    reader, values = fitted(columns, np.arange(60))
    shown = TABLE.show({n: v[0] for n, v in values.items()}, reader.spec)
    assert isinstance(shown, Rows)
    cells = {str(row[0]): row[1] for row in shown.rows}
    assert cells["size"] == "missing"
    assert cells["town"] in ("Ulm", "Bonn")
    assert cells["image_photo"] == "1 x 8 x 8"
    assert str(cells["text_note"]).startswith("so ")


def test_tables_are_claimed_after_all_other_kinds() -> None:
    cells = {n: Column(n, "cells", pl.Series([1.0, 2.0, 3.0])) for n in "ab"}
    assert TABLE.claims(cells) == "a table of 2 columns"
    assert TABLE.claims({"X": Column("X", "arrays", np.zeros((4, 3)))}) == "an array of 3 numbers an example"
    assert KINDS[-1] is TABLE

"""The text reader and kind: choices, same reading after saving, networks that learn, pictures of levels."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.feature_extraction.text import TfidfTransformer

from layerwise.data.source import Column, File
from layerwise.errors import DataError, UsageError
from layerwise.findings import Rows
from layerwise.kinds import TEXT
from layerwise.kinds.base import ONLY
from layerwise.kinds.text.reader import TextReader
from layerwise.kinds.text.rivals import tf_idf
from layerwise.nn import build
from layerwise.randomness import Randomness
from layerwise.tasks import task_named
from layerwise.values import Padded, as_value

GOOD, BAD = (
    ["lovely film", "a joy to see", "warm and clever"],
    ["dull film", "a pain to see", "cold and stupid"],
)


def reviews(n: int = 40) -> tuple[dict[str, Column], list[str]]:
    rng = np.random.default_rng(0)
    labels = rng.choice(["good", "bad"], n).tolist()
    texts = [
        " . ".join([*rng.choice(GOOD if label == "good" else BAD, 3), "The film, again."]) for label in labels
    ]
    return {"text": Column("text", "cells", pl.Series("text", texts))}, labels


def fitted(columns: dict[str, Column], **setting: Any) -> TextReader:
    reader = TEXT.reader(**setting).fit(columns, np.arange(len(columns["text"])))
    assert isinstance(reader, TextReader)
    return reader


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"order": 1},
        {"units": "characters"},
        {"units": "bytes"},
        {"units": "pairs"},
        {"lower": False, "order": 3},
    ],
)
def test_reading_is_the_same_after_save_and_load_and_copy(setting: dict[str, Any]) -> None:
    columns, _ = reviews()
    reader = fitted(columns, **setting)
    plain, arrays = reader.state()
    again = TEXT.reader.restore(json.loads(json.dumps(plain)), arrays)
    chunk: dict[str, Any] = {"text": [*columns["text"].values[:5], "Nie gesehen: Ärger!", "", None]}
    first = reader.read(chunk)
    for other in (again, deepcopy(reader)):
        for a, b in zip(first.values[ONLY], other.read(chunk).values[ONLY], strict=True):
            np.testing.assert_array_equal(a, b)
    assert again.spec == reader.spec
    assert again.choices() == reader.choices()
    tokens = np.concatenate(first.values[ONLY])
    assert tokens.dtype == np.int32
    assert 0 <= tokens.min() <= tokens.max() < reader.spec.sizes[0] == len(reader.spec.tokens[0])
    assert [len(t) for t in first.values[ONLY][-2:]] == [0, 0]
    assert fitted(columns, **reader.choices()[0]).spec == reader.spec


def test_units_are_chosen_by_the_look_of_the_texts() -> None:
    assert fitted(reviews()[0]).choices()[0]["units"] == "words"
    names = {"text": Column("text", "cells", pl.Series(["Anna", "Otto", "Hannah", "Bob"] * 3))}
    chosen, why = fitted(names).choices()
    assert chosen["units"] == "characters"
    assert "spaces" in why["units"]
    assert chosen["lower"] is False


def test_long_texts_are_cut_and_it_is_said() -> None:
    long = {"text": Column("text", "cells", pl.Series(["one two three " * 1000, "one two three"] * 3))}
    reader = fitted(long)
    assert "first 2,000 words" in reader.choices()[1]["longest"]
    assert (
        reader.read({"text": long["text"].values}).values[ONLY][0] <= len(reader._known.units)
    ).sum() == 2000


def test_several_columns_are_joined() -> None:
    columns = {
        name: Column(name, "cells", pl.Series([f"{name} words here"] * 4)) for name in ("text", "title")
    }
    reader = fitted(columns, order=1)
    read = reader.read({n: c.values for n, c in columns.items()}).values[ONLY][0]
    assert [reader.spec.tokens[0][t] for t in read] == ["text", "words", "here", "title", "words", "here"]


def test_files_that_are_no_text_are_rejected(tmp_path: Path) -> None:
    files: list[File | None] = []
    for i in range(6):
        path = tmp_path / f"{i}.txt"
        path.write_bytes(b"some words of text" if i else np.random.default_rng(0).bytes(500))
        files.append(File(path.name, path))
    column = {"text": Column("text", "files", files)}
    assert TEXT.claims(column) == "files of text by their names"
    read = fitted(column).read({"text": files})
    assert list(read.rejected) == [0]
    assert read.kept.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"units": "wrods"}, "did you mean 'words'"),
        ({"units": "bytes", "order": 2}, "n-grams are of words or characters"),
        ({"longest": 0}, "reading.longest must be positive, got 0"),
    ],
)
def test_settings_that_do_not_fit_say_so(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TEXT.reader(**setting)


def test_no_text_at_all_says_so() -> None:
    with pytest.raises(DataError, match="not one of 3 training rows"):
        fitted({"text": Column("text", "cells", pl.Series([None, "", " "]))})
    with pytest.raises(DataError, match="no words occur in 2 of 3 texts"):
        fitted(
            {"text": Column("text", "cells", pl.Series(["one here now", "two there then", "six was once"]))}
        )


@pytest.mark.parametrize(
    ("cells", "claimed"),
    [
        (["a text of many words", "another one like this", "and some more of it"], True),
        (["red", "green", "blue"], False),
        (["New York City", "Rio de Janeiro"] * 40, False),
        ([f"{i:032x}" for i in range(30)], False),
        ([f"{i:032x}{i:032x}" for i in range(30)], False),
        (["我喜歡這部電影因為它很好看", "這部電影不好看我不喜歡它"], True),
    ],
)
def test_free_text_is_claimed(cells: list[str], claimed: bool) -> None:
    column = {"text": Column("text", "cells", pl.Series(cells))}
    assert (TEXT.claims(column) is not None) is claimed
    assert TEXT.claims({**column, "other": column["text"]}) is None


@pytest.mark.parametrize("setting", [{}, {"order": 1}, {"units": "characters", "order": 1}])
def test_networks_learn_to_tell_the_texts(setting: dict[str, Any]) -> None:
    columns, labels = reviews()
    reader = fitted(columns, **setting)
    task = task_named("classify").fit(labels)
    values = as_value(reader.read({"text": columns["text"].values}).values[ONLY], padded=True)
    targets = torch.as_tensor(task.encode(labels))
    plan = TEXT.blueprint(reader.spec, task, len(labels))
    net = build(plan.network, reader.spec, task.outputs, rng=Randomness(0))
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.01)
    torch.manual_seed(0)
    for _ in range(25):
        optimiser.zero_grad()
        task.loss(net(values), targets, None).backward()
        optimiser.step()
    net.eval()
    with torch.no_grad():
        right = (net(values).argmax(1) == targets).float().mean()
    assert right > 0.95


@pytest.mark.parametrize("make", [TEXT.blueprint, TEXT.likes["lstm"]])
def test_answers_do_not_depend_on_padding_or_company(make: Any) -> None:
    columns, labels = reviews(20)
    reader = fitted(columns)
    task = task_named("classify").fit(labels)
    net = build(make(reader.spec, task, 20).network, reader.spec, task.outputs, rng=Randomness(0)).eval()
    texts: Any = list(reader.read({"text": [*columns["text"].values, ""]}).values[ONLY])
    whole = as_value(texts, padded=True)
    assert isinstance(whole, Padded)
    with torch.no_grad():
        together = net(whole)
        for i, text in enumerate(texts):
            torch.testing.assert_close(
                net(as_value([text], padded=True))[0], together[i], atol=1e-5, rtol=1e-5
            )


def test_branches_end_in_vectors() -> None:
    columns, _ = reviews()
    for setting in ({}, {"order": 1}):
        spec = fitted(columns, **setting).spec  # type: ignore[arg-type]
        assert TEXT.branch is not None
        net = build(TEXT.branch(spec), spec, 3, rng=Randomness(0))
        assert net(as_value([np.ones(4, np.int32)], padded=True)).shape == (1, 3)


def test_texts_are_shown_as_they_were_read() -> None:
    columns = {"text": Column("text", "cells", pl.Series(["The cat sat.", "the cat ran"] * 3))}
    shown = {"units": "words", "text": "the cat … ."}
    for setting, text in (
        ({}, shown["text"]),
        ({"order": 1}, shown["text"]),
        ({"units": "characters", "lower": True}, "the cat …at."),
        ({"units": "pairs"}, "the cat …at ."),
        ({"units": "bytes"}, "The cat zat."),
    ):
        reader = fitted(columns, **setting)  # type: ignore[arg-type]
        value = reader.read({"text": ["The cat zat."]}).values[ONLY][0]
        picture = TEXT.show({ONLY: value}, reader.spec)
        assert getattr(picture, "text", None) == text


def test_filters_name_the_strongest_ngrams() -> None:
    columns, labels = reviews()
    reader = fitted(columns)
    task = task_named("classify").fit(labels)
    net = build(TEXT.blueprint(reader.spec, task, 40).network, reader.spec, task.outputs, rng=Randomness(0))
    with torch.no_grad():
        net.bag.weight[:, 2] = 0
        net.bag.weight[reader.spec.tokens[0].index("lovely film"), 2] = 9
    gallery = TEXT.filters(net.bag, reader.spec)
    assert gallery is not None
    first = gallery.tiles[0]
    assert first.title == "unit 2"
    assert isinstance(first.media, Rows)
    assert first.media.rows[0][:2] == ("lovely film", 9.0)
    assert TEXT.filters(net.answer, reader.spec) is None


def test_tf_idf_equals_that_of_scikit_learn() -> None:
    columns, _ = reviews()
    reader = fitted(columns)
    values = reader.read({"text": columns["text"].values}).values
    ours = tf_idf(values, {}, reader.spec)(values, {}).toarray()
    counts = np.stack([np.bincount(t, minlength=reader.spec.sizes[0]) for t in values[ONLY]])
    counts[:, 0] = 0
    theirs = TfidfTransformer(sublinear_tf=True).fit_transform(counts).toarray()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_rivals_are_told_apart_by_name() -> None:
    columns, labels = reviews()
    task = task_named("classify").fit(labels)
    names = [rival.name for rival in TEXT.rivals(fitted(columns).spec, task)]
    assert len(set(names)) == len(names) == 3

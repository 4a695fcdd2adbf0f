"""Generated tables, mutated pictures and sounds: a model, or a message; rows in order."""

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from PIL import Image

import layerwise
from layerwise.data import open_source, read_rows
from layerwise.data.source import File
from layerwise.errors import DataError, LayerwiseError, UsageError
from layerwise.kinds import kind_named
from layerwise.randomness import Randomness
from layerwise.workflows.lay import Asked, lay
from layerwise.workflows.stored import make_reader

_spec = importlib.util.spec_from_file_location("fuzzing", Path(__file__).with_name("fuzzing.py"))
fuzzing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fuzzing)

SAME = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
QUICK = {"training.epochs": 1}


@settings(max_examples=200, **SAME)
@given(data=fuzzing.tables())
def test_a_table_is_laid_and_read_or_refused(tmp_path, data):
    file = tmp_path / "t.csv"
    file.write_bytes(data)
    try:
        laid = lay(open_source(str(file)), Asked(), {})
        reader = make_reader(laid.kind, laid.reading)
        reader.fit({n: laid.source.columns[n] for n in laid.roles.inputs}, laid.split.train)
    except (DataError, UsageError):
        return
    split = laid.split
    every = np.concatenate([split.train, split.validation, split.test])
    assert len(np.unique(every)) == len(every) > 0
    rows = np.sort(every)
    read = list(read_rows(laid.source, reader, laid.roles.inputs, rows))
    seen = sorted([*np.concatenate([r.kept for r in read]).tolist(), *(k for r in read for k in r.rejected)])
    assert seen == rows.tolist()
    laid.task.encode(laid.raw[rows], mark=True)


@settings(max_examples=6, **SAME)
@given(data=fuzzing.tables())
def test_a_table_is_learnt_or_refused(tmp_path, data):
    file = tmp_path / "t.csv"
    file.write_bytes(data)
    try:
        model = layerwise.fit(str(file), settings=QUICK)
    except LayerwiseError:
        return
    found = model.predict(str(file))
    assert list(found.ids) == list(open_source(str(file)).ids)
    assert len(found.answer) == len(found.ids)


@pytest.fixture(scope="module", params=["image", "sound"])
def fitted(request, tmp_path_factory):
    """A reader of each kind fitted on a few good files, and what draws mutated ones."""
    folder = tmp_path_factory.mktemp(request.param)
    rng = Randomness(0).numpy("good files")
    for i in range(8):
        if request.param == "image":
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        else:
            held = io.BytesIO()
            soundfile.write(held, rng.normal(size=900) * 0.1, 8000, format="wav")
            (folder / f"{i}.wav").write_bytes(held.getvalue())
    source = open_source(str(folder))
    reader = kind_named(request.param).reader().fit({"file": source.columns["file"]}, np.arange(8))
    return request.param, reader, source.columns["file"].values


@settings(max_examples=100, **SAME)
@given(picture=fuzzing.pictures(), sound=fuzzing.sounds())
def test_a_mutated_file_is_read_or_rejected_alone(fitted, tmp_path, picture, sound):
    kind, reader, good = fitted
    form, data = picture if kind == "image" else sound
    bad = tmp_path / f"bad.{form}"
    bad.write_bytes(data)
    read = reader.read({"file": [good[0], File(bad.name, bad), good[1]]})
    assert sorted([*read.kept.tolist(), *read.rejected]) == [0, 1, 2]
    assert {0, 2} <= set(read.kept.tolist())
    assert all(read.rejected.values())
    alone = reader.read({"file": [good[0]]})
    for field, values in alone.values.items():
        np.testing.assert_array_equal(values[0], read.values[field][0])

"""Rows through a reader: the same for any number of processes, and nothing stops it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import NamedTuple

import numpy as np
import pytest

from layerwise.data import Column, File, Source, Store, read_rows
from layerwise.errors import Rejected
from layerwise.spec import Spec


class Read(NamedTuple):
    values: dict
    kept: np.ndarray
    rejected: dict
    facts: dict


class Sizes:
    """Reads a file as its bytes' sum; some files harm on purpose."""

    def read(self, chunk):
        values, kept, rejected = [], [], {}
        for place, file in enumerate(chunk["file"]):
            data = file.bytes()
            if data == b"kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if data == b"memory":
                raise MemoryError
            if data == b"raise":
                raise ZeroDivisionError
            try:
                if data == b"bad":
                    raise Rejected("bad")
                values.append(np.array([sum(data)], np.float32))
                kept.append(place)
            except Rejected as reason:
                rejected[place] = str(reason)
        facts = {"size": np.array([len(chunk["file"][k].bytes()) for k in kept])}
        return Read({"value": np.array(values).reshape(-1, 1)}, np.array(kept, np.int64), rejected, facts)


SPEC = Spec(("feature",), (1,))


def source_of(tmp_path, odd=()) -> Source:
    files = []
    for i in range(200):
        path = tmp_path / f"{i}.bin"
        path.write_bytes(dict(odd).get(i, b"%d" % i))
        files.append(File(path.name, path))
    return Source("t", {"file": Column("file", "files", files)}, [f.name for f in files])


def read(tmp_path, source, workers, rows=None):
    rows = np.arange(len(source)) if rows is None else rows
    return Store.pack(
        tmp_path / f"s{workers}", SPEC, read_rows(source, Sizes(), ("file",), rows, workers=workers)
    )


def test_any_number_of_processes_reads_the_same_and_a_killed_one_costs_one_example(tmp_path):
    source = source_of(tmp_path, [(3, b"bad"), (70, b"memory"), (150, b"bad"), (199, b"kill")])
    rows = np.random.default_rng(0).permutation(200)
    one = read(tmp_path, source, 1, rows[rows != 199])
    two = read(tmp_path, source, 2, rows)
    reasons = {3: "bad", 70: "needs more memory than there is", 150: "bad"}
    assert one.rejected == reasons
    assert "was killed" in two.rejected.pop(199)
    assert two.rejected == reasons
    for store in (one, two):
        assert store.rows.tolist() == [r for r in rows.tolist() if r not in (3, 70, 150, 199)]
        want = [sum(b"%d" % r) for r in store.rows]
        assert store.take(range(196))["value"].ravel().tolist() == want
        assert store.facts["size"].tolist() == [len(str(r)) for r in store.rows]


def test_a_fault_of_ours_is_not_hidden_and_no_process_stays(tmp_path, capfd):
    source = source_of(tmp_path, [(190, b"raise")])
    with pytest.raises(ZeroDivisionError):
        read(tmp_path, source, 1)
    reads = read_rows(source, Sizes(), ("file",), np.arange(200), workers=2)
    next(reads)
    assert len(multiprocessing.active_children()) == 2
    with pytest.raises(ZeroDivisionError):
        list(reads)
    assert not multiprocessing.active_children()

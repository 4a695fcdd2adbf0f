"""The real command on hostile input, watched: exit code, words, files that appear, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from layerwise.cli import run

LIMIT_MB = 2000

MEASURED = """
import json, resource, sys
from layerwise.cli import run
code = run(sys.argv[1:])
print(json.dumps([code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]), file=sys.stderr)
"""


class Seen(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str
    appeared: set[str]  # paths below the working folder that were not there before
    peak_mb: float = 0.0


def beginning(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(4096)


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with what stands there; links as where they lead."""
    found: dict[str, bytes | None] = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(root, name)
            is_link, is_file = path.is_symlink(), path.is_file()
            found[str(path.relative_to(folder))] = (
                os.fsencode(os.readlink(path)) if is_link else beginning(path) if is_file else None
            )
    return found


def watched(folder: Path, call: Callable[[], Seen]) -> Seen:
    """`call`, which must neither show a traceback nor speak in control characters, nor change what is there."""
    before = everything(folder)
    seen = call()
    after = everything(folder)
    assert "Traceback" not in seen.out + seen.err
    assert all(c.isprintable() or c == "\n" for c in seen.err), seen.err
    changed = {name for name in before if name not in after or after[name] != before[name]}
    assert not changed, f"changed or gone: {changed}"
    return seen._replace(appeared=set(after) - set(before))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder inside another, with a system's folder for temporary files of its own."""
    folder = tmp_path / "outside" / "here"
    folder.mkdir(parents=True)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return folder


@pytest.fixture
def command(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Seen]:
    """Runs the command in this process."""

    def ask(*arguments: object) -> Seen:
        def call() -> Seen:
            capsys.readouterr()
            code = run([str(a) for a in arguments])
            return Seen(code, *capsys.readouterr(), set())

        return watched(here.parents[1], call)

    return ask


@pytest.fixture
def measured(here: Path) -> Callable[..., Seen]:
    """Runs the command in a process of its own and holds its memory to 2 GB."""

    def ask(*arguments: object) -> Seen:
        def call() -> Seen:
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, *map(str, arguments)],
                capture_output=True,
                text=True,
                timeout=240,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            assert done.returncode == 0, done.stderr[-3000:]
            *said, last = done.stderr.strip().splitlines()
            code, peak = json.loads(last)
            return Seen(code, done.stdout, "\n".join(said), set(), peak)

        seen = watched(here.parents[1], call)
        assert seen.peak_mb < LIMIT_MB, f"{seen.peak_mb:.0f} MB taken"
        return seen

    return ask

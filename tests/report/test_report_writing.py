"""Writing the page: whole or not at all."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from layerwise import report
from layerwise.errors import MachineError
from layerwise.findings import Section

SECTIONS = (Section("data", "A heading"),)
WORDS = {"title": "t", "subtitle": "s", "meta": {}}


def test_writes_what_page_gives_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    report.write(target, SECTIONS, **WORDS)  # type: ignore[arg-type]
    assert target.read_text("utf-8") == report.page(SECTIONS, **WORDS)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == ["report.html"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_no_folder_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"cannot write '.*report\.html': .*--out"):
        report.write(tmp_path / "missing" / "report.html", SECTIONS, **WORDS)  # type: ignore[arg-type]


def test_a_full_disk_leaves_the_old_page_and_says_so() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    from layerwise.report.writing import refusal

    with pytest.raises(OSError, match="No space left") as full, open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    assert "no space left; it needs 1,234 bytes" in str(refusal(Path("a/report.html"), full.value, 1234))


def test_a_write_that_fails_midway_leaves_the_old_page(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(MachineError, match="cannot write"):
            report.write(target, SECTIONS, **WORDS)  # type: ignore[arg-type]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]

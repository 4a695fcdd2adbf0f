"""What people see while a run goes on: labelled lines of at most 80 columns, and a bar on a terminal."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

import click

from layerwise.errors import shown

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Terminal", "echo", "printable"]

WIDTH = 80
INDENT = 11


class Terminal:
    """Says what happens on a stream; plain lines where it is no terminal.

    Off a terminal, progress is a line at each tenth of the way.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Progress | None = None
        self._tenths = 0

    def say(self, label: str, *lines: str) -> None:
        """`Label      text`, further lines below the first, long ones folded."""
        self._clear()
        head = label
        for line in lines:
            for part in textwrap.wrap(printable(line), WIDTH - INDENT, break_on_hyphens=False) or [""]:
                self._write(f"{head:<{INDENT}}{part}".rstrip() + "\n")
                head = ""

    def progress(self, done: float, words: str) -> None:
        """Where training stands: a share in [0, 1] and a few words."""
        done = min(max(done, 0.0), 1.0)
        if self._stream.isatty():
            self._draw(done, printable(words))
        elif int(done * 10) > self._tenths:
            self._tenths = int(done * 10)
            self._write(f"{'':<{INDENT}}{done:4.0%}  {printable(words)}\n")
        if done >= 1.0:
            self._clear()

    def _draw(self, done: float, words: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        if self._bar is None:
            console = Console(file=self._stream, width=WIDTH, highlight=False)
            columns = (
                TextColumn(" " * (INDENT - 1)),
                BarColumn(20),
                TaskProgressColumn(),
                TextColumn("{task.fields[words]}", markup=False),
            )
            self._bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
            self._bar.start()
            self._bar.add_task("", total=1.0, words="")
        self._bar.update(self._bar.task_ids[0], completed=done, words=words, refresh=True)

    def _clear(self) -> None:
        self._tenths = 0
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()


def printable(line: str) -> str:
    """One line without control characters: names of files and classes may hold anything."""
    return shown(line, limit=sys.maxsize)[1:-1]


def echo(text: str) -> None:
    """Data on stdout as they are; on a terminal, which obeys control characters, without these."""
    lines = map(printable, text.split("\n")) if sys.stdout.isatty() else [text]
    click.echo("\n".join(lines), color=True)  # else click takes escapes out of what goes into a file

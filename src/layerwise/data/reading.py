"""Raw rows through a reader, chunk by chunk, in this process or in several, with the same result."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Protocol

import numpy as np

from layerwise.data.source import Source
from layerwise.data.store import Chunk
from layerwise.errors import MachineError, UsageError

__all__ = ["Reads", "RowsRead", "read_rows"]

MOST_DEATHS = 20
NO_MEMORY = "needs more memory than there is"
KILLED = "the process that read it was killed: too large for the memory, or damaged on purpose"


class Reads(Protocol):
    """What reads raw rows: a `kinds.base.Reader`. Pure, and the same when sent to another process."""

    def read(self, chunk: Mapping[str, Sequence[Any]]) -> Chunk: ...


class RowsRead(NamedTuple):
    """A chunk after reading. `kept` and `rejected` are rows of the source."""

    values: Mapping[str, np.ndarray | list[np.ndarray]]
    kept: np.ndarray
    rejected: Mapping[int, str]
    facts: Mapping[str, np.ndarray]


def read_rows(
    source: Source, reader: Reads, names: Sequence[str], rows: np.ndarray, *, workers: int | None = None
) -> Iterator[RowsRead]:
    """Read those columns of those rows, in that order, chunk by chunk.

    `workers`: how many processes read; None, 0 or 1: this one does. An example for which memory runs
    out, or a process is killed, is rejected and the others are read. Raises UsageError where processes
    cannot start, MachineError where they keep being killed.
    """
    chunks = _chunks(source, names, np.asarray(rows, np.int64))
    if workers is None or workers < 2 or len(chunks) < 2:
        for chunk in chunks:
            yield from _read(reader, source.chunk(names, chunk), chunk)
        return
    crew = _Crew(source, reader, names, min(workers, len(chunks)))
    try:
        yield from crew.read(chunks)
    finally:
        crew.dismiss()


def _chunks(source: Source, names: Sequence[str], rows: np.ndarray) -> list[np.ndarray]:
    """Few rows at a time where each is a file or an array, more where they are cells."""
    size = 4096 if all(source.columns[n].holds == "cells" for n in names) else 64
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _read(reader: Reads, raw: Mapping[str, Sequence[Any]], rows: np.ndarray) -> list[RowsRead]:
    """A chunk; row by row where it does not fit into memory as a whole."""
    try:
        read = reader.read(raw)
    except MemoryError:
        if len(rows) == 1:
            return [_refused(rows, NO_MEMORY)]
        alone = [{name: cells[i : i + 1] for name, cells in raw.items()} for i in range(len(rows))]
        return [one for i, chunk in enumerate(alone) for one in _read(reader, chunk, rows[i : i + 1])]
    rejected = {int(rows[place]): reason for place, reason in read.rejected.items()}
    return [RowsRead(read.values, rows[read.kept], rejected, read.facts)]


def _refused(rows: np.ndarray, reason: str) -> RowsRead:
    return RowsRead({}, rows[:0], {int(row): reason for row in rows}, {})


def _work(pipe: Connection, reader: Reads) -> None:
    """What another process does: read what comes until nothing comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asked decides when to stop
    pipe.send("ready")
    while True:
        try:
            raw, rows = pipe.recv()
        except EOFError:
            return
        pipe.send(_read(reader, raw, rows))


class _Worker:
    """One process that reads, and the pipe to it."""

    def __init__(self, reader: Reads) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_work, args=(far, reader), daemon=True)
        self.process.start()
        far.close()  # else the end of the process would go unnoticed

    def started(self) -> None:
        """Wait until it can be asked. Raises UsageError if it died on the way."""
        try:
            self.pipe.recv()
        except (EOFError, OSError) as error:
            raise UsageError(
                "processes to read in cannot start: put the call under `if __name__ == '__main__':`, or"
                " give workers=1"
            ) from error

    def stop(self) -> None:
        self.pipe.close()
        self.process.join(timeout=1)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


class _Crew:
    """Processes that read chunks; results come in the order of the chunks, few wait at a time."""

    def __init__(self, source: Source, reader: Reads, names: Sequence[str], number: int) -> None:
        self._source, self._reader, self._names = source, reader, names
        self._deaths = 0
        self._workers = [_Worker(reader) for _ in range(number)]
        try:
            for worker in self._workers:
                worker.started()
        except UsageError:
            self.dismiss()
            raise

    def read(self, chunks: Sequence[np.ndarray]) -> Iterator[RowsRead]:
        """What the chunks hold, in their order."""
        waiting = deque(range(len(chunks)))
        done: dict[int, list[RowsRead]] = {}
        busy: dict[int, int] = {}  # worker -> chunk
        due = 0
        while due < len(chunks):
            for slot in range(len(self._workers)):
                if slot not in busy and waiting and waiting[0] < due + 2 * len(self._workers):
                    busy[slot] = waiting.popleft()
                    self._ask(slot, chunks[busy[slot]])
            ready = wait([self._workers[slot].pipe for slot in busy])
            for slot in [s for s in busy if self._workers[s].pipe in ready]:
                chunk = busy.pop(slot)
                done[chunk] = self._answer(slot, chunks[chunk])
            while due in done:
                yield from done.pop(due)
                due += 1

    def dismiss(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.stop()

    def _ask(self, slot: int, rows: np.ndarray) -> None:
        question = self._source.chunk(self._names, rows), rows
        try:
            self._workers[slot].pipe.send(question)
        except OSError:  # killed while it had nothing to do
            self._replace(slot)
            self._workers[slot].pipe.send(question)

    def _answer(self, slot: int, rows: np.ndarray) -> list[RowsRead]:
        try:
            answer: list[RowsRead] = self._workers[slot].pipe.recv()
        except (EOFError, OSError):
            return self._after_death(slot, rows)
        return answer

    def _after_death(self, slot: int, rows: np.ndarray) -> list[RowsRead]:
        """Read the rows of a process that is gone one by one in a new one: that finds the row it was."""
        gone = self._workers[slot].process
        gone.join()
        if (gone.exitcode or 0) >= 0:  # it raised: raise here what it raised there
            return _read(self._reader, self._source.chunk(self._names, rows), rows)
        self._replace(slot)
        if len(rows) == 1:
            return [_refused(rows, KILLED)]
        read: list[RowsRead] = []
        for i in range(len(rows)):
            self._ask(slot, rows[i : i + 1])
            read += self._answer(slot, rows[i : i + 1])
        return read

    def _replace(self, slot: int) -> None:
        self._deaths += 1
        if self._deaths > MOST_DEATHS:
            raise MachineError(
                f"{self._deaths} processes were killed while reading, so memory is short: give --workers 1"
            )
        self._workers[slot].stop()
        self._workers[slot] = _Worker(self._reader)
        self._workers[slot].started()

"""What can go wrong, and what the command's exit code then is.

    LayerwiseError            1   our own fault
    ├── UsageError            2   the command line (or the call) alone shows it
    ├── DataError             3   the data had to be opened to know
    ├── ModelError            4   a model folder that cannot be used
    ├── ThresholdError        5   a threshold that was asked for is not met
    ├── MachineError          6   the machine refused: disk, permission, memory, folder in use
    └── Interrupted         130   Ctrl-C; what was reached is kept

    Rejected                      one example cannot be read; it goes to the quarantine list

A message states what was found, what was expected and what to do.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

__all__ = [
    "DataError",
    "Interrupted",
    "LayerwiseError",
    "MachineError",
    "ModelError",
    "Rejected",
    "ThresholdError",
    "UsageError",
    "listed",
    "refused",
    "shown",
    "suggest",
]


class LayerwiseError(Exception):
    """Base of every error that layerwise raises on purpose."""

    exit_code = 1


class UsageError(LayerwiseError, ValueError):
    """The call itself is wrong: no data had to be opened to know."""

    exit_code = 2


class DataError(LayerwiseError, ValueError):
    """The data are not what was asked for or cannot be used."""

    exit_code = 3


class ModelError(LayerwiseError):
    """A model folder is missing, damaged, foreign or too new."""

    exit_code = 4


class ThresholdError(LayerwiseError):
    """A threshold that the caller set was not reached."""

    exit_code = 5


class MachineError(LayerwiseError):
    """Disk full, permission denied, out of memory, or a folder in use."""

    exit_code = 6


class Interrupted(LayerwiseError):
    """Stopped by the user; what was reached is kept."""

    exit_code = 130


class Rejected(Exception):
    """One example cannot be read. The message is the reason, as the quarantine list shows it."""


def refused(error: OSError, doing: str) -> MachineError:
    """The machine's refusal in words: `out of disk while saving clips-model/: free space and try again`."""
    remedy = {
        errno.ENOSPC: ("out of disk", "free space and run the same command again"),
        errno.EDQUOT: ("disk quota reached", "free space and run the same command again"),
        errno.EACCES: ("permission denied", "choose another folder or change its permissions"),
        errno.EPERM: ("permission denied", "choose another folder or change its permissions"),
        errno.EROFS: ("read-only file system", "choose another folder"),
    }
    found, remedy_words = remedy.get(
        error.errno or 0, (error.strerror or str(error), "see to it and try again")
    )
    return MachineError(f"{found} while {doing}: {remedy_words}")


def shown(text: object, limit: int = 80) -> str:
    """`text` as one quoted line that is safe to print: no control characters, not overlong."""
    line = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    if len(line) > limit:
        line = line[: limit - 3] + "..."
    return f"'{line}'"


def listed(names: Iterable[object], most: int = 6) -> str:
    """Names parted by commas, the rest counted: `age, income, ... (9 more)`."""
    known = [shown(n)[1:-1] for n in names]
    head = ", ".join(known[:most])
    return head if len(known) <= most else f"{head}, ... ({len(known) - most} more)"


def suggest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'default'?` where a known name is near, else nothing."""
    from difflib import get_close_matches  # only an error pays for it

    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {shown(near[0])}?" if near else ""

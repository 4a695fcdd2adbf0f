"""How a run tells what it does; the command shows it, Python keeps silent."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Narrator", "Silent"]


class Narrator(Protocol):
    """Somebody who listens to a run."""

    def say(self, label: str, *lines: str) -> None:
        """A step of the run, in words."""

    def progress(self, done: float, words: str) -> None:
        """Where training stands: a share in [0, 1] and a few words."""


class Silent:
    """Nobody listens."""

    def say(self, label: str, *lines: str) -> None:
        """Say nothing."""

    def progress(self, done: float, words: str) -> None:
        """Say nothing."""

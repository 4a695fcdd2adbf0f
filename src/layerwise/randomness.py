"""Randomness as a key that can be asked again, not as a stream that is consumed.

Every random number of a run is a function of (seed, purpose, step), so a run that was killed and
resumed draws what it would have drawn, whatever order things happen in.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["Randomness"]

_MASK = (1 << 64) - 1


def _mix(key: int, value: int) -> int:
    """Fold `value` into `key`: SplitMix64's finaliser (Steele, Lea and Flood 2014)."""
    z = (key ^ (value * 0x9E3779B97F4A7C15)) + 0x9E3779B97F4A7C15 & _MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
    return z ^ (z >> 31)


@lru_cache(maxsize=4096)
def _word(text: str) -> int:
    data = text.encode()
    return zlib.crc32(data) << 32 | zlib.crc32(data[::-1] + b"layerwise")


class Randomness(NamedTuple):
    """A place in a tree of random numbers."""

    key: int

    def at(self, *where: str | int) -> Randomness:
        """The place below this one that `where` names; integers are cheap to fold."""
        key = self.key
        for w in where:
            key = _mix(key, _word(w) if isinstance(w, str) else w & _MASK)
        return Randomness(key)

    def number(self, purpose: str) -> int:
        """64 bits for `purpose`: the same at every call."""
        return _mix(self.key, _word(purpose))

    def generator(self, purpose: str, device: str = "cpu") -> torch.Generator:
        """A torch generator seeded for `purpose`; valid until the next call for that purpose."""
        generator = _generator(purpose, device)
        generator.manual_seed(self.number(purpose) & ((1 << 63) - 1))
        return generator

    def numpy(self, purpose: str) -> np.random.Generator:
        """A fresh NumPy generator seeded for `purpose`."""
        import numpy as np

        return np.random.Generator(np.random.PCG64(self.number(purpose)))


@lru_cache(maxsize=256)
def _generator(purpose: str, device: str) -> torch.Generator:  # noqa: ARG001 - one generator for each purpose
    import torch

    return torch.Generator(device)

"""Real files, made small: pictures as PGM (a few bytes of header), tables, archives."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest


def pgm(seed: int) -> bytes:
    """A 4 x 4 grey picture that differs with its seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, 16, np.uint8)
    return b"P5 4 4 255\n" + pixels.tobytes()


@pytest.fixture
def lay(tmp_path: Path) -> Callable[[Mapping[str, bytes | str]], Path]:
    """Lays files out below a fresh folder."""

    def lay_out(files: Mapping[str, bytes | str], name: str = "set") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for path, data in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data.encode() if isinstance(data, str) else data)
        return root

    return lay_out


@pytest.fixture
def pictures() -> Callable[..., dict[str, bytes]]:
    """`pictures("a/{}.pgm", 3)`: that many files of the name."""

    def make(*templates: str, n: int = 3) -> dict[str, bytes]:
        names = [t.format(i) for t in templates for i in range(n)]
        return {name: pgm(k) for k, name in enumerate(names)}

    return make


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of public data sets."""
    folder = os.environ.get("LAYERWISE_DATA")
    if not folder:
        pytest.skip("LAYERWISE_DATA names no folder")
    return Path(folder)


def npz(**arrays: np.ndarray) -> bytes:
    """An .npz file's bytes."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()

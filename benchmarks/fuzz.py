"""Data as nobody means them, each through a whole fit: a model, or a message; never anything else.

python -m benchmarks.fuzz        200 tables, and 200 pictures and sounds in folders of 20
python -m benchmarks.fuzz 20     fewer of each
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile
from hypothesis import HealthCheck, given, settings
from PIL import Image

import layerwise
from benchmarks.record import recorded
from layerwise.data import open_source
from layerwise.errors import LayerwiseError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "workflows"))
import fuzzing

LIMIT = 120.0  # seconds; what takes longer counts as a hang
EACH = 20  # mutated files of a folder


def ended(data: Path, found: Counter[str], faults: list[str]) -> None:
    """Fit and ask; count how it ended."""
    started = time.monotonic()
    try:
        model = layerwise.fit(str(data), settings={"training.epochs": 1})
        answers = model.predict(str(data))
        ordered = list(answers.ids) == list(open_source(str(data)).ids) and len(answers.answer) == len(
            answers.ids
        )
        found["model" if ordered else "wrong order"] += 1
    except LayerwiseError as error:
        found["message"] += 1
        if error.exit_code == 1 or not str(error):
            faults.append(f"a message without words: {error!r}")
    except Exception as error:  # what must not happen is counted, not raised
        found["fault"] += 1
        faults.append(f"{type(error).__name__}: {error}"[:300])
    if time.monotonic() - started > LIMIT:
        found["hang"] += 1


def folder_of(files: list[tuple[str, bytes]], root: Path, *, sound: bool) -> Path:
    """Thirty good files and the mutated ones, in two classes."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir()
    for i in range(30):
        held = io.BytesIO()
        if sound:
            soundfile.write(held, rng.normal(size=900) * 0.1, 8000, format="wav")
        else:
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(held, "PNG")
        (root / "ab"[i % 2] / f"good{i}.{'wav' if sound else 'png'}").write_bytes(held.getvalue())
    for i, (form, data) in enumerate(files):
        (root / "ab"[i % 2] / f"bad{i}.{form}").write_bytes(data)
    return root


def main(n: int) -> bool:
    """Run all; keep the result. Returns whether nothing but models and messages came of it."""
    found: dict[str, Counter[str]] = {"tables": Counter(), "pictures": Counter(), "sounds": Counter()}
    faults: list[str] = []
    files: dict[str, list[tuple[str, bytes]]] = {"pictures": [], "sounds": []}
    drawn = settings(
        max_examples=n,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    @drawn
    @given(data=fuzzing.tables())
    def each_table(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.csv"
            path.write_bytes(data)
            ended(path, found["tables"], faults)

    @drawn
    @given(picture=fuzzing.pictures(), sound=fuzzing.sounds())
    def each_file(picture: tuple[str, bytes], sound: tuple[str, bytes]) -> None:
        files["pictures"].append(picture)
        files["sounds"].append(sound)

    with recorded("fuzz", examples=n, seed=0, bar="a model or a message, rows in order") as figures:
        each_table()
        each_file()
        for kind, some in files.items():
            for start in range(0, len(some), EACH):
                with tempfile.TemporaryDirectory() as folder:
                    root = folder_of(some[start : start + EACH], Path(folder), sound=kind == "sounds")
                    ended(root, found[kind], faults)
        figures |= {kind: dict(counts) for kind, counts in found.items()}
        figures["faults"] = faults
        figures["holds"] = not faults and not any(c["wrong order"] + c["hang"] for c in found.values())
    sys.stdout.write(f"{'ok  ' if figures['holds'] else 'MISS'} fuzz: {figures}\n")
    return bool(figures["holds"])


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 200) else 5)

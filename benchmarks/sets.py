"""Data sets that benchmarks build from the public ones: tables with pictures and texts, tags, one against the rest."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from sklearn.datasets import load_digits

DATA = Path(os.environ.get("LAYERWISE_DATA", "data"))


def mnist(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 28, 28) and labels (N,), uint8, of "train" or "t10k"."""

    def read(name: str, header: int) -> np.ndarray:
        with gzip.open(DATA / "mnist" / f"{part}-{name}-ubyte.gz") as f:
            return np.frombuffer(f.read(), np.uint8, offset=header)

    return read("images-idx3", 16).reshape(-1, 28, 28).copy(), read("labels-idx1", 8).copy()


def right_whales(folder: Path) -> Path:
    """The whale clips as a table of paths: right whales against the rest, with their recordings."""
    with zipfile.ZipFile(DATA / "whale_watkins.zip") as archive:
        archive.extractall(folder)
        table = next(name for name in archive.namelist() if name.endswith("whales.csv"))
    rows = list(csv.DictReader(io.StringIO((folder / table).read_text())))
    path = (folder / table).parent / "right_whales.csv"
    with open(path, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["file", "whale", "recording"])
        for row in rows:
            writer.writerow(
                [row["file"], "right" if "right" in row["species"].lower() else "other", row["recording"]]
            )
    return path


def digit_tags(folder: Path, n: int = 6000, seed: int = 0) -> Path:
    """Pictures of up to three digits side by side in random places; the tags are the digits that are there."""
    digits, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(n):
        canvas = np.zeros((8, 32), np.uint8)
        chosen = rng.integers(0, len(digits), rng.integers(1, 4))
        for place, which in enumerate(chosen):
            left = place * 11 + int(rng.integers(0, 3))
            width = min(8, 32 - left)
            canvas[:, left : left + width] = (digits[which].reshape(8, 8) * 15.9).astype(np.uint8)[:, :width]
        Image.fromarray(canvas).save(folder / "pictures" / f"{i:05d}.png")
        rows.append((f"pictures/{i:05d}.png", ";".join(sorted({str(labels[w]) for w in chosen}))))
    path = folder / "tags.csv"
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([("picture", "tags"), *rows])
    return path


def mixed_table(folder: Path, n: int = 3000, seed: int = 0) -> Path:
    """Rows of a picture of a digit, a text message and two numbers; the answer needs each a little."""
    digits, labels = load_digits(return_X_y=True)
    text = lzma.decompress((DATA / "sms_spam.tsv.xz").read_bytes()).decode().split("\n")[1:]
    messages = [line.split("\t", 1) for line in text if "\t" in line]
    spam = [m[1] for m in messages if m[0] == "spam"]
    ham = [m[1] for m in messages if m[0] == "ham"]
    rng = np.random.default_rng(seed)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(n):
        which = int(rng.integers(len(digits)))
        is_spam = bool(rng.integers(2))
        message = str(rng.choice(spam if is_spam else ham))
        amount, age = float(rng.normal()), float(rng.normal())
        score = 1.5 * (labels[which] >= 5) + 1.5 * is_spam + 0.7 * amount + 0.3 * float(rng.normal())
        picture = Image.fromarray((digits[which].reshape(8, 8) * 15.9).astype(np.uint8)).resize((16, 16))
        picture.save(folder / "pictures" / f"{i:05d}.png")
        rows.append(
            (f"pictures/{i:05d}.png", message, f"{amount:.3f}", f"{age:.3f}", "yes" if score > 1.5 else "no")
        )
    path = folder / "mixed.csv"
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([("picture", "message", "amount", "age", "answer"), *rows])
    return path


def cifar10(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 3, 32, 32) uint8 and labels (N,) of "train" or "test"; classes in the order of their names."""
    pictures, names = [], []
    with tarfile.open(DATA / "cifar10.tar.xz") as archive:
        for member in archive:
            path = Path(member.name)
            if path.suffix == ".jpg" and part in path.parts:
                file = archive.extractfile(member)
                assert file is not None
                pictures.append(np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1))
                names.append(path.parent.name)
    return np.stack(pictures), np.unique(names, return_inverse=True)[1]


def esc10() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Clips (T,) int16 at 22,050 Hz, labels (N,) and the official folds (N,), 1 to 5."""
    with zipfile.ZipFile(DATA / "esc10.zip") as archive:
        by_name = {Path(name).name: name for name in archive.namelist()}
        rows = list(csv.DictReader(io.StringIO(archive.read(by_name["esc10.csv"]).decode())))
        files = (io.BytesIO(archive.read(by_name[row["filename"]])) for row in rows)
        clips = [soundfile.read(file, dtype="int16")[0] for file in files]
    return clips, *(np.array([int(row[name]) for row in rows]) for name in ("target", "fold"))

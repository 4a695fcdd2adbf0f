"""A page as a run on scikit-learn's digits would give it: real pictures, a real model, made-up levels."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image as Pillow
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from layerwise.findings import (
    Bars,
    Code,
    Curves,
    Dots,
    Finding,
    Gallery,
    Heat,
    Image,
    Rows,
    Section,
    Snippet,
    Sound,
    Tile,
)
from layerwise.kinds.sound.decode import encoded

META = {
    "Made by": "layerwise 0.1.0, torch 2.13.0",
    "On": "21 November 2026, 2 cores",
    "Seed": "0",
    "Model": "digits-model/",
}


def png(values: np.ndarray) -> bytes:
    out = BytesIO()
    Pillow.fromarray(np.asarray(values, np.uint8)).save(out, "PNG")
    return out.getvalue()


def diverging(weights: np.ndarray) -> bytes:
    """Weights as a picture: blue below zero, orange above, white at zero."""
    w = np.clip(weights / np.abs(weights).max(), -1, 1)[..., None]
    ends = np.where(w > 0, np.array([200.0, 90.0, 10.0]), np.array([31.0, 95.0, 168.0]))
    return png(255 + np.abs(w) * (ends - 255))


def around(value: float, n: int) -> tuple[float, float, float]:
    """The Wilson interval."""
    z = 1.96
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return value, float(centre - half), float(centre + half)


def tile(picture: np.ndarray, words: str, caption: str = "", title: str = "") -> Tile:
    return Tile(Image(png(255 - picture * 255 / 16), words), caption, title)


def sections() -> tuple[Section, ...]:
    """Every section that the page knows."""
    digits = load_digits()
    train, test, known, truth = train_test_split(
        digits.images, digits.target, test_size=360, random_state=0, stratify=digits.target
    )
    linear = LogisticRegression(max_iter=300).fit(train.reshape(len(train), -1) / 16, known)
    chances = linear.predict_proba(test.reshape(len(test), -1) / 16)
    return (
        verdict(),
        use(),
        data(train, known),
        quality(test, truth, chances),
        levels(test, linear.coef_.reshape(-1, 8, 8)),
        training(),
        rivals(),
        doubts(),
    )


def verdict() -> Section:
    value, low, high = around(0.9861, 360)
    return Section(
        "verdict",
        "The network wins, and one cannot be sure",
        (
            Finding(
                "verdict",
                "On pictures it has never seen, the network reads 99 of 100 digits (97 to 99); a support"
                " vector machine on pixels reads 98 of 100, and the difference could be chance.",
                value,
                low,
                high,
                n=360,
                method="accuracy on held-out pictures, Wilson interval",
            ),
            Finding(
                "verdict.gain",
                "more than the best simple rival, on the same 360 pictures; the interval holds zero.",
                0.0056,
                -0.0083,
                0.0195,
                method="paired bootstrap, 10,000 draws",
            ),
        ),
    )


def use() -> Section:
    lines = (
        "layerwise predict digits-model new-pictures/ --csv answers.csv\n"
        "python -c \"import layerwise; print(layerwise.load('digits-model').predict(['one.png']))\"\n"
        "layerwise fit digits --recipe digits-model/recipe.json   # the same run again"
    )
    words = "Ask it about new pictures, from a terminal or from Python, or repeat the run."
    return Section("use", "What to do with it", (Finding("use", "", pictures=(Code(lines, words),)),))


def data(train: np.ndarray, known: np.ndarray) -> Section:
    counts = np.bincount(known)
    draw = np.random.default_rng(0).permutation(len(train))[:30]
    return Section(
        "data",
        "1,797 pictures of digits, 8 × 8 grey, ten classes of nearly equal size",
        (
            Finding(
                "data.examples",
                "A fair draw from the training pictures, not the prettiest.",
                pictures=(
                    Gallery(
                        [tile(train[i], f"A handwritten {known[i]}", str(known[i])) for i in draw],
                        "Thirty training pictures, drawn at random.",
                        examples=True,
                    ),
                ),
            ),
            Finding(
                "data.classes",
                "Classes are balanced: the rarest has 95 % of the commonest's pictures.",
                pictures=(
                    Bars(
                        [(f"digit {i}", float(c)) for i, c in enumerate(counts)],
                        "training pictures",
                        f"Between {counts.min()} and {counts.max()} training pictures a digit.",
                    ),
                ),
            ),
            Finding(
                "data.split",
                "One picture in five was held out before anything was fitted, the same share of every digit.",
                method="stratified at random, seed 0",
                caveat="who wrote which digit is not recorded, so a writer may stand on both sides.",
            ),
            Finding(
                "data.quarantine",
                "Nine files were left out.",
                pictures=(
                    Rows(
                        ("file", "bytes", "reason"),
                        [
                            (
                                f"scans/page {i:02}/digit-{i}.png",
                                0 if i % 2 else 2048 * i,
                                "empty file" if i % 2 else "truncated: the header promises 64 rows",
                            )
                            for i in range(1, 10)
                        ],
                        "All 9 files that were left out, with the reason",
                        fold=True,
                    ),
                ),
            ),
        ),
    )


def quality(test: np.ndarray, truth: np.ndarray, chances: np.ndarray) -> Section:
    answer = chances.argmax(1)
    matrix = confusion_matrix(truth, answer)
    wrong = np.flatnonzero(answer != truth)
    wrong = wrong[np.argsort(-chances[wrong].max(1))]
    names = [str(i) for i in range(10)]
    steps = np.linspace(0.05, 0.95, 10)
    rng = np.random.default_rng(3)
    right = np.clip(steps + rng.normal(0, 0.04, 10), 0, 1)
    share = float((answer == truth).mean())
    return Section(
        "quality",
        "It errs mostly between 8 and 1, and its confidence can be believed",
        (
            Finding("accuracy", "of held-out pictures are answered correctly.", *around(share, 360), n=360),
            Finding("f1_macro", "F1, averaged over the ten digits.", *around(share - 0.001, 360), n=360),
            Finding(
                "log_loss", "log loss of the calibrated probabilities, in nats.", 0.1042, 0.071, 0.139, n=360
            ),
            Finding(
                "confusion",
                "Read along a row: what the pictures of one digit were taken for.",
                pictures=(
                    Heat(
                        matrix.tolist(),
                        names,
                        names,
                        "written",
                        "answered",
                        "Held-out pictures by digit written and answered. Blue is right, orange is wrong.",
                    ),
                ),
            ),
            Finding(
                "calibration",
                "Where it says 80 %, it is right in about 80 of 100 cases.",
                0.021,
                0.012,
                0.034,
                method="expected calibration error over ten bins",
                pictures=(
                    Curves(
                        steps.tolist(),
                        {"": right.tolist()},
                        "confidence",
                        "share right",
                        "Share of right answers against confidence; on the dashed line the two agree.",
                        bands={"": ((right - 0.07).clip(0, 1).tolist(), (right + 0.07).clip(0, 1).tolist())},
                        diagonal=True,
                    ),
                ),
            ),
            Finding(
                "mistakes",
                f"All {len(wrong)} mistakes of {len(truth)}, the most confident first.",
                pictures=(
                    Gallery(
                        [
                            tile(
                                test[i],
                                f"A handwritten {truth[i]}, read as {answer[i]}",
                                f"{truth[i]} read as {answer[i]}, {chances[i].max():.2f}",
                            )
                            for i in wrong
                        ],
                        "Written, read, and how sure it was.",
                        examples=True,
                    ),
                ),
            ),
        ),
    )


LEVELS = (
    ("input", "The raw pixels", {"shape": "1 × 8 × 8", "sees": "1 × 1", "weights": "0", "cost": "0"}, 0.9528),
    (
        "conv1",
        "Strokes: 32 small filters",
        {"shape": "32 × 8 × 8", "sees": "3 × 3", "weights": "320", "cost": "18,432"},
        0.9694,
    ),
    (
        "conv2",
        "Corners, ends and arcs",
        {"shape": "64 × 4 × 4", "sees": "8 × 8", "weights": "18,496", "cost": "1,179,648"},
        0.9806,
    ),
    (
        "dense1",
        "Whole digits",
        {"shape": "128", "sees": "all", "weights": "131,200", "cost": "131,072"},
        0.9861,
    ),
    (
        "answer",
        "Ten digits, one of them",
        {"shape": "10", "sees": "all", "weights": "1,290", "cost": "1,280"},
        0.9861,
    ),
)


def levels(test: np.ndarray, coefficients: np.ndarray) -> Section:
    rng = np.random.default_rng(1)
    parts = []
    for depth, (name, heading, facts, score) in enumerate(LEVELS):
        probe = Finding(
            f"levels.{name}.probe",
            "of held-out digits can be read off this level by a linear probe.",
            *around(score, 360),
            n=360,
            method="logistic regression on the level's outputs",
        )
        pictures: list[Gallery] = []
        if name == "conv1":
            filters = [
                Tile(Image(diverging(rng.normal(size=(3, 3))), f"Filter of unit {i}"), f"{i}")
                for i in range(32)
            ]
            pictures.append(Gallery(filters, "Its 32 filters, 3 × 3 pixels: orange adds, blue takes away."))
        if name in ("conv1", "conv2", "dense1"):
            flat = test.reshape(len(test), -1)
            units = rng.normal(size=(6, 64)) if depth < 3 else coefficients.reshape(10, -1)[:6]
            tiles = [
                tile(test[i], f"A picture that excites unit {u}", "", f"unit {u}")
                for u, unit in enumerate(units)
                for i in np.argsort(-(flat @ unit))[:9]
            ]
            pictures.append(
                Gallery(tiles, "The held-out pictures that excite six of its units most.", examples=True)
            )
        if name == "answer":
            tiles = [
                Tile(Image(diverging(c), f"Weights for {i}"), str(i)) for i, c in enumerate(coefficients)
            ]
            pictures.append(Gallery(tiles, "What speaks for each digit, seen from the pixels."))
        shown = Finding(f"levels.{name}.units", "", pictures=tuple(pictures))
        parts.append(
            Section(f"levels.{name}", heading, (probe, shown) if pictures else (probe,), facts=facts)
        )
    heading = (
        "From pixels to digits: most of the answer is in the pixels, the rest comes with the convolutions"
    )
    return Section("levels", heading, parts=tuple(parts))


def training() -> Section:
    epochs = list(range(1, 31))
    fall = [2.2 * np.exp(-e / 4) + 0.02 for e in epochs]
    held = [2.2 * np.exp(-e / 4.4) + 0.075 + 0.01 * np.sin(e) for e in epochs]
    return Section(
        "training",
        "Training took 12 seconds and had settled by epoch 20",
        (
            Finding(
                "training.loss",
                "The loss on validation pictures fell until epoch 20 and did not rise after.",
                pictures=(
                    Curves(
                        epochs,
                        {"training": fall, "validation": held},
                        "epoch",
                        "loss (nats)",
                        "Training and validation loss by epoch: both fall, validation levels off at 0.08.",
                    ),
                ),
            ),
            Finding("training.cost", "to train, on two cores.", 12.4, unit="s"),
            Finding("asking.cost", "an example to ask, in batches of 128.", 0.043, unit="ms"),
            Finding(
                "training.choices",
                "What was chosen, and why.",
                pictures=(
                    Rows(
                        ("choice", "value", "reason"),
                        [
                            ("training.rate", 0.003, "highest stable rate found by the search"),
                            ("training.batch", 128, "as many as keep both cores busy"),
                            ("network.conv1.width", 32, "small pictures, few classes"),
                            (
                                "training.epochs",
                                30,
                                "1,437 pictures: cheap to go on until validation settles",
                            ),
                        ],
                        "The choices that mattered most.",
                    ),
                ),
            ),
        ),
    )


def rivals() -> Section:
    scores = {
        "layerwise": 0.9861,
        "support vectors, pixels": 0.9806,
        "nearest neighbours": 0.9778,
        "boosting on pixels": 0.9611,
        "linear on pixels": 0.9528,
        "majority": 0.1028,
    }
    rows = [(name, *around(score, 360)) for name, score in scores.items()]
    dots = Dots(
        rows[:-1], "accuracy, 360 held-out pictures", "Accuracy with 95 % intervals.", strong=("layerwise",)
    )
    return Section(
        "rivals",
        "Support vectors on raw pixels are nearly as good",
        (Finding("rivals", "Always guessing the commonest digit is right in 10 of 100.", pictures=(dots,)),),
    )


def doubts() -> Section:
    return Section(
        "doubts",
        "What was not checked, and what would help most",
        (
            Finding("doubts.writers", "Whether it reads a new writer's digits: writers are not recorded."),
            Finding(
                "doubts.n",
                "pictures a digit were held out; single digits' figures are uncertain by about"
                " five points in 100.",
                36,
            ),
            Finding("doubts.help", "More writers would help more than more pictures."),
        ),
    )


def other_media() -> Section:
    """Sounds, texts, series and tables in galleries, as other kinds of data show them."""
    rng = np.random.default_rng(2)
    spectrum = png((rng.random((40, 120)) * np.linspace(255, 20, 40)[::-1, None]).astype(np.uint8))
    clip = encoded(np.sin(np.arange(4000, dtype=np.float32) / 6) / 4, 8_000.0)
    text = "A film that begins well, and then does not end; I laughed once, at the clock."
    wave = [float(v) for v in np.cumsum(rng.normal(size=80))]
    return Section(
        "media",
        "Other kinds of data show themselves so",
        (
            Finding(
                "media.sound",
                "Loud: 0.50 [0.20, 0.80].",
                0.5,
                0.2,
                0.8,
                method="95 % interval",
                pictures=(
                    Gallery(
                        [
                            Tile(
                                Sound(clip, spectrum, f"Call {i}, half a second"),
                                f"{i * 0.5:.1f} s",
                                "humpback",
                            )
                            for i in range(4)
                        ],
                        "Four clips, drawn at random.",
                    ),
                ),
            ),
            Finding(
                "media.text",
                "Texts, with what spoke for the answer set off.",
                pictures=(
                    Gallery(
                        [
                            Tile(Snippet(text, ((7, 23), (48, 54))), "negative, 0.91"),
                            Tile(Snippet(text[::-1]), ""),
                        ],
                        "Two reviews.",
                    ),
                ),
            ),
            Finding(
                "media.series",
                "Series.",
                pictures=(
                    Gallery(
                        [
                            Tile(
                                Curves(
                                    range(80), {"": wave[i:] + wave[:i]}, "t", "v", f"Beat {i}", small=True
                                ),
                                f"beat {i}",
                            )
                            for i in range(6)
                        ],
                        "Six beats.",
                    ),
                ),
            ),
            Finding(
                "media.table",
                "Rows.",
                pictures=(
                    Gallery(
                        [
                            Tile(
                                Rows(
                                    ("column", "value"),
                                    [("age", 41 + i), ("sector", "private"), ("gain", 0.5)],
                                    "A row",
                                ),
                                "over 50K",
                            )
                            for i in range(3)
                        ],
                        "Three rows.",
                    ),
                ),
            ),
        ),
    )

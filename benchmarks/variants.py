"""Deep nets on rotated digits and digits before backgrounds, begun in four ways: errors on 50,000 test pictures.

    python -m benchmarks.variants [rot | bg-rand | bg-img | bg-img-rot ...] [--seeds N] [--test N]

The pictures are made from MNIST, 10,000 to train, 2,000 to choose by and 50,000 to test, after Larochelle,
Erhan, Courville, Bergstra and Bengio 2007, "An empirical evaluation of deep architectures": turned by any
angle (`rot`), before noise (`bg-rand`), before patches of 20 photographs (`bg-img`), or before patches and
turned (`bg-img-rot`). They are not the files of then, so neither are the errors. The nets are
784-500-500-500-10 of sigmoids: without pretraining (`plain`), begun as stacked autoencoders (`SAE-3`), as
denoising ones (`SDAE-3`, a quarter of the values hidden), as a deep belief network (`DBN-3`), and tuned in one
way. Epochs of pretraining and the rate of tuning are chosen on the 2,000, from the same grid for all; the
test pictures are scored once per seed, by the one chosen. The published errors are those of Vincent et al. 2010,
"Stacked denoising autoencoders", table 3. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import tempfile
import zipfile
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from benchmarks.beginnings import WAYS, begun, classifier, follow, interval, tuning, wrong
from benchmarks.record import recorded
from benchmarks.sets import DATA, mnist
from layerwise.randomness import Randomness

WIDTHS = (500, 500, 500)
EPOCHS = (10, 30)  # of each level's pretraining
RATES = (1e-3, 4e-3)  # of tuning
TUNING = 20  # epochs
TRAIN, VALIDATION, TEST = 10_000, 2_000, 50_000
PHOTOGRAPHS = 20
TEXTURE = 0.1  # least standard deviation of a patch, of the range from black to white
PUBLISHED = {
    "rot": {"SAE-3": 10.30, "SDAE-3": 9.53, "DBN-3": 10.30},
    "bg-rand": {"SAE-3": 11.28, "SDAE-3": 10.30, "DBN-3": 6.73},
    "bg-img": {"SAE-3": 23.00, "SDAE-3": 16.68, "DBN-3": 16.31},
    "bg-img-rot": {"SAE-3": 51.93, "SDAE-3": 43.76, "DBN-3": 47.39},
}
KEPT = Path(tempfile.gettempdir()) / "layerwise-variants"  # checkpoints of variants that are not done yet


class Digits(NamedTuple):
    """Pictures (N, 784) from 0 to 1, and their labels (N,)."""

    x: Tensor
    y: Tensor


def variant(name: str, test: int = TEST) -> tuple[Digits, Digits, Digits]:
    """Training, validation and test pictures of that variant, the same ones each time."""
    both = [mnist(part) for part in ("train", "t10k")]
    images, labels = (torch.from_numpy(np.concatenate(a)) for a in zip(*both, strict=True))
    rng = Randomness(2007)
    chosen = torch.randperm(len(images), generator=rng.generator("pictures"))[: TRAIN + VALIDATION + TEST]
    x, y = images[chosen, None].float() / 255, labels[chosen].long()
    if name.endswith("rot"):
        x = turned(x, 2 * math.pi * torch.rand(len(x), generator=rng.generator("angles")))
    if name == "bg-rand":
        x = before(x, torch.rand(x.shape, generator=rng.generator("background")))
    elif name.startswith("bg-img"):
        x = before(x, patches(photographs(), len(x), rng.numpy("background")))
    parts = (
        Digits(a.flatten(1), b)
        for a, b in zip(*(v.split([TRAIN, VALIDATION, TEST]) for v in (x, y)), strict=True)
    )
    train, validation, held = parts
    return train, validation, Digits(held.x[:test], held.y[:test])


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """Pictures (N, 1, H, W), each turned about its middle by its angle (N,)."""
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    maps = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    places = F.affine_grid(maps, list(x.shape), align_corners=False)
    return F.grid_sample(x, places, align_corners=False).clamp(0, 1)


def before(x: Tensor, background: Tensor) -> Tensor:
    """Digits in white; the background where there is no ink."""
    return x + (1 - x) * background


def photographs() -> list[np.ndarray]:
    """Twenty photographs of ants and bees in grey, from 0 to 1."""
    with zipfile.ZipFile(DATA / "hymenoptera.zip") as archive:
        names = sorted(n for n in archive.namelist() if "/train/" in f"/{n}" and n.endswith(".jpg"))
        every = len(names) // PHOTOGRAPHS
        opened = (Image.open(io.BytesIO(archive.read(n))).convert("L") for n in names[::every][:PHOTOGRAPHS])
        return [np.asarray(picture, np.float32) / 255 for picture in opened]


def patches(pictures: list[np.ndarray], n: int, draw: np.random.Generator) -> Tensor:
    """(n, 1, 28, 28) from random places; those with little texture are drawn anew."""
    found = np.empty((n, 1, 28, 28), np.float32)
    for i in range(n):
        while True:
            picture = pictures[draw.integers(len(pictures))]
            top, left = (draw.integers(side - 27) for side in picture.shape)
            found[i, 0] = picture[top : top + 28, left : left + 28]
            if found[i].std() >= TEXTURE:
                break
    return torch.from_numpy(found)


class Trial(NamedTuple):
    """A net after tuning, and its error on the validation pictures, in percent."""

    error: float
    epochs: int
    rate: float
    net: nn.Module


def best(name: str, way: str, train: Digits, validation: Digits, *, seed: int) -> Trial:
    """The net of the grid's best choice on the validation pictures."""
    trials: list[Trial] = []
    for epochs, rate in product((0,) if way == "plain" else EPOCHS, RATES):
        path = KEPT / f"{name}.{way}.{epochs}.{seed}.safetensors"
        encoder = begun(way, WIDTHS, train.x, epochs=epochs, seed=seed, path=path)
        net = classifier(encoder, seed=seed)
        path = path.with_name(f"{path.stem}.{rate:g}.safetensors")
        follow(net, (tuning(rate=rate, epochs=TUNING),), *train, seed=seed, path=path)
        trials.append(Trial(wrong(net, *validation).mean().item(), epochs, rate, net))
        sys.stdout.write(
            f"{name} {way}: {epochs} epochs, rate {rate:g}: validation {trials[-1].error:.2f} %\n"
        )
    return min(trials, key=lambda trial: trial.error)


def measured(name: str, seeds: int, test: int) -> bool:
    """Train and score every way on one variant; keep the table. Whether the published order holds."""
    published = PUBLISHED[name]
    bar = (
        f"the order of the published errors holds: {', '.join(f'{k} {v:.2f}' for k, v in published.items())}"
    )
    train, validation, held = variant(name, test)
    with recorded(
        f"variants_{name.replace('-', '_')}", bar=bar, seed=f"0 to {seeds - 1}", n=len(held.x)
    ) as figures:
        for way in WAYS:
            chosen = [best(name, way, train, validation, seed=seed) for seed in range(seeds)]
            scored = torch.stack([wrong(trial.net, *held) for trial in chosen])
            figures[way] = interval(scored.mean(1) if seeds > 1 else scored[0])
            figures[f"{way} chosen"] = [
                f"{t.epochs} epochs, rate {t.rate:g}, validation {t.error:.2f} %" for t in chosen
            ]
            sys.stdout.write(f"{name} {way}: test {figures[way]}\n")
        pairs = [
            sorted(p, key=published.__getitem__)
            for p in combinations(published, 2)
            if len({published[w] for w in p}) > 1
        ]
        kept = [a for a, b in pairs if figures[a]["value"] < figures[b]["value"]]
        figures |= {"pairs_in_order": len(kept), "pairs": len(pairs), "holds": len(kept) == len(pairs)}
    for path in KEPT.glob(f"{name}.*"):
        path.unlink()
    sys.stdout.write(f"{name}: {len(kept)} of {len(pairs)} pairs are in the published order\n")
    return bool(figures["holds"])


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("variants", nargs="*", default=list(PUBLISHED), choices=list(PUBLISHED))
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--test", type=int, default=TEST, help="test pictures")
    options = asked.parse_args()
    met = [measured(name, options.seeds, options.test) for name in options.variants]
    return 0 if all(met) else 5


if __name__ == "__main__":
    sys.exit(main())

"""Each recipe of the literature trains on a set that suits it, and its levels are those of the recipe printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.datasets import load_digits

import layerwise
from layerwise.estimators import DeepClassifier
from layerwise.workflows import propose


@pytest.fixture(scope="module")
def beeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rising and falling tones, thirty each, a quarter of a second long."""
    folder, rng = tmp_path_factory.mktemp("beeps"), np.random.default_rng(0)
    t = np.arange(2_000) / 8_000
    for name, slope in (("rising", 1), ("falling", -1)):
        (folder / name).mkdir()
        for i in range(30):
            pitch = 1_000 + slope * 2_000 * (t - 0.125) + 100 * rng.normal()
            tone = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 8_000) + 0.01 * rng.normal(size=len(t))
            soundfile.write(folder / name / f"{i}.wav", tone, 8_000)
    return folder


@pytest.mark.parametrize(
    ("name", "steps", "rate"),
    [("lenet5", 250, 0.02), ("mlp2006", 300, 1e-3), ("alexnet-small", 120, 0.05), ("resnet-small", 150, 0.1)],
)
def test_it_learns_digits(name, steps, rate):
    images, digits = load_digits().images.astype(np.uint8), load_digits().target
    settings = {"training.steps": steps, "training.batch": 64, "training.rate": rate}
    model = DeepClassifier(like=name, settings=settings).fit(images[:1200], digits[:1200])
    assert model.score(images[1200:], digits[1200:]) > 0.5  # chance: 0.1
    printed = propose(None, like=name, settings={})
    assert [s.name for s in model.model_.recipe.network] == [s.name for s in printed.network]


def test_a_recurrent_network_tells_rising_tones_from_falling_ones(beeps):
    model = layerwise.fit(beeps, like="lstm", settings={"training.steps": 40})
    assert model.result()["metrics"]["accuracy"]["value"] > 0.9
    assert [s.name for s in model.recipe.network] == ["mel", "lstm", "pool"]

"""The public surface: promised names, and nothing heavy loaded before it is used."""

import subprocess
import sys

import pytest

import layerwise


def test_exported_names():
    assert layerwise.__all__ == [
        "RBM",
        "Autoencoder",
        "DeepBeliefNetwork",
        "DeepBoltzmannMachine",
        "DeepClassifier",
        "DeepRegressor",
        "FeatureLearner",
        "Features",
        "Model",
        "__version__",
        "fit",
        "learn",
        "load",
        "nn",
    ]
    for name in layerwise.__all__:
        assert getattr(layerwise, name) is not None
    assert callable(layerwise.fit)
    assert callable(layerwise.nn.Pipeline)


def test_unknown_name_says_so():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = layerwise.fitt


def test_every_room_says_what_it_exports():
    import importlib
    import pkgutil

    for found in pkgutil.walk_packages(layerwise.__path__, "layerwise."):
        if found.name == "layerwise.__main__":
            continue
        module = importlib.import_module(found.name)
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{found.name} promises {name} and has none"


HEAVY = ("torch", "sklearn", "polars", "playwright", "numpy", "scipy", "PIL", "soundfile", "rich", "jinja2")


@pytest.mark.parametrize("code", ["import layerwise", "from layerwise.cli import run; run(['--help'])"])
def test_light_start(code):
    probe = f"import sys\n{code}\nprint('HEAVY', *[m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1].split() == ["HEAVY"]

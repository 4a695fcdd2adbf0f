"""`layerwise demo depth`: small nets of every kind, and a page whose words follow from what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from html import unescape

import pytest
import torch
from torch.nn import functional as F

from layerwise.cli import run
from layerwise.errors import UsageError
from layerwise.look.anatomy import Coder, DeepNet, LevelState, anatomy, weights_of
from layerwise.look.depth import WORDS, depth
from layerwise.nn import Dense, Head, Pipeline
from layerwise.nn.stage import vector
from layerwise.workflows.deep_nets import KINDS, Scale
from layerwise.workflows.depth import demonstrate

TINY = Scale(depths=(1, 3), halves=(2,), width=16, epochs=1, pretraining=1.0)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return demonstrate(tmp_path_factory.mktemp("demo") / "new" / "page", seed=3, scale=TINY)


def test_every_kind_at_every_depth_level_by_level_and_epoch_by_epoch(told):
    assert [(n["kind"], n["depth"]) for n in told["nets"]] == [(k, d) for k in KINDS for d in TINY.depths]
    for net in told["nets"]:
        assert len(net["states"]) == 1 + TINY.epochs
        assert all(len(levels) == net["depth"] for levels in net["states"])
        before, after = net["states"][0], net["states"][-1]
        assert all(level["distance"] == 0 and level["gradient"] > 0 for level in before)
        assert all(level["distance"] > 0 for level in after)
        assert 0 <= net["accuracy"] <= 1
    assert [(c["kind"], c["layers"]) for c in told["autoencoders"]] == [(k, 4) for k in KINDS]
    json.dumps(told, allow_nan=False)


def test_one_seed_one_answer(told, tmp_path):
    again = demonstrate(tmp_path, seed=3, scale=TINY)
    assert again["nets"] == told["nets"]
    assert again["autoencoders"] == told["autoencoders"]
    assert again["findings"] == told["findings"]


def test_the_page_has_every_section_and_its_numbers(told):
    with open(told["report"], encoding="utf-8") as f:
        html = unescape(f.read())
    for section in ("verdict", "gradients", "distance", "units", "mean-image", "numbers", "doubts"):
        assert f'id="{section}"' in html
    assert "<script" not in html
    assert all(words in html for words in WORDS.values())


def test_kinds_have_words():
    assert list(KINDS) == list(WORDS)


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        demonstrate(tmp_path / "file", scale=TINY)


def test_the_command_is_listed_and_suggests(capsys):
    assert run(["demo", "--help"]) == 0
    assert "depth" in capsys.readouterr().out
    assert run(["demo", "dept"]) == 2
    assert "did you mean 'depth'" in capsys.readouterr().err


# ---- measures


def net_of(activation: str, *, norm: str | None = None, residual: bool = False) -> Pipeline:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        levels = {
            f"level{i}": Dense.from_spec(
                vector(6), width=6, activation=activation, norm=norm, residual=residual
            )
            for i in (1, 2)
        }
        return Pipeline(**levels, answer=Head.from_spec(vector(6), outputs=3))


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 6, generator=generator), torch.arange(40) % 3


@pytest.mark.parametrize("norm", [None, "batch"])
def test_gradients_and_distances_are_those_of_the_weights(examples, norm):
    x, y = examples
    net = net_of("sigmoid", norm=norm)
    first = weights_of(net)
    with torch.no_grad():
        net.level2.linear.weight.mul_(1.5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = anatomy(net, lambda n: F.cross_entropy(n(x), y), x, first=first)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    F.cross_entropy(net.train()(x), y).backward()
    assert list(found) == ["level1", "level2"]
    for name, state in found.items():
        assert state.gradient == pytest.approx(net.get_submodule(name).linear.weight.grad.norm().item())
    assert (found["level1"].distance, found["level2"].distance) == (0.0, pytest.approx(0.5))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("residual", [False, True])
def test_idle_and_saturated_units_are_counted(examples, activation, residual):
    """Of six units two are driven to the flat end of their curve, and one of the others sees nothing."""
    x, y = examples
    net = net_of(activation, residual=residual)
    with torch.no_grad():
        net.level1.linear.bias[:2] = -100.0
        net.level1.linear.weight[2] = 0.0
        net.level1.linear.bias[2] = 0.5
    found = anatomy(net, lambda n: F.cross_entropy(n(x), y), x, first=weights_of(net))["level1"]
    assert found.saturated == pytest.approx(2 / 6)
    assert found.idle == pytest.approx(3 / 6)


# ---- claims follow from what was measured

QUIET = LevelState(gradient=1e-6, distance=0.001, idle=1.0, saturated=0.0)
TOP = LevelState(gradient=1e-2, distance=0.5, idle=1.0, saturated=0.0)
LIVELY = LevelState(gradient=1e-2, distance=0.6, idle=0.0, saturated=0.7)


def measured(*, failed: bool) -> tuple[list[DeepNet], list[Coder]]:
    """Nets of then that fail with depth, or do not; all others do well."""
    nets, coders = [], []
    for kind in WORDS:
        low = kind == "sigmoid" and failed
        for levels in (1, 4):
            states = ((QUIET,) * (levels - 1) + (TOP,)) if low and levels > 1 else (LIVELY,) * levels
            accuracy = 0.1 if low and levels > 1 else 0.94
            nets.append(DeepNet(kind, levels, accuracy, 0.12, 100, (states, states)))
        coders.append(Coder(kind, 8, 8, 4.0 if low else 2.0, 4.0, 100))
    return nets, coders


def words_of(nets: list[DeepNet], coders: list[Coder]) -> str:
    sections = depth(nets, coders)
    return " ".join(" ".join([s.heading, *(f.sentence for f in s.findings)]) for s in sections)


def test_where_depth_failed_the_page_says_so():
    said = words_of(*measured(failed=True))
    assert "Four levels of sigmoids with the first weights of before 2006 name 10.0 % of the digits" in said
    assert "depth failed" in said
    assert "1/10,000 of that at the top" in said
    assert "keeps its chance weights" in said
    assert "sit in the middle of their curve" in said
    assert "you are predicting the mean image" in said


def test_where_depth_did_not_fail_the_page_says_that_too():
    said = words_of(*measured(failed=False))
    assert "depth did not fail here" in said
    assert "does not fade" in said
    assert "the lowest level did move here" in said
    assert "gives back more than the mean image" in said
    for claim in ("depth failed.", "keeps its chance weights", "you are predicting"):
        assert claim not in said


def test_a_remedy_that_did_not_help_is_named():
    nets, coders = measured(failed=True)
    nets = [replace(n, accuracy=0.3) if (n.kind, n.depth) == ("tanh", 4) else n for n in nets]
    assert "Tanh as it was (30.0 %) did not come so far." in words_of(nets, coders)
    coders = [replace(c, error=3.99) if c.kind == "residual" else c for c in coders]
    assert (
        "Hardly more than the mean picture comes back from sigmoids with a way round each level (99.8 %)."
        in words_of(nets, coders)
    )

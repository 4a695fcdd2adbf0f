"""What is said of each level of a net that reads digits, and of one that was taught nonsense."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from read_digits import Digits

from layerwise.data import collate
from layerwise.findings import Finding, Gallery, Image, Section
from layerwise.kinds.image import IMAGE
from layerwise.look import Known, levels


def looked_at(digits: Digits, seed: int = 0) -> Section:
    parts = digits.parts
    return levels(
        digits.net, digits.spec, kind=IMAGE, store=digits.store, held_rows=parts.held, ids=digits.examples.ids,
        known=Known(digits.task, parts.train, digits.targets[parts.train], digits.targets[parts.held]),
        batch=100, seed=seed,
    )  # fmt: skip


@pytest.fixture(scope="module")
def section(digits: Digits) -> Section:
    return looked_at(digits)


def test_without_answers_levels_are_shown_and_not_judged(digits: Digits, section: Section) -> None:
    parts = digits.parts
    bare = levels(
        digits.net, digits.spec, kind=IMAGE, store=digits.store, held_rows=parts.held, ids=digits.examples.ids
    )
    assert [p.name for p in bare.parts] == [p.name for p in section.parts]
    assert [p.facts for p in bare.parts] == [p.facts for p in section.parts]
    names = {f.name.rpartition(".")[2] for p in bare.parts for f in p.findings}
    assert names == {"units", "filters"}
    galleries = [g for p in bare.parts for f in p.findings for g in f.pictures if isinstance(g, Gallery)]
    assert galleries
    assert all(tile.caption == "" for g in galleries if g.examples for tile in g.tiles)


def finding(section: Section, name: str) -> Finding:
    return next(f for part in section.parts for f in part.findings if f.name == f"levels.{name}")


def test_from_raw_input_to_answer(section: Section) -> None:
    assert [p.name for p in section.parts] == [
        f"levels.{n}" for n in ("input", "conv1", "conv2", "hidden", "answer")
    ]
    assert [p.facts["shape"] for p in section.parts] == ["1 x 8 x 8", "16 x 4 x 4", "32 x 2 x 2", "64", "10"]
    assert section.parts[1].facts["weights"] == "160"
    assert "raw input" in section.heading


def test_a_good_net_makes_the_answer_more_readable(section: Section) -> None:
    gain = finding(section, "conv2.gain")
    assert gain.low is not None
    assert gain.low > 0
    probe = finding(section, "hidden.probe")
    assert probe.value is not None
    assert probe.value > 0.97
    assert probe.n == 797


def test_the_gain_is_the_difference_of_the_probes(section: Section) -> None:
    for name in ("conv1", "conv2", "hidden", "answer"):
        gain, probe, raw = (
            finding(section, n).value for n in (f"{name}.gain", f"{name}.probe", "input.probe")
        )
        assert gain is not None
        assert probe is not None
        assert raw is not None
        assert gain == pytest.approx(probe - raw)


def test_with_shuffled_labels_everything_is_at_chance(shuffled: Digits) -> None:
    section = looked_at(shuffled)
    net = shuffled.task.metrics(shuffled.decoded, shuffled.targets[shuffled.parts.held])["accuracy"]
    assert net.low <= 0.1 <= net.high
    outside = 0
    for part in section.parts:
        probe = next(f for f in part.findings if f.name.endswith(".probe"))
        assert probe.value is not None
        assert probe.low is not None
        assert probe.high is not None
        assert abs(probe.value - 0.1) < 2 * (probe.high - probe.low) / 2
        outside += not probe.low <= 0.1 <= probe.high
    assert outside <= 1  # one in twenty intervals misses


def test_the_examples_shown_are_those_that_excite_a_unit_most(digits: Digits, section: Section) -> None:
    with torch.inference_mode():
        pixels = collate(digits.store.take(digits.parts.held), digits.spec)
        level = dict(digits.net.levels(pixels))["hidden"]
    assert isinstance(level, torch.Tensor)
    galleries = [p for p in finding(section, "hidden.units").pictures if isinstance(p, Gallery)]
    assert len(galleries) == 6
    for gallery in galleries:
        unit = int(gallery.words.removeprefix("Unit "))
        best = level[:, unit].argsort(descending=True, stable=True)[:6]
        assert len(gallery.tiles) == 6
        for tile, i in zip(gallery.tiles, best.tolist(), strict=True):
            assert tile.media == digits.examples.show(i)
            assert tile.caption == str(digits.targets[digits.parts.held[i]])
    spread = level.var(dim=0)
    shown = [int(g.words.removeprefix("Unit ")) for g in galleries]
    assert shown[0] == int(spread.argmax())


def test_the_units_of_the_answer_are_called_by_its_classes(section: Section) -> None:
    galleries = [p for p in finding(section, "answer.units").pictures if isinstance(p, Gallery)]
    assert {g.words.removeprefix("The answer ") for g in galleries} <= {str(i) for i in range(10)}
    for gallery in galleries:
        labels = [tile.caption for tile in gallery.tiles]
        assert labels.count(gallery.words[-1]) >= 5


def test_only_the_first_stage_that_learns_has_filters(section: Section) -> None:
    assert [p.name for p in section.parts if any(f.name.endswith(".filters") for f in p.findings)] == [
        "levels.conv1"
    ]
    gallery = finding(section, "conv1.filters").pictures[0]
    assert isinstance(gallery, Gallery)
    assert len(gallery.tiles) == 16
    assert not gallery.examples


def test_large_pictures_are_cut_to_what_the_unit_saw(digits: Digits) -> None:
    whole, part = digits.examples.show(3), digits.examples.show(3, ((0, 2), (6, 8)))
    assert isinstance(whole, Image)
    assert isinstance(part, Image)
    assert part.words == whole.words  # eight pixels are shown at least, and these pictures have no more


def test_the_same_seed_gives_the_same_findings(digits: Digits, section: Section) -> None:
    assert looked_at(digits) == section


def test_the_net_is_left_as_it_was(digits: Digits) -> None:
    before = {k: v.clone() for k, v in digits.net.state_dict().items()}
    digits.net.train()
    parts = digits.parts._replace(train=digits.parts.train[:100], held=digits.parts.held[:50])
    looked_at(digits._replace(parts=parts))
    assert digits.net.training
    digits.net.eval()
    assert all(torch.equal(v, before[k]) for k, v in digits.net.state_dict().items())


def test_intervals_are_drawn_over_groups(digits: Digits) -> None:
    parts = digits.parts
    few = parts.held[:100]
    section = levels(
        digits.net, digits.spec, kind=replace(IMAGE, plural="digits"), store=digits.store, held_rows=few,
        ids=[str(r) for r in few],
        known=Known(
            digits.task, parts.train[:300], digits.targets[parts.train[:300]], digits.targets[few],
            np.arange(100) // 20,
        ),
    )  # fmt: skip
    assert "5 groups" in finding(section, "input.probe").caveat
    assert section.parts[0].heading == "The raw digits."

"""What sounds claim, propose, alter, show and are rivalled by."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from layerwise.data.source import Column, File
from layerwise.errors import UsageError
from layerwise.kinds.sound import SOUND
from layerwise.kinds.sound.mel import decibels
from layerwise.nn import build, widest
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.tasks.classify import Classify
from layerwise.values import Batch, Padded, as_value

TASK = Classify.fit(list("abc") * 10)


def spec(rate: float = 8_000.0, dtype: str = "int16", seconds: float = 0.5) -> Spec:
    return Spec(
        ("time",),
        (None,),
        dtype,
        rate_hz=rate,
        centre=(0.0,),
        spread=(2_000.0,),
        longest=round(seconds * rate),
    )


def clips(*lengths: int, dtype: str = "int16") -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    whole = [rng.integers(-9_000, 9_000, n).astype(np.int16) for n in lengths]
    return whole if dtype == "int16" else [(w / 32_768).astype(np.float32) for w in whole]


def padded(*lengths: int, dtype: str = "int16") -> Padded:
    value = as_value(clips(*lengths, dtype=dtype), True)
    assert isinstance(value, Padded)
    return value


@pytest.mark.parametrize("look", [spec(), spec(16_000, "float32"), spec(600), spec(16_000, seconds=10)])
@pytest.mark.parametrize("n", [60, 2_700])
def test_the_blueprint_fits_every_look(look: Spec, n: int) -> None:
    plan = SOUND.blueprint(look, TASK, n)
    net = build(plan.network, look, TASK.outputs).eval()
    given = padded(1_000, 300, 1, dtype=look.dtype)
    assert net(given).shape == (3, 3)
    assert widest(net, look) < 1_000_000
    assert SOUND.alter(look, plan.training.alter) is not None
    assert all(plan.why.values())


def test_branch_and_lstm_fit_too() -> None:
    assert SOUND.branch is not None
    for network in (SOUND.branch(spec()), SOUND.likes["lstm"](spec(), TASK, 500).network):
        assert build(network, spec(), 3).eval()(padded(900, 2_000)).shape == (2, 3)


def test_lstm_has_the_papers_cells() -> None:
    net = build(SOUND.likes["lstm"](spec(16_000), TASK, 500).network, spec(16_000), 3)
    assert net.lstm.inputs == 40
    assert net.lstm.width == 250
    assert net.lstm.back is not None


def altered(options: dict[str, object], given: Padded, key: int = 1) -> Padded:
    change = SOUND.alter(spec(), options)
    assert change is not None
    n = len(given.lengths)
    out = change(Batch(given, None, None, torch.arange(n)), Randomness(key)).inputs
    assert isinstance(out, Padded)
    return out


@pytest.mark.parametrize(
    "options",
    [
        {"shift_seconds": 0.05},
        {"speed": 0.2},
        {"gain_db": 12.0},
        {"noise_db": 20.0},
        {"gaps": 3},
        {"crop": 0.6},
        {"tone_db": 6.0},
        {"bands": 2},
        {"shift_seconds": 0.1, "speed": 0.1, "gain_db": 6.0, "noise_db": 40.0, "gaps": 1},
    ],
)
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_alterations_repeat_keep_dtype_and_zero_padding(options: dict[str, object], dtype: str) -> None:
    given = padded(4_000, 900, 1, 0, dtype=dtype)
    before = given.values.clone()
    once, again, other = altered(options, given), altered(options, given), altered(options, given, key=2)
    assert torch.equal(once.values, again.values)
    assert torch.equal(once.lengths, again.lengths)
    assert once.values.shape != other.values.shape or not torch.equal(once.values, other.values)
    assert once.values.dtype == given.values.dtype
    assert (once.values[~once.mask()] == 0).all()
    assert (once.lengths[:3] > 0).all()
    assert once.lengths[3] == 0
    assert torch.equal(given.values, before)


def test_a_shift_moves_whole_samples_and_lets_silence_in() -> None:
    given = padded(*[800] * 12)
    out = altered({"shift_seconds": 0.02}, given)
    for before, after in zip(given.values.tolist(), out.values.tolist(), strict=True):
        shifted = [[0] * s + before[: 800 - s] for s in range(161)] + [
            before[s:] + [0] * s for s in range(161)
        ]
        assert after in shifted


def test_speed_changes_length_and_pitch_together() -> None:
    t = torch.arange(8_000) / 8_000
    given = Padded(
        (8_000 * torch.sin(2 * torch.pi * 400 * t)).round().to(torch.int16).expand(6, -1),
        torch.full((6,), 8_000),
    )
    out = altered({"speed": 0.2}, given)
    assert out.lengths.unique().numel() > 3
    for clip, length in zip(out.values, out.lengths.tolist(), strict=True):
        spectrum = torch.fft.rfft(clip[:length].float()).abs()
        hz = int(spectrum.argmax()) * 8_000 / length
        assert hz == pytest.approx(400 * 8_000 / length, rel=0.01)


def test_gain_stays_within_its_decibels() -> None:
    given = padded(*[2_000] * 10)
    power = altered({"gain_db": 6.0}, given).values.float().square().mean(
        1
    ) / given.values.float().square().mean(1)
    decibels = 10 * torch.log10(power)
    assert (decibels.abs() <= 6.2).all()
    assert decibels.std() > 1


def test_a_crop_keeps_a_stretch_of_each_clip_as_it_is() -> None:
    given = padded(*[900] * 30, 3, 1)
    out = altered({"crop": 0.75}, given)
    lengths = out.lengths[:30]
    assert lengths.min() >= 225
    assert lengths.max() <= 900
    assert lengths.float().std() > 100
    begins = []
    for clip, whole, length in zip(out.values, given.values, out.lengths.tolist(), strict=True):
        places = [i for i in range(len(whole)) if torch.equal(whole[i : i + length], clip[:length])]
        assert places
        begins.append(places[0])
    assert len(set(begins)) > 15


def test_bands_are_silenced_and_the_rest_is_left() -> None:
    draw = torch.Generator().manual_seed(0)
    given = Padded(torch.randn(8, 4096, generator=draw), torch.full((8,), 4096))
    before, after = (torch.fft.rfft(v).abs() for v in (given.values, altered({"bands": 1}, given).values))
    silent = after < 1e-3 * before
    same = (after - before).abs() < 1e-2 * (1 + before)
    assert (silent | same).all()
    share = silent.float().mean(1)
    assert share.max() > 0.02
    assert share.max() < 0.35
    runs = (silent[:, 1:] != silent[:, :-1]).sum(1)
    assert (runs <= 2).all()


def test_tone_stays_within_its_decibels_and_differs_between_pitches() -> None:
    draw = torch.Generator().manual_seed(1)
    given = Padded(torch.randn(8, 4096, generator=draw), torch.full((8,), 4096))
    before, after = (torch.fft.rfft(v).abs() for v in (given.values, altered({"tone_db": 6.0}, given).values))
    decibels = 20 * torch.log10(after / before)
    assert (decibels.abs() <= 6.1).all()
    assert (decibels.amax(1) - decibels.amin(1)).min() > 2
    assert (decibels[:, 1:] - decibels[:, :-1]).abs().max() < 0.1


def test_names_and_amounts_are_checked() -> None:
    assert SOUND.alter(spec(), {}) is None
    assert SOUND.alter(spec(), {"speed": 0}) is None
    with pytest.raises(UsageError, match=r"no line 'training.alter.sped' for sounds; did you mean 'speed'\?"):
        SOUND.alter(spec(), {"sped": 1})
    with pytest.raises(UsageError, match=r"must be 0 \(not at all\) or more"):
        SOUND.alter(spec(), {"gaps": -1})
    with pytest.raises(UsageError, match=r"crop is a share of the clip below 1, got 1\.5"):
        SOUND.alter(spec(), {"crop": 1.5})


def column(holds: str, values: object, **more: object) -> dict[str, Column]:
    return {"x": Column("x", holds, values, **more)}  # type: ignore[arg-type]


def test_claims_files_by_name_and_arrays_by_rate(tmp_path: Path) -> None:
    files = [File(f"{i}.{s}", tmp_path / "none") for i, s in enumerate(["WAV", "flac", "txt"])]
    assert SOUND.claims(column("files", files)) == "2 of 3 files are named as sounds"
    assert SOUND.claims(column("files", files[2:])) is None
    bare = tmp_path / "clip"
    soundfile.write(bare, np.zeros(80), 8_000, format="WAV")
    assert "begin as sounds do" in (SOUND.claims(column("files", [File("clip", bare)])) or "")
    assert SOUND.claims(column("arrays", np.zeros((5, 800)), rate_hz=8_000.0))
    assert SOUND.claims(column("arrays", np.zeros((5, 800)), rate_hz=360.0)) is None
    assert SOUND.claims(column("arrays", np.zeros((5, 800)))) is None


def test_show_gives_two_seconds_to_listen_to_and_a_picture() -> None:
    t = np.arange(40_000) / 8_000
    samples = (8_000 * np.sin(2 * np.pi * 2_000 * t)).astype(np.int16)
    shown = SOUND.show({"value": samples}, spec())
    heard, rate = soundfile.read(io.BytesIO(shown.mp3), dtype="int16")  # type: ignore[union-attr]
    assert rate == 8_000
    assert len(shown.mp3) < 20_000  # type: ignore[union-attr]
    assert np.corrcoef(heard[:16_000], samples[:16_000])[0, 1] > 0.99
    with Image.open(io.BytesIO(shown.png)) as image:  # type: ignore[union-attr]
        light = np.asarray(image.convert("RGB")).astype(float).sum(axis=2)
    assert 100 <= light.shape[1] <= 170
    # one line of light, above the middle: half of all frequencies, and more than half of the mels, lie below
    assert light.mean(axis=1).argmax() < len(light) / 2
    assert np.ptp(light.mean(axis=1)) > 200
    low = SOUND.show({"value": np.zeros(1, np.float32)}, spec(600, "float32"))
    assert soundfile.info(io.BytesIO(low.mp3)).samplerate == 8_000  # type: ignore[union-attr]


def test_decibels_are_below_full_scale() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000).astype(np.float32)
    levels = decibels(spec(dtype="float32"), bands=20, hop_seconds=0.01)
    loud, soft = levels(noise), levels(noise * np.float32(0.1))
    assert loud.shape[1] == 20
    assert np.abs(loud - soft - 20).max() < 0.01
    assert loud.max() < 0


def test_filters_draw_the_first_convolution_and_no_other() -> None:
    net = build(SOUND.blueprint(spec(), TASK, 500).network, spec(), 3)
    spectrum = net.mel.spec(spec())
    drawn = SOUND.filters(net.conv1, spectrum)
    assert drawn is not None
    assert len(drawn.tiles) == net.conv1.width
    assert SOUND.filters(net.conv2, net.conv1.spec(spectrum)) is None
    assert SOUND.filters(net.mel, spec()) is None


def test_rivals_look_at_each_clip_by_itself_or_at_facts_alone() -> None:
    values = {"value": clips(900, 4_000, 1, 2_500)}
    facts = {name: np.arange(4.0) for name in ("rate_hz", "seconds", "channels", "bytes", "peak")}
    rivals = {r.name: r for r in SOUND.rivals(spec(), TASK)}
    for rival in rivals.values():
        if rival.features is None:
            continue
        see = rival.features(values, facts, spec())
        whole = see(values, facts)
        assert np.isfinite(whole).all()
        alone = see({"value": values["value"][1:2]}, {k: v[1:2] for k, v in facts.items()})
        assert np.allclose(alone, whole[1:2], atol=1e-4)
    rate = rivals["the sampling rate alone"].features
    assert rate is not None
    assert rate(values, facts, spec())(values, facts).tolist() == [[0.0], [1.0], [2.0], [3.0]]

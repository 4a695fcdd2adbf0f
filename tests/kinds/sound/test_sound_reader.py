"""Clips of every format, rate and length read the same whatever their company; damage becomes a reason."""

import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.data.source import Column, File
from layerwise.errors import DataError, Rejected, UsageError
from layerwise.kinds.sound.decode import MOST_SAMPLES, array_clip, decode, header, resampled
from layerwise.kinds.sound.reader import SoundReader

RATE = 8_000


def tone(seconds: float = 0.5, hz: float = 440.0, rate: int = RATE, peak: float = 0.5) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(samples: np.ndarray, rate: int = RATE, form: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def written(tmp_path: Path, data: bytes, name: str = "clip.wav") -> File:
    (tmp_path / name).write_bytes(data)
    return File(name, tmp_path / name)


def folder(tmp_path: Path, *clips: bytes) -> dict[str, Column]:
    files = [written(tmp_path, data, f"{i}.wav") for i, data in enumerate(clips)]
    return {"clip": Column("clip", "files", files)}


@pytest.mark.parametrize(
    ("form", "subtype", "error"),
    [
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "PCM_24", 1e-6),
        ("AIFF", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.1),
        ("OGG", "OPUS", 0.1),
        ("MP3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_formats_give_back_their_samples(tmp_path: Path, form: str, subtype: str, error: float) -> None:
    clip = decode(written(tmp_path, encoded(tone(), form=form, subtype=subtype)))
    assert clip.header.rate_hz == RATE
    assert clip.header.channels == 1
    assert clip.header.fine == (subtype in ("FLOAT", "PCM_24"))
    assert len(clip.samples) == pytest.approx(4_000, abs=50)
    inner = slice(500, 3_500)
    assert np.abs(clip.samples[inner] - tone()[inner]).max() < error


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(), np.zeros_like(tone())], axis=1)
    clip = decode(written(tmp_path, encoded(stereo)))
    assert clip.header.channels == 2
    assert np.abs(clip.samples - tone() / 2).max() < 1e-4


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"just some words, no sound", "no sound that can be read: it begins with 'just some wo'"),
        (encoded(np.zeros(0, np.float32)), "holds no samples"),
        (
            encoded(np.random.default_rng(0).uniform(-1, 1, 9_000), form="FLAC")[:9_000],
            "damaged or cut short",
        ),
        (encoded(np.full(50, np.nan, np.float32), subtype="FLOAT"), "holds NaN or infinity"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        decode(written(tmp_path, data))


def test_a_flac_that_declares_too_much_is_refused_by_its_header(tmp_path: Path) -> None:
    data = bytearray(encoded(tone(), form="FLAC"))
    # STREAMINFO: 36 bits of total samples end 16 bytes before the block's end
    place = data.index(b"fLaC") + 8 + 10
    word = struct.unpack(">Q", data[place : place + 8])[0]
    data[place : place + 8] = struct.pack(">Q", (word >> 36 << 36) | MOST_SAMPLES + 1)
    with pytest.raises(Rejected, match="declares 67,108,865 samples on 1 channels"):
        header(written(tmp_path, bytes(data)))
    data[place : place + 8] = struct.pack(">Q", (word >> 36 << 36) | 400_000)
    with pytest.raises(Rejected, match=r"cut short|damaged"):
        decode(written(tmp_path, bytes(data)))


def test_a_wav_that_declares_gigabytes_reads_what_is_there(tmp_path: Path) -> None:
    data = bytearray(encoded(tone()))
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", 0xFFFFFF00)
    assert len(decode(written(tmp_path, bytes(data))).samples) == 4_000


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["WAV", "FLAC", "OGG", "AIFF"]), st.data())
def test_mutated_files_are_read_or_rejected(tmp_path: Path, form: str, data: st.DataObject) -> None:
    raw = bytearray(encoded(tone(0.1), form=form))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    file = written(tmp_path, bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    reader = SoundReader(rate_hz=8_000, seconds=1).fit(folder(tmp_path, encoded(tone(0.1))), np.arange(1))
    read = reader.read({"clip": [file]})
    assert len(read.kept) + len(read.rejected) == 1
    assert all(len(samples) <= 8_000 for samples in read.values["value"])


def test_resampling_keeps_the_tone_and_drops_what_does_not_fit() -> None:
    up = resampled(tone(hz=500, rate=4_000), 4_000, 16_000)
    assert len(up) == 8_000
    assert np.abs(up[500:-500] - tone(hz=500, rate=16_000)[500:-500]).max() < 1e-3
    high = resampled(tone(hz=7_000, rate=16_000), 16_000, 8_000)
    assert np.abs(high[200:-200]).max() < 1e-3
    assert len(resampled(np.ones(1, np.float32), 44_100, 8_000)) == 1


def test_the_rate_is_chosen_from_training_rows(tmp_path: Path) -> None:
    same = SoundReader().fit(folder(tmp_path, *[encoded(tone())] * 3), np.arange(3))
    assert same.spec.rate_hz == RATE
    mixed = folder(tmp_path, *[encoded(tone(rate=r), r) for r in (600, 22_050, 44_100, 44_100)])
    reader = SoundReader().fit(mixed, np.arange(4))
    chosen, why = reader.choices()
    assert chosen == {"rate_hz": 16_000, "seconds": 10.0}
    assert why["rate_hz"].startswith("600 to 44,100 Hz")
    assert SoundReader().fit(mixed, np.array([0])).spec.rate_hz == 600


def test_lengths_differ_and_facts_are_of_the_file(tmp_path: Path) -> None:
    columns = folder(tmp_path, encoded(tone(0.2)), encoded(tone(0.7, rate=16_000, peak=0.25), 16_000))
    reader = SoundReader(rate_hz=8_000).fit(columns, np.arange(2))
    read = reader.read({"clip": columns["clip"].values})
    assert [len(v) for v in read.values["value"]] == [1_600, 5_600]
    assert all(v.dtype == np.int16 for v in read.values["value"])
    assert read.facts["rate_hz"].tolist() == [8_000, 16_000]
    assert read.facts["seconds"].tolist() == pytest.approx([0.2, 0.7])
    assert read.facts["peak"].tolist() == pytest.approx([0.5, 0.25], abs=1e-3)
    assert reader.spec.longest == 5_600
    assert reader.spec.spread[0] == pytest.approx(
        32_768 * np.sqrt(np.mean(np.concatenate([tone(0.2), tone(0.7, peak=0.25)]) ** 2)), rel=0.01
    )


def test_of_a_long_clip_the_loudest_stretch_is_kept(tmp_path: Path) -> None:
    quiet = np.concatenate([tone(2, peak=0.01), tone(1, peak=0.8), tone(2, peak=0.01)])
    columns = folder(tmp_path, encoded(quiet))
    reader = SoundReader(seconds=1.2).fit(columns, np.arange(1))
    (samples,) = reader.read({"clip": columns["clip"].values}).values["value"]
    assert len(samples) == 9_600
    assert np.square(samples / 32_768).sum() > 0.95 * np.square(quiet).sum()


def test_finer_files_are_kept_as_floats(tmp_path: Path) -> None:
    faint = tone(peak=1e-6)
    columns = folder(tmp_path, encoded(faint, subtype="FLOAT"))
    reader = SoundReader().fit(columns, np.arange(1))
    assert reader.spec.dtype == "float32"
    assert np.abs(reader.read({"clip": columns["clip"].values}).values["value"][0] - faint).max() < 1e-8


def test_silence_is_a_sound(tmp_path: Path) -> None:
    columns = folder(tmp_path, encoded(np.zeros(800, np.float32)))
    reader = SoundReader().fit(columns, np.arange(1))
    assert reader.spec.spread == (1.0,)
    assert (reader.read({"clip": columns["clip"].values}).values["value"][0] == 0).all()


def test_files_and_arrays_of_the_same_samples_read_the_same(tmp_path: Path) -> None:
    whole = np.rint(tone() * 32_768).astype(np.int16)
    columns = folder(tmp_path, encoded(whole, 16_000))
    reader = SoundReader(rate_hz=8_000).fit(columns, np.arange(1))
    arrays = Column("clip", "arrays", [whole, whole], rate_hz=16_000.0)
    other = SoundReader(rate_hz=8_000).fit({"clip": arrays}, np.arange(2))
    from_file = reader.read({"clip": columns["clip"].values}).values["value"][0]
    assert (from_file == other.read({"clip": [whole]}).values["value"][0]).all()


def test_arrays_of_whole_numbers_span_full_scale() -> None:
    assert array_clip(np.array([0, 128, 255], np.uint8), 8_000).samples.tolist() == pytest.approx(
        [-1, 0, 1], abs=0.01
    )
    assert array_clip(np.array([-32_768, 0], np.int16), 8_000).samples.tolist() == pytest.approx(
        [-1, 0], abs=1e-4
    )
    for wrong in (np.zeros((2, 2, 2)), np.array(["a"]), np.zeros(0)):
        with pytest.raises(Rejected):
            array_clip(wrong, 8_000)


def test_bad_ones_are_left_out_and_neighbours_do_not_matter(tmp_path: Path) -> None:
    columns = folder(tmp_path, encoded(tone(0.3)), b"", encoded(tone(0.1)))
    reader = SoundReader().fit(columns, np.arange(3))
    read = reader.read({"clip": [*columns["clip"].values, None]})
    assert read.kept.tolist() == [0, 2]
    assert read.rejected == {1: "an empty file", 3: "an empty cell"}
    alone = reader.read({"clip": columns["clip"].values[2:]}).values["value"][0]
    assert (alone == read.values["value"][1]).all()
    with pytest.raises(DataError, match=r"none of 1 training clips can be read.*an empty file"):
        SoundReader().fit(columns, np.array([1]))


def test_reading_after_saving_is_bit_for_bit(tmp_path: Path) -> None:
    columns = folder(tmp_path, encoded(tone(0.3, rate=11_025), 11_025), encoded(tone(0.1)))
    reader = SoundReader().fit(columns, np.arange(2))
    plain, state = reader.state()
    saved = SoundReader.restore(json.loads(json.dumps(plain)), state)
    for other in (saved, pickle.loads(pickle.dumps(reader))):  # noqa: S301
        assert other.spec == reader.spec
        assert other.choices() == reader.choices()
        chunk = {"clip": columns["clip"].values}
        for a, b in zip(other.read(chunk).values["value"], reader.read(chunk).values["value"], strict=True):
            assert (a == b).all()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match=r"reading.rate_hz must be from 100 to 192,000, got '5'"):
        SoundReader(rate_hz=5)
    with pytest.raises(UsageError, match=r"reading.seconds"):
        SoundReader(seconds=0)
    with pytest.raises(UsageError, match="call fit first"):
        _ = SoundReader().spec

"""The reader chooses from training rows alone, reads each picture by itself, and the same after saving."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layerwise.data.source import Column, File
from layerwise.errors import DataError, UsageError
from layerwise.kinds.image.reader import ImageReader

RNG = np.random.default_rng(0)


def arrays(values: object) -> dict[str, Column]:
    return {"picture": Column("picture", "arrays", values)}


def folder(tmp_path: Path, pictures: list[np.ndarray]) -> dict[str, Column]:
    files = []
    for i, pixels in enumerate(pictures):
        path = tmp_path / f"{i}.png"
        Image.fromarray(pixels).save(path)
        files.append(File(path.name, path))
    return {"picture": Column("picture", "files", files)}


def pictures(*sizes: tuple[int, int], colour: bool = True) -> list[np.ndarray]:
    return [RNG.integers(0, 256, (h, w, 3) if colour else (h, w), dtype=np.uint8) for h, w in sizes]


def test_small_pictures_of_one_size_are_left_as_they_are(tmp_path: Path) -> None:
    given = pictures(*[(32, 24)] * 6)
    columns = folder(tmp_path, given)
    reader = ImageReader().fit(columns, np.arange(6))
    assert reader.spec.shape == (3, 32, 24)
    assert reader.spec.dtype == "uint8"
    read = reader.read({"picture": columns["picture"].values})
    assert (read.values["value"] == np.moveaxis(np.stack(given), 3, 1)).all()
    assert read.facts["width"].tolist() == [24] * 6
    assert read.facts["mode"].tolist() == ["RGB"] * 6
    assert (read.facts["bytes"] > 0).all()


def test_files_and_arrays_of_the_same_pictures_read_the_same(tmp_path: Path) -> None:
    given = pictures(*[(60, 80)] * 4)
    columns = folder(tmp_path, given)
    reader = ImageReader().fit(columns, np.arange(4))
    from_files = reader.read({"picture": columns["picture"].values}).values["value"]
    assert (reader.read({"picture": np.stack(given)}).values["value"] == from_files).all()
    again = ImageReader(size=[60, 80]).fit(arrays(np.stack(given)), np.arange(4))
    assert (again.read({"picture": np.stack(given)}).values["value"].shape) == (4, 3, 60, 80)


def test_large_pictures_shrink_and_unequal_ones_become_square(tmp_path: Path) -> None:
    same = ImageReader().fit(folder(tmp_path, pictures((112, 92), (112, 92), colour=False)), np.arange(2))
    assert same.spec.shape == (1, 96, 79)
    mixed = ImageReader().fit(folder(tmp_path, pictures((200, 150), (150, 200), (180, 180))), np.arange(3))
    assert mixed.spec.shape == (3, 96, 96)
    settings, why = mixed.choices()
    assert settings == {"size": [96, 96], "colour": "colour", "framing": "crop"}
    assert set(why) == set(settings)
    assert "150 x 150 to 200 x 200" in why["size"]


def test_very_different_shapes_are_letterboxed_whole() -> None:
    wide = np.full((20, 80), 200, np.uint8)
    wide[5:15, 30:50] = 10
    tall = wide.T.copy()
    reader = ImageReader().fit(arrays([wide, tall]), np.arange(2))
    assert reader.choices()[0]["framing"] == "letterbox"
    values = reader.read({"picture": [wide, tall]}).values["value"]
    assert (values[0, 0, 0] == 200).all()  # the border colour fills what is left
    assert values[0].min() <= 20


def test_grey_or_colour_follows_the_training_rows() -> None:
    grey = np.repeat(RNG.integers(0, 256, (40, 16, 16, 1), dtype=np.uint8), 3, axis=3)
    reader = ImageReader().fit(arrays(grey), np.arange(40))
    assert reader.spec.names == ("grey",)
    assert (reader.read({"picture": grey}).values["value"][:, 0] == grey[..., 0]).all()
    coloured = grey.copy()
    coloured[7] = RNG.integers(0, 256, (16, 16, 3))
    assert ImageReader().fit(arrays(coloured), np.arange(40)).spec.names == ("red", "green", "blue")
    assert ImageReader().fit(arrays(coloured), np.delete(np.arange(40), 7)).spec.names == ("grey",)


def test_sixteen_bits_and_floats_keep_their_depth() -> None:
    deep = RNG.integers(0, 60_000, (5, 9, 9), dtype=np.uint16)
    reader = ImageReader().fit(arrays(deep), np.arange(5))
    assert reader.spec.dtype == "uint16"
    eight = reader.read({"picture": [np.full((9, 9), 255, np.uint8)]}).values["value"]
    assert (eight == 65_535).all()
    digits = RNG.integers(0, 17, (5, 8, 8)).astype(np.float64)
    reader = ImageReader().fit(arrays(digits), np.arange(5))
    assert reader.spec.dtype == "float32"
    assert (reader.read({"picture": digits}).values["value"][:, 0] == digits).all()
    assert np.isclose(reader.spec.centre[0], digits.mean())
    assert np.isclose(reader.spec.spread[0], digits.std())


def test_fractions_are_refused_where_training_had_whole_numbers() -> None:
    reader = ImageReader().fit(arrays(np.stack(pictures((8, 8), colour=False))), np.arange(1))
    read = reader.read({"picture": [np.full((8, 8), 7.0), np.full((8, 8), 0.5)]})
    assert read.kept.tolist() == [0]
    assert "fractions" in read.rejected[1]


def test_channels_first_and_odd_numbers_of_channels() -> None:
    first = RNG.integers(0, 256, (4, 3, 20, 24), dtype=np.uint8)
    assert ImageReader().fit(arrays(first), np.arange(4)).spec.shape == (3, 20, 24)
    bands = RNG.random((4, 20, 24, 2))
    reader = ImageReader().fit(arrays(bands), np.arange(4))
    assert reader.spec.shape == (2, 20, 24)
    assert reader.choices()[0]["colour"] == "as given"
    assert "has 1 channels" in reader.read({"picture": [bands[0, :, :, 0]]}).rejected[0]


def test_bad_ones_are_left_out_with_their_reasons(tmp_path: Path) -> None:
    columns = folder(tmp_path, pictures(*[(10, 10)] * 4))
    files = columns["picture"].values
    files[1].where.write_text("no picture at all")
    files[2].where.write_bytes(files[2].where.read_bytes()[:100])
    reader = ImageReader().fit(columns, np.arange(4))
    read = reader.read({"picture": [*files, None]})
    assert read.kept.tolist() == [0, 3]
    assert len(read.values["value"]) == 2
    assert "no picture" in read.rejected[1]
    assert "cut short" in read.rejected[2]
    assert read.rejected[4] == "an empty cell"
    assert len(reader.read({"picture": []}).values["value"]) == 0


def test_nothing_readable_is_said_with_the_first_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("words")
    column = Column("picture", "files", [File("a.png", path)])
    with pytest.raises(DataError, match=r"none of 1 training pictures can be read.*no picture"):
        ImageReader().fit({"picture": column}, np.arange(1))


def test_reading_after_saving_is_bit_for_bit(tmp_path: Path) -> None:
    columns = folder(tmp_path, pictures((50, 70), (64, 64), (90, 40), colour=True))
    reader = ImageReader().fit(columns, np.arange(3))
    plain, state = reader.state()
    for other in (
        ImageReader.restore(json.loads(json.dumps(plain)), state),
        pickle.loads(pickle.dumps(reader)),  # noqa: S301
    ):
        assert other.spec == reader.spec
        assert other.choices() == reader.choices()
        chunk = {"picture": columns["picture"].values}
        assert (other.read(chunk).values["value"] == reader.read(chunk).values["value"]).all()
    again = ImageReader(**reader.choices()[0]).fit(columns, np.arange(3))
    assert again.spec == reader.spec


def test_neighbours_do_not_matter(tmp_path: Path) -> None:
    columns = folder(tmp_path, pictures((50, 70), (64, 64), (90, 40)))
    reader = ImageReader().fit(columns, np.arange(3))
    whole = reader.read({"picture": columns["picture"].values}).values["value"]
    for i, file in enumerate(columns["picture"].values):
        assert (reader.read({"picture": [file]}).values["value"][0] == whole[i]).all()


@pytest.mark.parametrize(
    "settings", [{"size": 0}, {"size": [8, 8, 8]}, {"size": 5000}, {"colour": "gray"}, {"framing": "croped"}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"reading\."):
        ImageReader(**settings)


def test_an_unfitted_reader_says_so() -> None:
    with pytest.raises(UsageError, match="call fit first"):
        _ = ImageReader().spec

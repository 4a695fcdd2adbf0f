"""Every format, depth, palette and orientation becomes the pixels that were meant; damage, a reason."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from layerwise.data.source import File
from layerwise.errors import Rejected
from layerwise.kinds.image.decode import MOST_PIXELS, array_pixels, decode, look, resized
from layerwise.kinds.picture import heat, png, signed

COLOUR = np.random.default_rng(0).integers(0, 256, (13, 9, 3), dtype=np.uint8)
GREY = COLOUR[:, :, 0]


def saved(tmp_path: Path, image: Image.Image, form: str, **options: object) -> File:
    path = tmp_path / f"picture.{form.lower()}"
    image.save(path, form, **options)
    return File(path.name, path)


def written(tmp_path: Path, data: bytes, name: str = "picture.png") -> File:
    (tmp_path / name).write_bytes(data)
    return File(name, tmp_path / name)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "PPM", "WEBP"])
def test_lossless_formats_give_back_their_pixels(tmp_path: Path, form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    pixels, header = decode(saved(tmp_path, Image.fromarray(COLOUR), form, **options), None)
    assert (pixels == COLOUR).all()
    assert (header.width, header.height, header.mode, header.depth) == (9, 13, "RGB", "uint8")


def test_jpeg_is_near_its_pixels(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (1, 48, 3))
    pixels, _ = decode(saved(tmp_path, Image.fromarray(smooth), "JPEG", quality=95), None)
    assert np.abs(pixels.astype(int) - smooth).max() <= 4


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    deep = np.arange(13 * 9, dtype=np.uint16).reshape(13, 9) * 500
    for form in ("PNG", "TIFF"):
        file = saved(tmp_path, Image.fromarray(deep), form)
        pixels, header = decode(file, None)
        assert header.depth == "uint16"
        assert pixels.dtype == np.uint16
        assert (pixels[:, :, 0] == deep).all()
    plain = written(tmp_path, b"P5\n9 13\n65535\n" + deep.astype(">u2").tobytes(), "deep.pgm")
    assert (decode(plain, None)[0][:, :, 0] == deep).all()


def test_palettes_are_looked_up_and_gif_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (9, 13), c) for c in ("red", "blue")]
    gif = saved(tmp_path, frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(gif, None)[0] == (255, 0, 0)).all()
    few = Image.fromarray(COLOUR).quantize(16)
    assert (decode(saved(tmp_path, few, "PNG"), None)[0] == np.asarray(few.convert("RGB"))).all()


def test_one_bit_and_cmyk(tmp_path: Path) -> None:
    bits = Image.fromarray(GREY > 128)
    assert (decode(saved(tmp_path, bits, "BMP"), None)[0][:, :, 0] == np.where(GREY > 128, 255, 0)).all()
    inks = Image.fromarray(COLOUR).convert("CMYK")
    assert (decode(saved(tmp_path, inks, "TIFF"), None)[0] == np.asarray(inks.convert("RGB"))).all()


def test_what_is_transparent_shows_mid_grey(tmp_path: Path) -> None:
    rgba = np.dstack([COLOUR, np.where(GREY > 128, 255, 0).astype(np.uint8)])
    pixels, _ = decode(saved(tmp_path, Image.fromarray(rgba), "PNG"), None)
    assert (pixels[GREY > 128] == COLOUR[GREY > 128]).all()
    assert (pixels[GREY <= 128] == 128).all()
    both = np.dstack([GREY, np.zeros_like(GREY)])
    assert decode(saved(tmp_path, Image.fromarray(both, "LA"), "PNG"), None)[0].shape == (13, 9, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_pillows_own(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(tmp_path, Image.fromarray(COLOUR), "PNG", exif=exif)
    pixels, header = decode(file, None)
    with Image.open(file.where) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert (pixels == upright).all()
    assert (header.height, header.width) == upright.shape[:2]


def test_near_decodes_coarsely_but_never_below_twice_the_size(tmp_path: Path) -> None:
    large = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (300, 2)))
    for form in ("JPEG", "PNG"):
        pixels, header = decode(saved(tmp_path, large, form), (32, 40))
        assert pixels.shape[0] >= 64
        assert pixels.shape[1] >= 80
        assert pixels.shape[0] < 300
        assert (header.height, header.width) == (300, 512)


def bomb(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")
    body = b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"just some words, no picture", "no picture: it begins with 'just some wo'"),
        (png(COLOUR)[:200], "damaged or cut short"),
        (png(COLOUR)[:12], "damaged or cut short: its header cannot be read"),
        (bomb(9_000, 9_000), "declares 9,000 x 9,000 pixels, 81 million; at most 64 million"),
        (bomb(60_000, 60_000), "declares hundreds of millions of pixels; at most 64 million"),
        (b"P5\n0 5\n255\n", "no picture|damaged|declares 0 x 5"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, data: bytes, reason: str) -> None:
    file = written(tmp_path, data)
    with pytest.raises(Rejected, match=reason):
        decode(file, (8, 8))


def test_a_bomb_is_refused_by_its_header_alone(tmp_path: Path) -> None:
    side = int(MOST_PIXELS**0.5)
    assert look(written(tmp_path, bomb(side, side))).width == side
    with pytest.raises(Rejected, match="at most 64 million"):
        look(written(tmp_path, bomb(side + 1, side)))


def test_a_truncated_jpeg_is_rejected(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    with pytest.raises(Rejected, match="cut short"):
        decode(written(tmp_path, buffer.getvalue()[:-900], "photo.JPG"), None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"]), st.data())
def test_mutated_files_are_read_or_rejected(tmp_path: Path, form: str, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).save(buffer, form)
    raw = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    file = written(tmp_path, bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    try:
        pixels, _ = decode(file, (4, 4))
    except Rejected as reason:
        words = str(reason)
    else:
        words = "x".join(map(str, pixels.shape[2:]))
        assert words in ("1", "3")
    assert words.isprintable()


def test_arrays_in_either_layout() -> None:
    assert (array_pixels(COLOUR, first=False) == COLOUR).all()
    assert (array_pixels(np.moveaxis(COLOUR, 2, 0), first=True) == COLOUR).all()
    assert array_pixels(GREY.astype(np.int64), first=False).dtype == np.float32
    assert (array_pixels(GREY > 128, first=False)[:, :, 0] == np.where(GREY > 128, 255, 0)).all()
    for wrong in (np.zeros(5), np.zeros((0, 3)), np.array([["a"]]), np.full((4, 4), np.nan)):
        with pytest.raises(Rejected):
            array_pixels(wrong, first=False)


def test_resizing_is_the_same_at_every_depth() -> None:
    wide = resized(COLOUR, (5, 4))
    deep = resized(COLOUR.astype(np.uint16), (5, 4))
    fine = resized(COLOUR.astype(np.float32), (5, 4))
    assert wide.shape == (5, 4, 3)
    assert np.abs(wide.astype(int) - deep).max() <= 1
    assert np.abs(deep - np.clip(fine, 0, None)).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("pixels", [GREY, COLOUR, np.zeros((1, 1), np.uint8)])
def test_png_is_what_pillow_reads(pixels: np.ndarray) -> None:
    with Image.open(io.BytesIO(png(pixels))) as image:
        image.load()
        assert (np.asarray(image) == pixels).all()


def test_png_takes_only_pictures() -> None:
    for wrong in (GREY.astype(float), COLOUR[:, :, :2], COLOUR[None]):
        with pytest.raises(ValueError, match="a picture is uint8"):
            png(wrong)


def test_colour_maps_rise_in_lightness_and_are_white_at_zero() -> None:
    with Image.open(io.BytesIO(heat(np.linspace(0, 1, 32)[None]))) as image:
        light = np.asarray(image.convert("RGB")).astype(float) @ (0.299, 0.587, 0.114)
    assert (np.diff(light[0]) > 0).all()
    assert signed(np.zeros((1, 1))).min() > 240
    assert heat(np.array([[np.nan, -1.0]])) == heat(np.zeros((1, 2)))

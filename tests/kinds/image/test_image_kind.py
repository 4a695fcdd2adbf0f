"""What images claim, propose, show and are rivalled by."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.data.source import Column, File
from layerwise.kinds.image import IMAGE
from layerwise.kinds.image.copies import copies
from layerwise.nn import build
from layerwise.spec import Spec
from layerwise.tasks.classify import Classify

TASK = Classify.fit(list("abc") * 10)


def spec(channels: int, height: int, width: int, dtype: str = "uint8") -> Spec:
    names = ("grey",) if channels == 1 else ("red", "green", "blue")
    shape = (channels, height, width)
    return Spec(
        ("channel", "height", "width"),
        shape,
        dtype,
        names=names,
        centre=(100.0,) * channels,
        spread=(60.0,) * channels,
    )


def pictures(look: Spec, n: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, *(s or 0 for s in look.shape)), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(
    "look", [spec(1, 8, 8), spec(1, 28, 28), spec(3, 32, 32), spec(3, 96, 96), spec(1, 96, 79)]
)
@pytest.mark.parametrize("n", [50, 1_500, 60_000])
def test_the_blueprint_fits_every_look(look: Spec, n: int) -> None:
    plan = IMAGE.blueprint(look, TASK, n)
    net = build(plan.network, look, TASK.outputs).eval()
    assert net(pictures(look)).shape == (4, 3)
    assert plan.training.epochs is not None
    change = IMAGE.alter(look, plan.training.alter)
    assert change is not None
    assert plan.training.alter.get("flip", False) == (look.shape[0] == 3)
    assert all(plan.why.values())


@pytest.mark.parametrize("look", [spec(1, 16, 16), spec(3, 64, 48)])
def test_the_branch_makes_a_vector(look: Spec) -> None:
    assert IMAGE.branch is not None
    network = IMAGE.branch(look)
    assert build(network, look, 5).eval()(pictures(look)).shape == (4, 5)


@pytest.mark.parametrize("name", sorted(IMAGE.likes))
@pytest.mark.parametrize("look", [spec(1, 28, 28), spec(3, 32, 32)])
def test_named_networks_fit_small_pictures(name: str, look: Spec) -> None:
    plan = IMAGE.likes[name](look, TASK, 500)
    assert build(plan.network, look, TASK.outputs).eval()(pictures(look)).shape == (4, 3)


def parameters(net: torch.nn.Module) -> dict[str, int]:
    return {name: sum(p.numel() for p in stage.parameters()) for name, stage in net.named_children()}


def test_lenet5_has_the_papers_sizes() -> None:
    for look in (spec(1, 28, 28), spec(1, 32, 32)):
        net = build(IMAGE.likes["lenet5"](look, TASK, 500).network, look, 10).eval()
        shapes = {name: tuple(value.shape[1:]) for name, value in net.levels(pictures(look))}
        assert shapes["c1"] == (6, 28, 28)
        assert shapes["s2"] == (6, 14, 14)
        assert shapes["c3"] == (16, 10, 10)
        assert shapes["s4"] == (16, 5, 5)
        counted = parameters(net)
        paper = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
        assert {name: counted[name] for name in paper} == paper


def test_mlp2006_and_resnet20_have_the_papers_sizes() -> None:
    look = spec(1, 28, 28)
    counted = parameters(build(IMAGE.likes["mlp2006"](look, TASK, 500).network, look, 10))
    assert counted["h1"] == 785 * 500
    assert counted["h2"] == 501 * 500
    assert counted["h3"] == 501 * 2_000
    look = spec(3, 32, 32)
    net = build(IMAGE.likes["resnet-small"](look, TASK, 500).network, look, 10).eval()
    shapes = {name: tuple(value.shape[1:]) for name, value in net.levels(pictures(look))}
    assert shapes["res1"] == (16, 32, 32)
    assert shapes["res2"] == (32, 16, 16)
    assert shapes["res3"] == (64, 8, 8)
    assert 0.26e6 < sum(parameters(net).values()) < 0.28e6  # the paper's 0.27 million


def test_alexnet_has_one_processors_half_of_the_kernels() -> None:
    look = spec(3, 32, 32)
    net = build(IMAGE.likes["alexnet-small"](look, TASK, 500).network, look, 10).eval()
    widths = [value.shape[1] for name, value in net.levels(pictures(look)) if name.startswith(("conv", "fc"))]
    assert widths == [48, 128, 192, 192, 128, 2_048, 2_048]


def column(holds: str, values: object, **more: object) -> dict[str, Column]:
    return {"x": Column("x", holds, values, **more)}  # type: ignore[arg-type]


def test_claims_files_by_name_and_arrays_by_shape(tmp_path: Path) -> None:
    files = [File(f"{i}.{s}", tmp_path / "none") for i, s in enumerate(["PNG", "jpg", "txt"])]
    assert IMAGE.claims(column("files", files)) == "2 of 3 files are named as pictures"
    assert IMAGE.claims(column("files", files[2:])) is None
    bare = tmp_path / "picture"
    Image.new("L", (4, 4)).save(bare, "PNG")
    assert "begin as pictures do" in (IMAGE.claims(column("files", [File("picture", bare)])) or "")
    assert IMAGE.claims(column("arrays", np.zeros((5, 28, 28), np.uint8)))
    assert IMAGE.claims(column("arrays", np.zeros((5, 8, 8))))
    assert IMAGE.claims(column("arrays", np.zeros((5, 3, 32, 32), np.uint8)))
    assert IMAGE.claims(column("arrays", np.zeros((5, 32, 32, 3), np.uint8)))
    hourly = np.random.default_rng(0).random((5, 24, 12))
    for series in (
        hourly,
        np.zeros((5, 100)),
        np.zeros((5, 100, 6)),
        np.random.default_rng(0).normal(size=(5, 30, 30)),
    ):
        assert IMAGE.claims(column("arrays", series)) is None
    assert IMAGE.claims(column("arrays", np.zeros((5, 8, 8)), rate_hz=8000.0)) is None
    both = {**column("arrays", np.zeros((5, 8, 8))), "y": Column("y", "arrays", np.zeros((5, 8, 8)))}
    assert IMAGE.claims(both) is None


def test_copies_in_other_formats_sizes_and_qualities_are_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = []
    for i in range(5):
        small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)
        picture.save(tmp_path / f"{i}.png")
        picture.save(tmp_path / f"{i}.jpg", quality=60)
        picture.resize((48, 48)).save(tmp_path / f"{i}.bmp")
        files += [File(f"{i}.{form}", tmp_path / f"{i}.{form}") for form in ("png", "jpg", "bmp")]
    Image.new("L", (40, 40), 7).save(tmp_path / "flat.png")
    (tmp_path / "none.png").write_text("no picture")
    files += [File(name, tmp_path / name) for name in ("flat.png", "none.png")]
    assert copies is not None
    marks = list(copies(column("files", files)["x"]))
    assert marks == [*(3 * i for i in range(5) for _ in range(3)), None, None]
    assert copies(column("arrays", np.zeros((3, 8, 8)))["x"]) == [None] * 3


def test_show_draws_what_was_read() -> None:
    look = spec(3, 9, 7)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8)
    picture = IMAGE.show({"value": pixels}, look)
    assert picture.words == "a picture of 7 x 9 pixels"  # type: ignore[union-attr]
    with Image.open(io.BytesIO(picture.png)) as image:  # type: ignore[union-attr]
        assert (np.moveaxis(np.asarray(image), 2, 0) == pixels).all()
    deep = IMAGE.show({"value": (pixels[:1].astype(np.uint16) * 257)}, spec(1, 9, 7, "uint16"))
    with Image.open(io.BytesIO(deep.png)) as image:  # type: ignore[union-attr]
        assert (np.asarray(image) == pixels[0]).all()
    IMAGE.show(
        {"value": pixels[:2].astype(np.float32)},
        spec(1, 9, 7, "float32").but(centre=(9.0, 9.0), spread=(1.0, 1.0)),
    )


def test_filters_draw_the_level_that_looks_at_pixels_and_no_other() -> None:
    look = spec(3, 32, 32)
    net = build(IMAGE.blueprint(look, TASK, 60_000).network, look, 3)
    first = IMAGE.filters(net.conv1, look)
    assert first is not None
    assert len(first.tiles) == net.conv1.width
    assert IMAGE.filters(net.conv2, net.conv1.spec(look)) is None
    grey = spec(1, 8, 8)
    dense = build(IMAGE.likes["mlp2006"](grey, TASK, 500).network, grey, 3).h1
    drawn = IMAGE.filters(dense, grey)
    assert drawn is not None
    assert "8 x 8" in drawn.words
    with Image.open(io.BytesIO(drawn.tiles[0].media.png)) as image:  # type: ignore[union-attr]
        assert image.size == (8, 8)


def test_rivals_look_at_each_picture_by_itself() -> None:
    look = spec(3, 64, 64)
    values = {"value": pictures(look, 12).numpy()}
    for rival in IMAGE.rivals(look, TASK):
        if rival.features is None:
            continue
        see = rival.features(values, {}, look)
        whole = see(values, {})
        assert whole.shape[0] == 12
        assert whole.shape[1] <= 3_072
        assert np.allclose(see({"value": values["value"][3:4]}, {}), whole[3:4], atol=1e-4)

"""Changes of training pictures that leave their meaning: shift, flip, turn, zoom, crop, cutout, light, colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import ceil, log, radians
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.errors import UsageError
from layerwise.kinds.amounts import amounts
from layerwise.kinds.base import Alter
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.values import Batch

__all__ = ["Amounts", "alter", "views"]


@dataclass(frozen=True)
class Amounts:
    """How far each change may go; 0 leaves it out. Every picture draws its own."""

    shift: float = 0  # pixels either way, along both axes
    flip: bool = False  # left and right, for every other picture
    turn_degrees: float = 0  # either way
    zoom: float = 0  # share of the size: 0.1 draws factors from 0.9 to 1.1, apart for both axes
    shear: float = 0  # share of the height that the upper edge slides to a side
    crop: float = 0  # share of the area: 0.8 keeps from a fifth to all of it, brought to full size again
    cutout: int = 0  # side of one square of the mean colour, pixels (DeVries and Taylor 2017)
    light: float = 0  # brightness, in standard deviations of the training pixels
    contrast: float = 0  # share: 0.2 draws factors from 0.8 to 1.2
    saturation: float = 0  # share, as contrast, of how far colours are from grey
    hue_degrees: float = 0  # either way round the circle of colours
    grey: float = 0  # share of the pictures that lose all colour
    blur: float = 0  # largest deviation of a Gaussian, pixels


def alter(spec: Spec, options: Mapping[str, Any]) -> Alter | None:
    """The alteration that the recipe's `training.alter` lines describe; None where all amounts are 0.

    It maps pictures (N, C, H, W) to the same dtype and shape, each picture apart, and is a function of
    the randomness alone. Raises UsageError for an unknown name or an amount below 0.
    """
    wanted = amounts(Amounts, options, plural="images")
    if wanted is not None and wanted.crop >= 1:
        raise UsageError(f"training.alter.crop is a share of the area below 1, got {wanted.crop}")
    return None if wanted is None else _Alteration(spec, wanted)


def views(spec: Spec) -> dict[str, Any]:
    """Crops, mirror images and colours as in Chen et al. 2020, appendix B.9; grey pictures, which are often
    writing, signs or faces, are turned and lit instead."""
    if spec.shape[0] == 3:
        wanted = Amounts(
            flip=True, crop=0.8, light=0.5, contrast=0.4, saturation=0.4, hue_degrees=36.0, grey=0.2,
            blur=_blur(spec),
        )  # fmt: skip
    else:
        wanted = Amounts(crop=0.6, turn_degrees=10.0, light=0.3, contrast=0.4, blur=_blur(spec))
    return {name: value for name, value in asdict(wanted).items() if value}


def _blur(spec: Spec) -> float:
    """A fiftieth of the shorter side; small pictures are left sharp (ibid.)."""
    side = min(n or 1 for n in spec.shape[1:])
    return round(side / 50, 1) if side > 40 else 0.0


@dataclass(frozen=True)
class _Alteration:
    spec: Spec
    amounts: Amounts

    def __call__(self, batch: Batch, rng: Randomness) -> Batch:
        x = batch.inputs
        if not isinstance(x, Tensor):
            raise TypeError(f"pictures come as one tensor (N, C, H, W), got {type(x).__name__}")
        a, given = self.amounts, x
        if x.dtype == torch.uint16:  # which torch can hold, but neither gather nor compare
            x = x.float()
        draw = _Draw(rng, x)
        if a.turn_degrees or a.zoom or a.shear or a.crop:
            x = _warped(x, draw, a)
        elif a.shift or a.flip:
            x = _moved(x, draw, a)
        if a.light or a.contrast:
            x = _lit(x, draw, a, self.spec)
        if x.shape[1] == 3 and (a.saturation or a.hue_degrees or a.grey):
            x = _coloured(x, draw, a)
        if a.blur:
            x = _blurred(x, draw, a.blur)
        if a.cutout:
            x = _cut(x, draw, a.cutout, self.spec)
        return replace(batch, inputs=_as(x, given))


class _Draw:
    """Random numbers, one a picture."""

    def __init__(self, rng: Randomness, x: Tensor) -> None:
        self._n, self._device = len(x), x.device
        self._generator = rng.generator("image alter", x.device.type)

    def within(self, most: float) -> Tensor:
        """(N,) floats from -most to most."""
        return (2 * self.share() - 1) * most

    def share(self) -> Tensor:
        """(N,) floats from 0 to 1."""
        return torch.rand(self._n, generator=self._generator, device=self._device)

    def whole(self, low: int, high: int) -> Tensor:
        """(N,) integers from low to high - 1."""
        return torch.randint(low, high, (self._n,), generator=self._generator, device=self._device)


def _moved(x: Tensor, draw: _Draw, amounts: Amounts) -> Tensor:
    """Whole pixels, the edge repeated: exact, and several times as fast as a warp."""
    n, channels, height, width = x.shape
    most = round(amounts.shift)
    rows = (torch.arange(height, device=x.device) + draw.whole(-most, most + 1)[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width, device=x.device) + draw.whole(-most, most + 1)[:, None]).clamp(
        0, width - 1
    )
    if amounts.flip:
        columns = torch.where(draw.whole(0, 2)[:, None] == 1, columns.flip(1), columns)
    places = (rows[:, :, None] * width + columns[:, None, :]).reshape(n, 1, height * width)
    return x.reshape(n, channels, -1).gather(2, places.expand(n, channels, -1)).reshape(x.shape)


def _warped(x: Tensor, draw: _Draw, amounts: Amounts) -> Tensor:
    """One bilinear sampling for turn, zoom, shear, shift, flip and crop together; the edge is repeated."""
    n, _, height, width = x.shape
    angle = draw.within(radians(amounts.turn_degrees))
    wide, tall = 1 / (1 + draw.within(amounts.zoom)), 1 / (1 + draw.within(amounts.zoom))
    slide = draw.within(amounts.shear)
    right, down = draw.within(2 * amounts.shift / width), draw.within(2 * amounts.shift / height)
    if amounts.flip:
        wide = torch.where(draw.whole(0, 2) == 1, -wide, wide)
    if amounts.crop:
        part_wide, part_tall = _part(draw, amounts.crop)
        wide, tall = wide * part_wide, tall * part_tall
        right, down = right + draw.within(1) * (1 - part_wide), down + draw.within(1) * (1 - part_tall)
    cos, sin = torch.cos(angle), torch.sin(angle)
    aspect = height / width  # so that a turn stays a turn in coordinates that run from -1 to 1 on both axes
    top = torch.stack([cos * wide, (slide - sin) * aspect * wide, right], dim=1)
    bottom = torch.stack([sin / aspect * tall, cos * tall, down], dim=1)
    grid = F.affine_grid(torch.stack([top, bottom], dim=1), [n, 1, height, width], align_corners=False)
    return _as(F.grid_sample(x.float(), grid, padding_mode="border", align_corners=False), x)


def _part(draw: _Draw, crop: float) -> tuple[Tensor, Tensor]:
    """(N,) each, the width and height that are kept, as shares: any area from 1 - crop, any shape from 3:4
    to 4:3 (Szegedy et al. 2015, section 6)."""
    area, aspect = 1 - crop * draw.share(), torch.exp(draw.within(log(4 / 3)))
    return (area * aspect).sqrt().clamp_max(1), (area / aspect).sqrt().clamp_max(1)


def _lit(x: Tensor, draw: _Draw, amounts: Amounts, spec: Spec) -> Tensor:
    """Brightness and contrast, about the mean of the training pixels."""
    centre = x.new_tensor(spec.centre, dtype=torch.float32)[:, None, None]
    spread = x.new_tensor(spec.spread, dtype=torch.float32)[:, None, None]
    factor = 1 + draw.within(amounts.contrast)[:, None, None, None]
    offset = draw.within(amounts.light)[:, None, None, None] * spread
    return _as((x.float() - centre) * factor + centre + offset, x)


def _coloured(x: Tensor, draw: _Draw, amounts: Amounts) -> Tensor:
    """Colours turned about the axis of greys, and nearer to it or farther from it."""
    angle, factor = draw.within(radians(amounts.hue_degrees)), 1 + draw.within(amounts.saturation)
    if amounts.grey:
        factor = torch.where(draw.share() < amounts.grey, 0, factor)
    grey = torch.full((3, 3), 1 / 3, device=x.device)
    turn = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=x.device) / 3**0.5
    kept = (factor * torch.cos(angle))[:, None, None] * (torch.eye(3, device=x.device) - grey)
    matrix = grey + kept + (factor * torch.sin(angle))[:, None, None] * turn  # Rodrigues' formula
    return _as(torch.bmm(matrix, x.float().flatten(2)).view(x.shape), x)


def _blurred(x: Tensor, draw: _Draw, most: float) -> Tensor:
    """Each picture under a Gaussian of its own, of a deviation from 0 to `most`; the edge is repeated."""
    n, channels, height, width = x.shape
    reach = max(1, ceil(2 * most))
    steps = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (steps / (most * draw.share()).clamp_min(1e-3)[:, None]).square())
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    wide = F.pad(x.float(), (reach,) * 4, mode="replicate")
    wide = wide.view(1, n * channels, height + 2 * reach, width + 2 * reach)
    once = F.conv2d(wide, kernel[:, :, None], groups=n * channels)
    return _as(F.conv2d(once, kernel[:, :, :, None], groups=n * channels).view(x.shape), x)


def _cut(x: Tensor, draw: _Draw, side: int, spec: Spec) -> Tensor:
    """A square of the mean colour over a random place, partly outside at the edges."""
    _, _, height, width = x.shape
    top = draw.whole(-(side // 2), height - side // 2)[:, None]
    left = draw.whole(-(side // 2), width - side // 2)[:, None]
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    inside = ((rows >= top) & (rows < top + side))[:, :, None] & (
        (columns >= left) & (columns < left + side)
    )[:, None]
    fill = _as(x.new_tensor(spec.centre, dtype=torch.float32), x)
    return torch.where(inside[:, None], fill[:, None, None], x)


def _as(values: Tensor, like: Tensor) -> Tensor:
    """Values as the dtype of `like`, rounded and clipped where that holds whole numbers."""
    if like.dtype.is_floating_point or values.dtype == like.dtype:
        return values.to(like.dtype)
    most = torch.iinfo(like.dtype).max
    return values.round().clamp(0, most).to(like.dtype)

"""Pictures of pictures: one example as it was read, and what first-level units look for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from layerwise.findings import Gallery, Image, Tile
from layerwise.kinds.base import ONLY
from layerwise.kinds.picture import png, signed
from layerwise.spec import Spec

__all__ = ["filters", "show"]

MOST_FILTERS = 64
FAINT = 64  # of 255: a usual top below this is another scale than 8 bits, such as 0 to 16


def show(values: Mapping[str, np.ndarray], spec: Spec) -> Image:
    """One read picture (C, H, W), one pixel a pixel; more than 8 bits are brought to 8, a faint scale to the full."""
    pixels = values[ONLY]
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    elif pixels.dtype == np.uint8 and (top := _usual_top(spec)) < FAINT:
        pixels = np.rint(255 * np.clip(pixels / top, 0, 1)).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        centre = np.array(spec.centre)[:, None, None]
        spread = np.array(spec.spread)[:, None, None]
        pixels = np.rint(255 * np.clip((pixels - centre) / (6 * spread) + 0.5, 0, 1)).astype(np.uint8)
    channels, height, width = pixels.shape
    flat = np.moveaxis(pixels, 0, 2) if channels == 3 else np.rint(pixels.mean(axis=0)).astype(np.uint8)
    return Image(png(np.ascontiguousarray(flat)), f"a picture of {width} x {height} pixels")


def _usual_top(spec: Spec) -> float:
    """About the highest value of a training picture: two spreads above the mean; 255 where neither is known."""
    both = zip(spec.centre, spec.spread, strict=True)
    return max((centre + 2 * spread for centre, spread in both), default=255.0)


def filters(stage: nn.Module, spec: Spec) -> Gallery | None:
    """The weights of a stage that looks at pixels as small pictures; None for stages further up.

    `spec` is the look of the stage's input. Colour kernels are drawn in their colours about grey, all
    others signed about zero; each is scaled by its own largest weight.
    """
    if spec.axes != ("channel", "height", "width") or spec.shape[0] not in (1, 3):
        return None
    weights = _weights(stage, spec)
    if weights is None:
        return None
    units, _, height, width = weights.shape
    tiles = [
        Tile(Image(_drawn(w), f"weights of unit {i}, {width} x {height}"), caption=f"{i}")
        for i, w in enumerate(weights[:MOST_FILTERS])
    ]
    scale = "each in its own colours about grey" if spec.shape[0] == 3 else "blue below zero, red above"
    some = "all" if units <= MOST_FILTERS else f"the first {MOST_FILTERS} of"
    return Gallery(tiles, f"The weights of {some} {units} units, {width} x {height} pixels, {scale}.")


def _weights(stage: nn.Module, spec: Spec) -> np.ndarray | None:
    """(units, C, h, w) of the first convolution or linear layer that takes this input whole."""
    for module in stage.modules():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor):
            continue
        if weight.ndim == 4 and weight.shape[1] == spec.shape[0]:
            return _array(weight)
        if weight.ndim == 2 and weight.shape[1] == spec.features:
            return _array(weight).reshape(-1, *(s or 1 for s in spec.shape))
    return None


def _array(weight: Tensor) -> np.ndarray:
    array: np.ndarray = weight.detach().float().cpu().numpy()
    return array


def _drawn(weight: np.ndarray) -> bytes:
    """One kernel (C, h, w) as a PNG."""
    scaled = weight / (float(np.abs(weight).max()) or 1.0)
    if len(scaled) == 3:
        return png(np.ascontiguousarray(np.rint(127.5 + 127.5 * np.moveaxis(scaled, 0, 2)).astype(np.uint8)))
    return png(signed(scaled[0]))

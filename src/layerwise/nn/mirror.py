"""An encoder and a decoder that mirror each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from layerwise.errors import UsageError
from layerwise.nn.activations import Activation
from layerwise.nn.dense import Dense
from layerwise.nn.initialise import Init
from layerwise.nn.norms import Norm
from layerwise.nn.pipeline import Pipeline
from layerwise.nn.stage import vector
from layerwise.spec import Spec

__all__ = ["Mirrored", "mirrored"]


class Mirrored(NamedTuple):
    """`encoder` (N, ...) to codes (N, K), stages `level1`, ..., `code`; `decoder` back to (N, F), the same
    stages backwards, with `output` in the place of `code`."""

    encoder: Pipeline
    decoder: Pipeline


def mirrored(
    spec: Spec,
    widths: Sequence[int],
    *,
    activation: Activation | None = "relu",
    code: Activation | None = None,
    output: Activation | None = None,
    norm: Norm | None = None,
    init: Init = "he",
) -> Mirrored:
    """Dense levels of these widths down to the code, the last, and up again to the F values of an example.

    `activation` and `norm` are those of every level but the code and the output.
    """
    if not widths:
        raise UsageError("an autoencoder needs at least the width of its code, got none")

    def stages(spec: Spec, plan: Sequence[tuple[str, int]], last: Activation | None) -> Pipeline:
        made: dict[str, Dense] = {}
        for place, (name, width) in enumerate(plan, 1):
            inner = place < len(plan)
            made[name] = Dense.from_spec(
                spec,
                width=width,
                activation=activation if inner else last,
                norm=norm if inner else None,
                init=init,
            )
            spec = vector(width)
        return Pipeline(**made)

    *levels, narrowest = [(f"level{i}", width) for i, width in enumerate(widths, 1)]
    down = [*levels, ("code", narrowest[1])]
    up = [*reversed(levels), ("output", spec.features)]
    return Mirrored(stages(spec, down, code), stages(vector(narrowest[1]), up, output))

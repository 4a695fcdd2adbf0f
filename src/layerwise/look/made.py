"""What a network makes up by itself, and what it makes of examples."""

from __future__ import annotations

import numpy as np

from layerwise.findings import Finding, Gallery, Section, Tile
from layerwise.look.examples import Examples
from layerwise.values import ONLY

__all__ = ["made"]


def made(samples: np.ndarray, reconstructed: np.ndarray, *, examples: Examples) -> Section:
    """`samples` (n, ...) and `reconstructed` (m, ...) as the store has examples; these are the m `examples`."""
    kind, spec, things = examples.kind, examples.store.spec, examples.kind.plural
    drawn = [Tile(kind.show({ONLY: one}, spec)) for one in samples]
    pairs = [
        tile
        for i, one in enumerate(reconstructed)
        for tile in (
            Tile(examples.show(i), "", examples.ids[i]),
            Tile(kind.show({ONLY: one}, spec), "", "brought back"),
        )
    ]
    findings = (
        Finding(
            "made.samples",
            f"What it makes up when its chains run on from training {things}.",
            pictures=(Gallery(drawn, "The mean of the last step of each chain."),),
            caveat="Chains of machines that learned by one step of contrast drift from where the data are.",
        ),
        Finding(
            "made.reconstructed",
            f"Held-out {things}, and what is brought back from the code of each.",
            pictures=(Gallery(pairs, "Each beside what its code brings back.", examples=True),),
        ),
    )
    return Section("made", f"What the levels make of {things}, from the top down.", findings)

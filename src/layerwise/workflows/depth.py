"""Why depth failed before 2006, measured: many small nets, and a page of what became of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from layerwise import __version__, device
from layerwise.errors import MachineError, UsageError, shown
from layerwise.figures import count
from layerwise.findings import Finding, Section
from layerwise.look.depth import depth
from layerwise.record import to_record
from layerwise.report import write
from layerwise.workflows.deep_nets import KINDS, Pictures, Scale, coders, deep_nets, digits
from layerwise.workflows.narrate import Narrator, Silent

__all__ = ["demonstrate"]

T = TypeVar("T")


def demonstrate(
    out: str | Path, *, seed: int = 0, narrator: Narrator | None = None, scale: Scale | None = None
) -> dict[str, Any]:
    """Train all nets, one after the other, and write `report.html` into the folder `out`; all that was measured.

    Raises UsageError where `out` is a file, MachineError where it cannot be written.
    """
    narrator, scale, began = narrator or Silent(), scale or Scale(), time.monotonic()
    folder = _folder(Path(out))
    learned, held = digits(seed)
    narrator.say("Reading", f"digits: {count(len(learned.x))} to learn from, {count(len(held.x))} held out")
    narrator.say("Training", f"{scale.trials} nets of {', '.join(KINDS)}; a minute or two")
    with device.threads(1):  # results do not depend on the machine's number
        nets = _told(deep_nets(learned, held, scale, seed=seed), narrator, scale, 0)
        found = _told(coders(learned, held, scale, seed=seed), narrator, scale, len(nets))
    sections = depth(nets, found)
    page = folder / "report.html"
    write(
        page,
        (*sections, _method(learned, scale)),
        title="Why depth failed",
        subtitle="an experiment on the digits that scikit-learn ships",
        meta={"layerwise": __version__, "seed": str(seed), "command": "layerwise demo depth"},
    )
    said = sections[0].findings
    narrator.say("Done", *(finding.sentence for finding in said), f"{page}")
    return {
        "demo": "depth",
        "report": str(page),
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        "nets": [asdict(net) for net in nets],
        "autoencoders": [asdict(coder) for coder in found],
        "findings": to_record(sections),
    }


def _folder(out: Path) -> Path:
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {shown(out)} is a file; name a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"cannot make the folder {shown(out)}: {error.strerror or error}. Name another with --out"
        ) from error
    return out


def _told(trials: Iterator[T], narrator: Narrator, scale: Scale, before: int) -> list[T]:
    """All of them, each told when it is done."""
    found: list[T] = []
    for trial in trials:
        found.append(trial)
        done = before + len(found)
        narrator.progress(done / scale.trials, f"{done} of {scale.trials} nets")
    return found


def _method(learned: Pictures, scale: Scale) -> Section:
    """What was done, and what was not."""
    done = (
        f"Every net learns from the same {count(len(learned.x))} pictures of 8 x 8 pixels for {scale.epochs} epochs:"
        f" stochastic gradients, batches of {scale.size}, momentum 0.9, one rate ({scale.rate:g}; autoencoders"
        f" {scale.coding_rate:g}), levels of {scale.width} units."
        f" Pretraining takes {scale.pretraining:g} epochs a level more."
    )
    lacking = (
        "One seed, one small set of easy pictures, one rate for all: the optimisers and rates of today, or longer"
        " training, may save nets that failed here, and the order of those that did not may change with the seed"
        " (--seed)."
    )
    return Section(
        "doubts",
        "What was done, and what was not.",
        (Finding("depth.method", done), Finding("depth.doubts", lacking)),
    )

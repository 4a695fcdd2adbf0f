"""What a person is told apart from a run: the page drawn anew, and what this machine offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from layerwise import __version__, device
from layerwise.errors import ModelError, shown
from layerwise.findings import Section
from layerwise.model import Product, load
from layerwise.record import from_record
from layerwise.report import write

__all__ = ["examine", "redraw", "write_page"]


def write_page(folder: Path, product: Product, sections: Sequence[Section]) -> Path:
    """Draw `report.html` into the model folder; returns its path."""
    path = folder / "report.html"
    about = product.about
    split = str(about.get("split_why", ""))
    write(
        path,
        sections,
        title=product.name,
        subtitle=f"{about.get('data', '')}: {about.get('answer', '')}",
        meta={
            "layerwise": __version__,
            "seed": str(product.recipe.training.seed),
            "split": split,
            "model": folder.name,
        },
    )
    return path


def redraw(model: str) -> Path:
    """Draw a model's page anew from what its folder keeps; the data's own examples are not in there.

    Raises ModelError where the findings in it cannot be drawn.
    """
    folder = Path(model)
    product = load(folder)
    try:
        return write_page(folder, product, from_record(product.findings))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"the findings in {shown(folder)} cannot be drawn ({error}); it is damaged or not of layerwise"
        ) from error


def examine(*, measure: bool) -> Iterator[str]:
    """What layerwise finds on this machine, line by line; `measure` times it and keeps the result."""
    yield f"layerwise {__version__}"
    yield from device.machine().words()
    if measure:
        yield "Measuring for some seconds ..."
        device.measure()
    found = device.measured()
    yield from ("Not measured yet: layerwise doctor --measure",) if found is None else found.words()

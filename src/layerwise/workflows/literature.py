"""Named recipes for the data that their papers used, so that each can be printed without data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.kinds import KINDS
from layerwise.recipe import Recipe
from layerwise.spec import Spec
from layerwise.tasks import Classify

__all__ = ["PAPERS", "Paper", "literature"]

_IMAGE = ("channel", "height", "width")


class Paper(NamedTuple):
    """What a recipe of the literature was first trained on: kind, look of an example, classes, training rows."""

    kind: str
    spec: Spec
    classes: int
    rows: int


PAPERS: Mapping[str, Paper] = {
    "lenet5": Paper("image", Spec(_IMAGE, (1, 32, 32), "uint8"), 10, 60_000),
    "mlp2006": Paper("image", Spec(_IMAGE, (1, 28, 28), "uint8"), 10, 60_000),
    "alexnet-small": Paper("image", Spec(_IMAGE, (3, 32, 32), "uint8"), 10, 50_000),
    "resnet-small": Paper("image", Spec(_IMAGE, (3, 32, 32), "uint8"), 10, 50_000),
    "lstm": Paper("sound", Spec(("time",), (None,), "int16", rate_hz=16_000.0, longest=16_000), 10, 2_000),
}


def literature(name: str, settings: Mapping[str, Any]) -> Recipe:
    """The recipe of that name for its paper's data. Raises UsageError for a name that is none."""
    if name not in PAPERS:
        raise UsageError(
            f"no recipe {shown(name)}{suggest(name, PAPERS) or '.'} Named recipes: {listed(PAPERS)}"
        )
    paper = PAPERS[name]
    make = next(kind for kind in KINDS if kind.name == paper.kind).likes[name]
    task = Classify(tuple(range(paper.classes)), (paper.rows // paper.classes,) * paper.classes)
    plan = make(paper.spec, task, paper.rows)
    recipe = Recipe(paper.kind, task.name, {}, plan.network, plan.training, dict(plan.why))
    for line, value in settings.items():
        recipe = recipe.but(line, value)
    return recipe

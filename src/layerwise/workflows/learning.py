"""`layerwise learn`: raw data without labels in; levels of features, and an account of them, out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from layerwise.errors import UsageError
from layerwise.findings import Section
from layerwise.model import Features, Model
from layerwise.recipe import Recipe
from layerwise.workflows.carrying import carried, chosen, seconds_of
from layerwise.workflows.gather import Gathered, gather
from layerwise.workflows.narrate import Narrator, Silent
from layerwise.workflows.place import Place, placed
from layerwise.workflows.prepare import Asked
from layerwise.workflows.review import review, review_rows
from layerwise.workflows.segmenting import (
    model_of_codes,
    model_of_table,
    number_of,
    of_codes,
    of_table,
)
from layerwise.workflows.settle import (
    SEARCH,
    read_recipe,
    reading_settings,
    settle_without_labels,
)
from layerwise.workflows.unsupervised import unsupervised

__all__ = ["learn", "learn_whole"]

USUAL: Mapping[str, Any] = {
    "recipe": None, "method": "auto", "segments": None, "settings": {}, "budget": None, "examples": True,
}  # fmt: skip


def learn(
    data: Any,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    recipe_file: str | Path | None = None,
    method: str = "auto",
    segments: str | int | None = None,
    settings: Mapping[str, Any] | None = None,
    budget: float | None = None,
    examples: bool = True,
    narrator: Narrator | None = None,
    **asked: Any,
) -> Features | Model:
    """Learn levels of features from raw data without labels, and say what they are worth.

    data      a path (folder, archive, table, arrays), the name of a built-in set, a data frame, or arrays
    out       the folder to write; None keeps the features in memory (`features.save` writes them)
    method    views, masked; "auto" takes what suits the kind of data
    segments  "auto" or how many: also cut the examples into segments; what comes back then is a Model that
              says which segment an example is in, or the Features where there are none
    budget    wall time for learning in seconds
    settings  lines of the recipe to change: {"training.rate": 0.01}
    asked     kind, target, inputs, group, name_template, seed, workers: as the options of the command; a
              target is never learned from, it only shows what can be read off the features

    Returns the Features, or the Model of segments. Raises UsageError, DataError, MachineError or Interrupted,
    each with a remedy.
    """
    narrator = narrator or Silent()
    options: dict[str, Any] = {
        "recipe": read_recipe(recipe_file).to_json() if recipe_file else None,
        "method": method,
        "segments": None if segments is None else str(segments),
        "settings": dict(settings or {}),
        "budget": seconds_of(budget),
        "examples": examples,
    }
    if recipe_file and method != "auto":
        raise UsageError("--recipe names the method too: leave --method out")

    if segments is not None:
        number_of(segments)

    def work(
        choice: Asked, told: Mapping[str, Any], place: Place
    ) -> tuple[Features | Model, Sequence[Section]]:
        return _run(data, choice, told, place, narrator)

    return carried(
        work,
        data,
        chosen(asked, "learn"),
        options,
        usual=USUAL,
        command="learn",
        out=out,
        overwrite=overwrite,
        resume=resume,
        narrator=narrator,
        then=_then,
    )


def _then(product: Features | Model, folder: Path) -> str:
    if isinstance(product, Model):
        return f"layerwise predict {folder} NEW"
    return f"layerwise fit LABELLED --from {folder}"


def learn_whole(
    data: Any,
    *,
    kind: str | None,
    method: str = "auto",
    settings: Mapping[str, Any] | None = None,
    budget: float | None = None,
    seed: int = 0,
) -> Features:
    """Features learned from all of `data`, without an account of them: what an estimator's `fit` asks for."""
    settings = settings or {}
    with placed(None, overwrite=False, resume=False) as place:
        gathered = gather(
            data,
            Asked(kind=kind, seed=seed),
            run=place.run,
            reading=reading_settings(None, settings),
            narrator=Silent(),
            whole=True,
        )
        recipe = settle_without_labels(
            gathered, given=None, method=method, settings=settings, budget=budget, seed=seed
        )
        return unsupervised(gathered, recipe, checkpoint=None, narrator=Silent())[0]


def _run(
    data: Any, asked: Asked, options: Mapping[str, Any], place: Place, narrator: Narrator
) -> tuple[Features | Model, Sequence[Section]]:
    given = Recipe.from_json(options["recipe"]) if options["recipe"] else None
    seed, asks = asked.seed, options["segments"] is not None

    def gathered_to(cut: bool, narrator: Narrator) -> Gathered:
        return gather(
            data,
            asked,
            run=place.run,
            reading=reading_settings(given, options["settings"]),
            cut=cut,
            narrator=narrator,
            given=given,
        )

    about = {
        "folder": place.folder,
        "data": asked.words("DATA" if not isinstance(data, str | Path) else str(data)),
        "examples": options["examples"],
        "narrator": narrator,
    }
    number = number_of(options["segments"]) if asks else None
    gathered, found = gathered_to(asks, narrator), None
    if asks and gathered.kind.cuts is not None:
        if options["method"] != "auto":
            things = gathered.kind.plural
            raise UsageError(f"{things} are cut into segments by their columns: leave --method out")
        if options["budget"] is not None:
            narrator.say("Budget", "of training alone: segments take as long as they take")
        started = time.monotonic()
        found = of_table(gathered, number, seed=seed, narrator=narrator)
        if found.cut.net is not None:
            model = model_of_table(found.cut, found.cut.net, gathered, time.monotonic() - started, seed=seed)
            return model, review_rows(model, gathered, found, **about)
        narrator.say("Segments", f"none: {found.cut.segments.why}; features are learned all the same")
        gathered = gathered_to(False, Silent())
        narrator.say("Split", gathered.split.why)
    recipe = settle_without_labels(
        gathered,
        given=given,
        method=options["method"],
        settings=options["settings"],
        budget=options["budget"],
        seed=seed,
    )
    checkpoint = None if place.folder is None else place.run / "checkpoint.safetensors"
    search = SEARCH in options["settings"].items()
    features, made = unsupervised(gathered, recipe, checkpoint=checkpoint, narrator=narrator, search=search)
    if asks and found is None:
        found = of_codes(features, gathered, number, seed=seed, narrator=narrator)
    page = review(features, gathered, made, found, **about)
    if found is None or found.cut.net is None:
        return features, page
    return model_of_codes(found.cut, found.cut.net, features), page

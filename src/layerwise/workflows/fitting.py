"""`layerwise fit`: raw data in; a model folder with its report out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerwise.errors import UsageError, shown
from layerwise.model import Model, Product, load
from layerwise.recipe import Recipe
from layerwise.workflows.carrying import carried, chosen, seconds_of
from layerwise.workflows.judge import judge
from layerwise.workflows.literature import literature
from layerwise.workflows.narrate import Narrator, Silent
from layerwise.workflows.place import Place, placed
from layerwise.workflows.prepare import Asked, prepare
from layerwise.workflows.segmenting import SEGMENTS
from layerwise.workflows.settle import SEARCH, read_recipe, reading_settings, settle
from layerwise.workflows.supervised import supervised

__all__ = ["fit", "propose"]

USUAL: Mapping[str, Any] = {
    "recipe": None, "like": None, "start": None, "settings": {}, "budget": None, "thorough": False,
    "examples": True,
}  # fmt: skip


def fit(
    data: Any,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    recipe_file: str | Path | None = None,
    like: str | None = None,
    start: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    budget: float | None = None,
    thorough: bool = False,
    examples: bool = True,
    narrator: Narrator | None = None,
    **asked: Any,
) -> Model:
    """Train a network on raw data and say honestly how good it is.

    data      a path (folder, archive, table, arrays), the name of a built-in set, a data frame, or a
              pair (X, y) of arrays
    out       the model folder to write; None keeps the model in memory (`model.save` writes it)
    start     the folder of features (`layerwise learn`) or of a model, on whose levels to build
    budget    wall time for training in seconds
    thorough  train again where that shows something: on a random split where groups stay whole, and from
              first weights where it began with others
    settings  lines of the recipe to change: {"training.rate": 0.01}; a rate of "search" is found by a trial
    asked     kind, task, target, inputs, group, test, split, time, forecast, horizon, name_template,
              seed, workers: as the options of the command

    Returns the Model. Raises UsageError, DataError, MachineError or Interrupted, each with a remedy.
    """
    narrator = narrator or Silent()
    options: dict[str, Any] = {
        "recipe": read_recipe(recipe_file).to_json() if recipe_file else None,
        "like": like,
        "start": None if start is None else str(start),
        "settings": dict(settings or {}),
        "budget": seconds_of(budget),
        "thorough": thorough,
        "examples": examples,
    }
    whole = [
        f"--{name}" for name, value in (("like", like), ("recipe", recipe_file), ("from", start)) if value
    ]
    if len(whole) > 1:
        raise UsageError(f"{' and '.join(whole)} each name a whole network: give one of them")

    def work(choice: Asked, told: Mapping[str, Any], place: Place) -> tuple[Model, Any]:
        return _run(data, choice, told, place, narrator)

    return carried(
        work,
        data,
        chosen(asked, "fit"),
        options,
        usual=USUAL,
        command="fit",
        out=out,
        overwrite=overwrite,
        resume=resume,
        narrator=narrator,
        then=lambda _, folder: f"layerwise predict {folder} NEW",
    )


def propose(
    data: str | None,
    *,
    recipe_file: str | None = None,
    like: str | None = None,
    settings: Mapping[str, Any],
    **asked: Any,
) -> Recipe:
    """The recipe that `fit` would follow for `data`; without data, a named recipe as its paper gives it."""
    if data is None:
        if like is None:
            raise UsageError("layerwise recipe needs DATA, or --like NAME for a recipe of the literature")
        return literature(like, settings)
    given = read_recipe(recipe_file) if recipe_file else None
    with placed(None, overwrite=False, resume=False) as place:
        prepared = prepare(
            data,
            chosen(asked, "recipe"),
            run=place.run,
            reading=reading_settings(given, settings),
            narrator=Silent(),
            given=given,
        )
        return settle(
            prepared, given=given, like=like, settings=settings, budget=None, seed=int(asked.get("seed") or 0)
        )


def _run(
    data: Any, asked: Asked, options: Mapping[str, Any], place: Place, narrator: Narrator
) -> tuple[Model, Any]:
    given = Recipe.from_json(options["recipe"]) if options["recipe"] else None
    start: Product | None = None if options["start"] is None else load(options["start"])
    if start is not None and start.recipe.training.method == SEGMENTS:
        raise UsageError(
            f"--from takes features or a model that learned, and {shown(options['start'])} cuts a table into"
            " segments: give a folder that layerwise learn or fit made without --segments"
        )
    reading = reading_settings(given, options["settings"])
    prepared = prepare(
        data, asked, run=place.run, reading=reading, narrator=narrator, given=given, start=start
    )
    recipe = settle(
        prepared,
        given=given,
        like=options["like"],
        settings=options["settings"],
        budget=options["budget"],
        seed=asked.seed,
        start=start,
    )
    model = supervised(
        prepared,
        recipe,
        checkpoint=None if place.folder is None else place.run / "checkpoint.safetensors",
        narrator=narrator,
        search=SEARCH in options["settings"].items(),
        start=start,
    )
    page = judge(
        model,
        prepared,
        folder=place.folder,
        data=asked.words("DATA" if not isinstance(data, str | Path) else str(data)),
        thorough=options["thorough"],
        examples=options["examples"],
        start=options["start"],
        narrator=narrator,
    )
    return model, page

"""`layerwise fit`: raw data in; a model folder with its report out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from layerwise.errors import Interrupted, UsageError, listed, shown, suggest
from layerwise.model import Model
from layerwise.recipe import Recipe
from layerwise.workflows.judge import judge
from layerwise.workflows.literature import literature
from layerwise.workflows.narrate import Narrator, Silent
from layerwise.workflows.place import Place, placed, remember, remembered
from layerwise.workflows.prepare import Asked, prepare
from layerwise.workflows.settle import SEARCH, read_recipe, reading_settings, settle
from layerwise.workflows.supervised import supervised
from layerwise.workflows.tell import write_page

__all__ = ["fit", "propose"]


def fit(
    data: Any,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    recipe_file: str | Path | None = None,
    like: str | None = None,
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
    budget    wall time for training in seconds
    settings  lines of the recipe to change: {"training.rate": 0.01}; a rate of "search" is found by a trial
    asked     kind, task, target, inputs, group, test, split, time, forecast, horizon, name_template,
              seed, workers: as the options of the command

    Returns the Model. Raises UsageError, DataError, MachineError or Interrupted, each with a remedy.
    """
    narrator = narrator or Silent()
    choice = _choice(asked)
    options: dict[str, Any] = {
        "recipe": read_recipe(recipe_file).to_json() if recipe_file else None,
        "like": like,
        "settings": dict(settings or {}),
        "budget": budget,
        "thorough": thorough,
        "examples": examples,
    }
    if like and recipe_file:
        raise UsageError("--like and --recipe both name a whole recipe: give one of them")
    with placed(out, overwrite=overwrite, resume=resume) as place:
        if resume:
            before = remembered(place)
            _same({**asdict(choice), **options}, before)
            options = before
            choice = Asked(**{f.name: options.pop(f.name) for f in fields(Asked)})
        elif isinstance(choice.test, str | Path | None):
            remember(place, {**asdict(choice), **options, "test": choice.test and os.fspath(choice.test)})
        try:
            model, page = _run(data, choice, options, place, narrator)
        except Interrupted as error:
            again = (
                ""
                if place.folder is None
                else f": layerwise fit {shown(data)} --out {shown(place.folder)} --resume"
            )
            raise Interrupted(f"{error}{again}") from None
        if place.folder is not None:
            model.save(place.folder)
            path = write_page(place.folder, model, page)
            narrator.say("", str(path), f"layerwise predict {place.folder} NEW")
            shutil.rmtree(place.run, ignore_errors=True)
    return model


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
            _choice(asked),
            run=place.run,
            reading=reading_settings(given, settings),
            narrator=Silent(),
            given=given,
        )
        return settle(
            prepared, given=given, like=like, settings=settings, budget=None, seed=int(asked.get("seed") or 0)
        )


def _same(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Raise UsageError where a run that goes on is asked for something else than it was begun with."""
    usual = {**asdict(Asked()), "recipe": None, "like": None, "settings": {}, "budget": None,
             "thorough": False, "examples": True}  # fmt: skip
    for name, value in now.items():
        was = before[name]
        told = json.loads(json.dumps(value, default=os.fspath))
        if value != usual[name] and told != json.loads(json.dumps(was)):
            raise UsageError(
                f"the run to go on with was begun with {name} = {shown(was)}, not {shown(value)}: leave it out,"
                " or start anew with --overwrite"
            )


def _choice(asked: Mapping[str, Any]) -> Asked:
    known = [f.name for f in fields(Asked)]
    for name in asked:
        if name not in known:
            raise UsageError(
                f"fit has no option {shown(name)}{suggest(name, known) or '.'} It has {listed(known, 20)}"
            )

    def names(value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value)

    lists = {k: names(asked[k]) for k in ("target", "inputs", "forecast") if asked.get(k)}
    return Asked(
        **{
            **{k: v for k, v in asked.items() if v is not None and k not in ("target", "inputs", "forecast")},
            **lists,
        }
    )


def _run(
    data: Any, asked: Asked, options: Mapping[str, Any], place: Place, narrator: Narrator
) -> tuple[Model, Any]:
    given = Recipe.from_json(options["recipe"]) if options["recipe"] else None
    reading = reading_settings(given, options["settings"])
    prepared = prepare(data, asked, run=place.run, reading=reading, narrator=narrator, given=given)
    recipe = settle(
        prepared,
        given=given,
        like=options["like"],
        settings=options["settings"],
        budget=options["budget"],
        seed=asked.seed,
    )
    model = supervised(
        prepared,
        recipe,
        checkpoint=None if place.folder is None else place.run / "checkpoint.safetensors",
        narrator=narrator,
        search=SEARCH in options["settings"].items(),
    )
    page = judge(
        model,
        prepared,
        folder=place.folder,
        data=asked.words("DATA" if not isinstance(data, str | Path) else str(data)),
        thorough=options["thorough"],
        examples=options["examples"],
        narrator=narrator,
    )
    return model, page

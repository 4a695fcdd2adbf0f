"""Every choice of a run: the kind's blueprint, then what a person changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from layerwise.device import measured
from layerwise.errors import DataError, UsageError, listed, shown, suggest
from layerwise.kinds import KINDS
from layerwise.kinds.base import Kind
from layerwise.model import Product
from layerwise.nn import Pipeline, build
from layerwise.recipe import Recipe
from layerwise.spec import Spec
from layerwise.workflows.gather import Gathered
from layerwise.workflows.prepare import Prepared

__all__ = [
    "HEAD_STEPS",
    "SEARCH",
    "read_recipe",
    "reading_settings",
    "settle",
    "settle_without_labels",
    "untrained",
]

FEATURES = "features"  # what a recipe of features has for a task
HEAD_STEPS = 200  # in which a new head learns alone, where nobody says how many

SEARCH = ("training.rate", "search")
"""The setting that has rates tried before training; the one that is taken is written into the recipe."""


def read_recipe(file: str | Path) -> Recipe:
    """A recipe from a file. Raises UsageError that says what is wrong with it."""
    try:
        plain = json.loads(Path(file).read_bytes())
    except OSError as error:
        raise UsageError(
            f"no recipe {shown(file)} ({error.strerror}); layerwise recipe DATA prints one"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{shown(file)} is no JSON ({error}); layerwise recipe DATA prints a recipe"
        ) from error
    return Recipe.from_json(plain)


def reading_settings(recipe: Recipe | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The reader's settings that a recipe or a person fixed, before anything is read."""
    fixed = dict(recipe.reading) if recipe else {}
    for name, value in settings.items():
        head, _, rest = name.partition(".")
        if head == "reading":
            fixed[rest] = _plain(value)
    return fixed


def settle(
    prepared: Prepared,
    *,
    given: Recipe | None,
    like: str | None,
    settings: Mapping[str, Any],
    budget: float | None,
    seed: int,
    start: Product | None = None,
) -> Recipe:
    """The recipe of this run. Raises UsageError for a name that is no line of it.

    With `start` the network is its levels, under a new head.
    """
    chosen, why = prepared.reader.choices()
    if given is not None:
        recipe = replace(given, kind=prepared.kind.name, task=prepared.task.name, reading=chosen)
    else:
        make = _like(prepared.kind, like) if like else prepared.kind.blueprint
        plan = make(prepared.spec, prepared.task, len(prepared.train))
        reasons = {**{f"reading.{k}": v for k, v in why.items()}, **plan.why}
        training = replace(plan.training, seed=seed)
        recipe = Recipe(prepared.kind.name, prepared.task.name, chosen, plan.network, training, reasons)
        if start is not None:
            recipe = _on_top(recipe, start)
        recipe = _measured(recipe)
    if recipe.training.method != "labels":
        raise UsageError(
            f"this recipe learns without labels ({recipe.training.method}): layerwise learn follows it, and"
            " layerwise fit --from FEATURES goes on from what it learned"
        )
    recipe = _as_told(recipe, settings, budget, validation=bool(len(prepared.validation)))
    if recipe.training.frozen:
        return recipe.but("training.head", None, "the levels stay as they are")
    if start is not None and budget is not None and "training.head" not in settings:
        return recipe.but("training.head", None, "as many steps as fit into a tenth of the budget")
    return recipe


def settle_without_labels(
    gathered: Gathered,
    *,
    given: Recipe | None,
    method: str,
    settings: Mapping[str, Any],
    budget: float | None,
    seed: int,
) -> Recipe:
    """The recipe of learning features; `method` "auto" takes the kind's first."""
    chosen, why = gathered.reader.choices()
    kind = gathered.kind
    if given is not None:
        if given.training.method == "labels":
            raise UsageError("this recipe learns from labels: layerwise fit follows it")
        if given.training.method not in kind.methods:
            raise UsageError(
                f"this recipe is not of features but of {shown(given.training.method)}: layerwise learn DATA"
                " --segments auto cuts anew"
            )
        recipe = replace(given, reading=chosen)
    else:
        if method != "auto" and method not in kind.methods:
            raise UsageError(
                f"{kind.plural} have no method {shown(method)}{suggest(method, kind.methods) or '.'}"
                f" Methods: auto, {listed(kind.methods)}"
            )
        name = next(iter(kind.methods)) if method == "auto" else method
        plan = kind.methods[name](gathered.spec, len(gathered.train))
        reasons = {**{f"reading.{k}": v for k, v in why.items()}, **plan.why}
        training = replace(plan.training, method=name, seed=seed)
        recipe = _measured(Recipe(kind.name, FEATURES, chosen, plan.network, training, reasons))
    return _as_told(recipe, settings, budget, validation=bool(len(gathered.validation)))


def _measured(recipe: Recipe) -> Recipe:
    """The recipe with what this machine was measured to do best."""
    found = measured()
    for name, (value, reason) in (found.advice() if found else {}).items():
        recipe = recipe.but(name, value, reason)
    return recipe


def _as_told(
    recipe: Recipe, settings: Mapping[str, Any], budget: float | None, *, validation: bool
) -> Recipe:
    """The recipe with the lines that a person set; without patience where no validation rows are."""
    for name, value in settings.items():
        if not name.startswith("reading.") and (name, value) != SEARCH:
            recipe = recipe.but(name, value)
    if recipe.training.patience is not None and not validation:
        recipe = recipe.but("training.patience", None, "there are no validation rows to judge by")
    if budget is not None:
        recipe = recipe.but("training.seconds", budget, "--budget")
    return recipe


def _on_top(recipe: Recipe, start: Product) -> Recipe:
    """The recipe with the levels of `start` under a new head."""
    levels = tuple(s for s in start.recipe.network if s.stage != "Head")
    why = {
        "network": f"the levels of {start.name}, and a new head",
        "training.frozen": "the new head learns alone for a while, then all levels are tuned",
        "training.head": "enough that what it knows nothing of does not move the levels",
    }
    training = replace(recipe.training, head=HEAD_STEPS)
    told = {name: reason for name, reason in recipe.why.items() if not name.startswith("network")}
    return replace(recipe, network=levels, training=training, why={**told, **why})


def _like(kind: Kind, name: str) -> Any:
    if name in kind.likes:
        return kind.likes[name]
    every = sorted({like for k in KINDS for like in k.likes})
    suits = [k.plural for k in KINDS if name in k.likes]
    if suits:
        raise DataError(
            f"--like {name} is for {listed(suits)}, these are {kind.plural}; for them: {listed(kind.likes)}"
        )
    raise UsageError(
        f"no recipe {shown(name)}{suggest(name, every) or '.'} Named recipes: {listed(every, 12)}"
    )


def untrained(recipe: Recipe, spec: Spec, outputs: int | None) -> Pipeline:
    """The recipe's network with first weights drawn from its seed alone; `outputs` None: without a head."""
    import torch

    from layerwise.randomness import Randomness

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Randomness(recipe.training.seed).number("weights") & ((1 << 63) - 1))
        return build(recipe.network, spec, outputs)


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value

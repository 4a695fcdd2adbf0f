"""Gathered examples and a recipe in; levels of features, learned without labels, out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from layerwise.data import Packed
from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.figures import in_seconds
from layerwise.model import Features
from layerwise.nn import Pipeline, describe
from layerwise.randomness import Randomness
from layerwise.recipe import Recipe
from layerwise.train import Batches, Data, Descent, Done, Masked, Phase, TwoViews, find_rate, projector
from layerwise.train.pieces import on
from layerwise.workflows.belief import Made, believed
from layerwise.workflows.gather import Gathered
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.probing import probing
from layerwise.workflows.running import followed, lasting, on_device, on_threads, rated
from layerwise.workflows.settle import untrained

__all__ = ["unsupervised"]

MOST_VALIDATION = 2_000  # rows on which the loss is looked at after each epoch
EVALUATION_BATCH = 256


def unsupervised(
    gathered: Gathered,
    recipe: Recipe,
    *,
    checkpoint: Path | None,
    narrator: Narrator,
    search: bool = False,
) -> tuple[Features, Made | None]:
    """The recipe's network, trained on the training rows; and what it makes up, where it can."""
    net = untrained(recipe, gathered.spec, None)
    levels = [level for level in describe(net, gathered.spec) if "." not in level.name]
    recipe = on_threads(recipe, sum(level.cost for level in levels))
    weights = sum(p.numel() for p in net.parameters())
    names = " -> ".join(level.name for level in levels)
    narrator.say("Network", f"{names}, {weights:,} weights (--set network...)")
    narrator.say(
        "Method", f"{recipe.training.method}: {recipe.why.get('training.method', 'as asked')} (--method)"
    )
    started = time.monotonic()
    made: Made | None = None
    if recipe.training.method == "dbn":
        if search:
            raise UsageError("no rate is searched for with --method dbn: leave training.rate=search out")
        done, made = believed(net, gathered, recipe, checkpoint=checkpoint, narrator=narrator)
    else:
        recipe, done = _descended(net, gathered, recipe, checkpoint, narrator, search=search)
        recipe = lasting(recipe, done, narrator)
    seconds = time.monotonic() - started
    narrator.say("Learned", f"in {in_seconds(seconds)}")
    features = Features(
        name=gathered.source.name,
        kind=gathered.kind,
        reader=gathered.reader,
        net=net,
        recipe=recipe,
        inputs=gathered.reader.needs(gathered.roles.inputs),
        about={"seconds": {"training": seconds}, "steps": list(done.taken), "method": recipe.training.method},
        history=dict(done.history),
    )
    return features, made


def _descended(
    net: Pipeline,
    gathered: Gathered,
    recipe: Recipe,
    checkpoint: Path | None,
    narrator: Narrator,
    *,
    search: bool,
) -> tuple[Recipe, Done]:
    """All levels at once, by the gradient of the method's loss; a rate that was searched for is in the recipe."""
    objective = _objective(gathered, recipe, net)
    phase = Phase.of(recipe.training, objective, name="learn")
    with on_device(net, (phase,), recipe) as where:
        examples = _examples(gathered, where)
        if search:
            recipe = rated(recipe, find_rate(net, phase, examples, seed=recipe.training.seed), narrator)
            phase = Phase.of(recipe.training, objective, name="learn")
        done = followed(
            net,
            (phase,),
            examples,
            seed=recipe.training.seed,
            checkpoint=checkpoint,
            evaluate=_evaluate(gathered, objective, recipe.training.seed),
            narrator=narrator,
        )
    return recipe, done


def _objective(gathered: Gathered, recipe: Recipe, net: Pipeline) -> Descent:
    """What a step improves, by the recipe's method."""
    method, spec, kind = recipe.training.method, gathered.spec, gathered.kind
    alter = kind.alter(spec, recipe.training.alter)
    if method == "masked":
        return Masked(spec)
    if method != "views":
        raise UsageError(
            f"no method {shown(method)} without labels{suggest(method, kind.methods) or '.'}"
            f" Methods: {listed(kind.methods)}"
        )
    if alter is None:
        raise UsageError(
            "two views of an example must differ: raise one of the recipe's training.alter lines"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Randomness(recipe.training.seed).number("projector") >> 1)
        return TwoViews(projector(net.spec(spec)), alter)


def _examples(gathered: Gathered, where: torch.device) -> Data:
    """The training rows in batches, for a network on the device `where`."""

    def data(size: int, rng: Randomness) -> Batches:
        return Packed(gathered.store, gathered.train, size=size, rng=rng, device=where)

    return data


def _evaluate(
    gathered: Gathered, objective: Descent, seed: int
) -> Callable[[nn.Module], Mapping[str, float]] | None:
    """What is looked at after each epoch: the loss on validation rows, and labels where they are known."""
    rows, known = gathered.validation[:MOST_VALIDATION], gathered.known()
    if not len(rows):
        return None
    held = Packed(gathered.store, rows, size=EVALUATION_BATCH)
    asked = None
    if known is not None and known.task.name == "classify":
        asked = probing(gathered.store, known.rows, known.targets, seed=seed)

    def evaluate(net: nn.Module) -> Mapping[str, float]:
        where = next((p.device for p in net.parameters()), torch.device("cpu"))
        objective.eval()  # its norms must not learn from validation rows
        total = 0.0
        for i in range(held.steps_per_epoch):
            batch, rng = held.at(i), Randomness(seed).at("validation", i)
            batch = on(objective.altered(batch, rng), where)
            total += len(batch.rows) * float(objective.loss(net, batch, rng)["loss"])
        found = {} if asked is None else asked(net)
        return {**found, "loss": total / len(rows)}

    return evaluate

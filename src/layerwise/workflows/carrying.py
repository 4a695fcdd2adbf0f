"""From a command to its model folder: what was asked is remembered, a stopped run goes on, a whole one is kept."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from layerwise.errors import Interrupted, UsageError, listed, shown, suggest
from layerwise.findings import Section
from layerwise.model import Product
from layerwise.nn.options import Positive, fits
from layerwise.workflows.narrate import Narrator
from layerwise.workflows.place import Place, placed, remember, remembered
from layerwise.workflows.prepare import Asked
from layerwise.workflows.tell import write_page

__all__ = ["carried", "chosen", "seconds_of"]

_P = TypeVar("_P", bound=Product)

OPTIONS = {"inputs": "input", "name_template": "name", "settings": "set", "start": "from"}
"""What the command calls what is called otherwise in Python."""

Work: TypeAlias = Callable[[Asked, Mapping[str, Any], Place], tuple[_P, Sequence[Section]]]
"""What was asked of the data, the options, and where to work, to a product and its page."""


def carried(
    work: Work[_P],
    data: Any,
    choice: Asked,
    options: dict[str, Any],
    *,
    usual: Mapping[str, Any],
    command: str,
    out: str | Path | None,
    overwrite: bool,
    resume: bool,
    narrator: Narrator,
    then: Callable[[_P, Path], str],
) -> _P:
    """Do the work in the folder `out` and publish what it gives, page and all; None keeps it in memory.

    `options` are of the command, `usual` what they are where nobody says anything; a run that goes on takes
    what it was begun with. `then` says what to do with the product next. Raises UsageError where a run is
    asked to go on as another, and Interrupted with the line that goes on with it.
    """
    with placed(out, overwrite=overwrite, resume=resume) as place:
        if resume:
            before = remembered(place)
            _same({**asdict(choice), **options}, before, {**asdict(Asked()), **usual})
            options = before
            choice = Asked(**{f.name: options.pop(f.name) for f in fields(Asked)})
        elif isinstance(choice.test, str | Path | None):
            remember(place, {**asdict(choice), **options, "test": choice.test and os.fspath(choice.test)})
        try:
            product, page = work(choice, options, place)
        except Interrupted as error:
            again = (
                ""
                if place.folder is None
                else f": layerwise {command} {shown(data)} --out {shown(place.folder)} --resume"
            )
            raise Interrupted(f"{error}{again}") from None
        if place.folder is not None:
            product.save(place.folder)
            path = write_page(place.folder, product, page)
            narrator.say("", str(path), then(product, place.folder))
            shutil.rmtree(place.run, ignore_errors=True)
    return product


def chosen(asked: Mapping[str, Any], command: str) -> Asked:
    """What was asked of the data. Raises UsageError for an option that `command` does not have."""
    known = [f.name for f in fields(Asked)]
    for name in asked:
        if name not in known:
            raise UsageError(
                f"{command} has no option {shown(name)}{suggest(name, known) or '.'} It has {listed(known, 20)}"
            )

    def names(value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value)

    several = ("target", "inputs", "forecast")
    lists = {k: names(asked[k]) for k in several if asked.get(k)}
    return Asked(**{**{k: v for k, v in asked.items() if v is not None and k not in several}, **lists})


def seconds_of(budget: Any) -> float | None:
    """A budget in seconds; None: none. Raises UsageError for what is no time."""
    if budget is None:
        return None
    if not fits(budget, Positive):
        raise UsageError(f"budget must be a positive number of seconds, such as 90, got {shown(budget)}")
    return float(budget)


def _same(now: Mapping[str, Any], before: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Raise UsageError where a run that goes on is asked for something else than it was begun with."""
    for name, value in now.items():
        was = before.get(name)
        told = json.loads(json.dumps(value, default=os.fspath))
        if value != usual[name] and told != json.loads(json.dumps(was)):
            raise UsageError(
                f"the run to go on with was begun {_said(name, was)}, not {_said(name, value)}: leave that out,"
                " or start anew with --overwrite"
            )


def _said(name: str, value: Any) -> str:
    """An option as it was said: `with --target income`, `without --budget`."""
    option = f"--{OPTIONS.get(name, name)}"
    if value is None or value is False or (isinstance(value, Sequence | Mapping) and not len(value)):
        return f"without {option}"
    if isinstance(value, Mapping):
        return f"with {' '.join(f'{option} {key}={one}' for key, one in value.items())}"
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    return f"with {option}" if value is True else f"with {option} {shown(value)}"

"""What `layerwise` takes on the command line. Heavy rooms are imported when a command runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from layerwise import __version__
from layerwise.cli.terminal import Terminal, echo
from layerwise.errors import UsageError, shown, suggest

if TYPE_CHECKING:
    from pathlib import Path

    from layerwise.model import Product
    from layerwise.workflows import Narrator

__all__ = ["layerwise"]


class Suggesting(click.Group):
    """A group of commands that names the nearest one for an unknown name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.commands:
            raise UsageError(
                f"no command {shown(name)}{suggest(name, self.commands) or '.'} Commands: {', '.join(self.commands)}"
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=Suggesting,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="""Example: layerwise fit photos/   then open photos-model/report.html

    Exit codes: 0 done; 2 the command line, 3 the data, 4 a model folder cannot be used; 5 a figure that was asked for
    is not reached; 6 the machine refused (disk, memory, permission); 130 Ctrl-C; 1 our own fault.""",
)
@click.version_option(__version__, prog_name="layerwise", message="%(prog)s %(version)s")
def layerwise() -> None:
    """Raw files in; a trained network, an honest account of how good it is, and
    a look at what every level of it learned, out.
    """


_C = TypeVar("_C", bound=Callable[..., Any])


def _adding(*options: Callable[[Any], Any]) -> Callable[[_C], _C]:
    """A decorator that adds these options, in their order."""

    def add(command: _C) -> _C:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_KIND = click.option("--kind", metavar="KIND", help="image, sound, text, series or table; guessed otherwise.")
_INPUT = click.option(
    "--input", "inputs", metavar="COLUMN[,COLUMN]", help="The columns to read; otherwise all others."
)
_NAME = click.option(
    "--name",
    "name_template",
    metavar="TEMPLATE",
    help="File names to columns: '{digit}_{speaker}_{take}'.",
)
_GROUP = click.option("--group", metavar="COLUMN", help="Rows of one group stay on one side of the split.")
_SEED = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of every random number."
)
_RECIPE = click.option("--recipe", "recipe_file", metavar="FILE", help="Every choice from a recipe.json.")
_SET = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Change one line of the recipe; repeatable. training.rate=search tries rates.",
)

_data_options = _adding(
    _KIND,
    click.option("--task", metavar="TASK", help="classify, tags, regress or forecast; guessed otherwise."),
    click.option(
        "--target", metavar="COLUMN[,COLUMN]", help="The column to answer; several 0/1 columns are tags."
    ),
    _INPUT,
    _NAME,
    _GROUP,
    click.option("--test", metavar="DATA", help="Held-out data of their own."),
    click.option(
        "--split",
        metavar="COLUMN[=V,V]",
        help="The column that tells train from test, or which of its values are the test.",
    ),
    click.option("--time", metavar="COLUMN", help="Split by time: the last rows are held out."),
    click.option("--forecast", metavar="COLUMN", help="Foretell this column."),
    click.option("--horizon", type=click.IntRange(1), metavar="STEPS", help="How many steps ahead."),
)

_recipe_options = _adding(
    _SEED,
    _RECIPE,
    click.option(
        "--like",
        metavar="NAME",
        help="A recipe of the literature: lenet5, mlp2006, alexnet-small, resnet-small, lstm.",
    ),
    _SET,
)

_run_options = _adding(
    click.option("--overwrite", is_flag=True, help="Replace what --out holds."),
    click.option("--budget", metavar="TIME", help="Wall time for training: 90s, 5m, 2h."),
    click.option(
        "--workers",
        type=click.IntRange(0),
        default=None,
        help="Processes that read files; results do not depend on it.",
    ),
    click.option("--resume", is_flag=True, help="Go on with a run that was stopped."),
    click.option("--no-examples", is_flag=True, help="Keep the data's own examples out of the report."),
    click.option("--quiet", is_flag=True, help="Say nothing but errors."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
)


@layerwise.command()
@click.argument("data")
@_data_options
@_recipe_options
@click.option(
    "--from",
    "start",
    metavar="FOLDER",
    help="Build on the levels of features (layerwise learn) or of a model.",
)
@click.option("--out", metavar="FOLDER", help="Where the model goes.  [default: NAME-model]")
@click.option(
    "--thorough",
    is_flag=True,
    help="Also train on a random split, and from first weights after --from, to compare.",
)
@_run_options
def fit(data: str, quiet: bool, as_json: bool, no_examples: bool, **options: Any) -> None:
    """Train a network on DATA: a folder of class folders, an archive of one, a
    table (CSV, TSV, Parquet), arrays (.npz, IDX, .ts), or the name of a
    built-in set (digits, wine, iris, breast-cancer, diabetes).

    \b
    layerwise fit clips/
    layerwise fit loans.csv --target default
    layerwise fit load.csv --forecast OT --horizon 96 --time date
    layerwise fit labelled/ --from photos-features
    """
    from layerwise.workflows import default_out
    from layerwise.workflows import fit as run

    chosen = _asked(options, default_out(data, "model"))
    model = run(data, examples=not no_examples, narrator=_narrator(quiet), **chosen)
    _result(model, as_json)


@layerwise.command()
@click.argument("data")
@_adding(_KIND)
@click.option(
    "--target",
    metavar="COLUMN[,COLUMN]",
    help="Labels where some are known: never learned from, only read off the features.",
)
@_adding(_INPUT, _NAME, _GROUP)
@click.option(
    "--method",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="views (two views of an example agree), masked (hidden parts are told) or, for pictures, dbn"
    " (restricted Boltzmann machines, one on the other).",
)
@click.option(
    "--segments",
    metavar="auto|N",
    help="Also cut the examples into segments: as many as the rows speak for, or N.",
)
@_adding(_SEED, _RECIPE, _SET)
@click.option("--out", metavar="FOLDER", help="Where the features go.  [default: NAME-features]")
@_run_options
def learn(data: str, quiet: bool, as_json: bool, no_examples: bool, **options: Any) -> None:
    """Learn levels of features from DATA without labels: pictures, sounds, texts,
    series or a table; and show what each level learned.

    \b
    layerwise learn photos/ --out features
    layerwise fit photos_labelled/ --from features
    layerwise predict features new/ --csv features.csv
    layerwise learn customers.csv --segments auto --out segments
    """
    from layerwise.workflows import default_out
    from layerwise.workflows import learn as run

    chosen = _asked(options, default_out(data, "features"))
    features = run(data, examples=not no_examples, narrator=_narrator(quiet), **chosen)
    _result(features, as_json)


@layerwise.command()
@click.argument("model")
@click.argument("data")
@click.option("--csv", "csv_file", metavar="FILE", help="Write a row an example here (- for stdout).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many answers a row.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def predict(model: str, data: str, csv_file: str | None, as_json: bool, top: int, quiet: bool) -> None:
    """Ask MODEL about DATA, labelled or not; one row a file, in order. What
    `learn` made gives features instead of answers.
    """
    from layerwise.workflows import predict as run

    run(model, data, csv=csv_file, as_json=as_json, top=top, narrator=_narrator(quiet), echo=echo)


@layerwise.command()
@click.argument("model")
def report(model: str) -> None:
    """Draw MODEL's report.html anew, from what its folder keeps: all but the
    data's own examples, which only `fit` can show.
    """
    from layerwise.workflows import redraw

    click.echo(str(redraw(model)))


@layerwise.command()
@click.argument("data", required=False)
@_data_options
@_recipe_options
def recipe(data: str | None, **options: Any) -> None:
    """Print every choice that `fit` would make for DATA, and why; or, with
    --like alone, a recipe of the literature as its paper gives it.
    """
    settings = dict(_setting(s) for s in options.pop("settings"))
    chosen = _plain(options)
    from layerwise.workflows import propose

    echo(str(propose(data, settings=settings, **chosen)))


@layerwise.group(cls=Suggesting)
def demo() -> None:
    """Experiments to watch: each trains here, and ends in a page."""


@demo.command()
@click.option("--out", metavar="FOLDER", default="depth-demo", show_default=True, help="Where the page goes.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of every random number.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def depth(out: str, seed: int, quiet: bool, as_json: bool) -> None:
    """Why depth failed before 2006, measured: nets of one to eight levels on
    small digits, with one remedy at a time; a minute or two.
    """
    from layerwise.workflows import demonstrate

    told = demonstrate(out, seed=seed, narrator=_narrator(quiet))
    if as_json:
        import json

        click.echo(json.dumps(told, ensure_ascii=True, allow_nan=False))


@layerwise.command()
@click.option("--measure", is_flag=True, help="Time this machine and keep the result.")
def doctor(measure: bool) -> None:
    """Say what layerwise finds on this machine; nothing is sent anywhere."""
    from layerwise.workflows import examine

    for line in examine(measure=measure):
        click.echo(line)


def _asked(options: dict[str, Any], out: Path) -> dict[str, Any]:
    """Options of a run as the workflows take them; `out` is where it goes where nobody says."""
    budget, settings = _seconds(options.pop("budget")), dict(_setting(s) for s in options.pop("settings"))
    chosen = _plain(options)
    return {**chosen, "budget": budget, "settings": settings, "out": chosen["out"] or out}


def _result(product: Product, as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(product.result(), ensure_ascii=True, allow_nan=False))


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the workflows take them: lists parted, the rest as given."""
    chosen = dict(options)
    for name in ("target", "inputs", "forecast"):
        if name in chosen:
            chosen[name] = tuple(p for p in (chosen[name] or "").split(",") if p)
    if chosen.get("horizon") and not chosen["forecast"]:
        raise UsageError("--horizon needs --forecast COLUMN: which column is to be foretold?")
    return chosen


def _setting(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise UsageError(f"--set takes NAME=VALUE, got {shown(text)}; layerwise recipe DATA lists the names")
    return name, value


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"--budget takes a time such as 90s, 5m or 2h, got {shown(text)}")
    return seconds


def _narrator(quiet: bool) -> Narrator:
    from layerwise.workflows import Silent

    return Silent() if quiet else Terminal(sys.stderr)

"""What `layerwise` takes on the command line. Heavy rooms are imported when a command runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from layerwise import __version__
from layerwise.cli.terminal import Terminal, echo
from layerwise.errors import UsageError, shown, suggest

if TYPE_CHECKING:
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
    epilog="Example: layerwise fit photos/   then open photos-model/report.html",
)
@click.version_option(__version__, prog_name="layerwise", message="%(prog)s %(version)s")
def layerwise() -> None:
    """Raw files in; a trained network, an honest account of how good it is, and
    a look at what every level of it learned, out.
    """


def _data_options(command: Any) -> Any:
    for option in reversed(
        [
            click.option(
                "--kind", metavar="KIND", help="image, sound, text, series or table; guessed otherwise."
            ),
            click.option(
                "--task", metavar="TASK", help="classify, tags, regress or forecast; guessed otherwise."
            ),
            click.option(
                "--target",
                metavar="COLUMN[,COLUMN]",
                help="The column to answer; several 0/1 columns are tags.",
            ),
            click.option(
                "--input",
                "inputs",
                metavar="COLUMN[,COLUMN]",
                help="The columns to read; otherwise all others.",
            ),
            click.option(
                "--name",
                "name_template",
                metavar="TEMPLATE",
                help="File names to columns: '{digit}_{speaker}_{take}'.",
            ),
            click.option(
                "--group", metavar="COLUMN", help="Rows of one group stay on one side of the split."
            ),
            click.option("--test", metavar="DATA", help="Held-out data of their own."),
            click.option(
                "--split",
                metavar="COLUMN[=V,V]",
                help="The column that tells train from test, or which of its values are the test.",
            ),
            click.option("--time", metavar="COLUMN", help="Split by time: the last rows are held out."),
            click.option("--forecast", metavar="COLUMN", help="Foretell this column."),
            click.option("--horizon", type=click.IntRange(1), metavar="STEPS", help="How many steps ahead."),
        ]
    ):
        command = option(command)
    return command


def _recipe_options(command: Any) -> Any:
    for option in reversed(
        [
            click.option(
                "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of every random number."
            ),
            click.option("--recipe", "recipe_file", metavar="FILE", help="Every choice from a recipe.json."),
            click.option(
                "--like",
                metavar="NAME",
                help="A recipe of the literature: lenet5, mlp2006, alexnet-small, resnet-small, lstm.",
            ),
            click.option(
                "--set",
                "settings",
                metavar="NAME=VALUE",
                multiple=True,
                help="Change one line of the recipe; repeatable. training.rate=search tries rates.",
            ),
        ]
    ):
        command = option(command)
    return command


@layerwise.command()
@click.argument("data")
@_data_options
@_recipe_options
@click.option("--out", metavar="FOLDER", help="Where the model goes.  [default: NAME-model]")
@click.option("--overwrite", is_flag=True, help="Replace what --out holds.")
@click.option("--budget", metavar="TIME", help="Wall time for training: 90s, 5m, 2h.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=None,
    help="Processes that read files; results do not depend on it.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--thorough", is_flag=True, help="Also train on a random split, to show what it would flatter.")
@click.option("--no-examples", is_flag=True, help="Keep the data's own examples out of the report.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def fit(data: str, quiet: bool, as_json: bool, no_examples: bool, **options: Any) -> None:
    """Train a network on DATA: a folder of class folders, an archive of one, a
    table (CSV, TSV, Parquet), arrays (.npz, IDX, .ts), or the name of a
    built-in set (digits, wine, iris, breast-cancer, diabetes).

    \b
    layerwise fit clips/
    layerwise fit loans.csv --target default
    layerwise fit load.csv --forecast OT --horizon 96 --time date
    """
    budget = _seconds(options.pop("budget"))
    settings = dict(_setting(s) for s in options.pop("settings"))
    chosen = _plain(options)
    from layerwise.workflows import default_out
    from layerwise.workflows import fit as run

    chosen["out"] = chosen["out"] or default_out(data)
    model = run(
        data,
        budget=budget,
        settings=settings,
        examples=not no_examples,
        narrator=_narrator(quiet),
        **chosen,
    )
    if as_json:
        import json

        click.echo(json.dumps(model.result(), ensure_ascii=True, allow_nan=False))


@layerwise.command()
@click.argument("model")
@click.argument("data")
@click.option("--csv", "csv_file", metavar="FILE", help="Write a row an example here (- for stdout).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many answers a row.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def predict(model: str, data: str, csv_file: str | None, as_json: bool, top: int, quiet: bool) -> None:
    """Ask MODEL about DATA, labelled or not; one row a file, in order."""
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


@layerwise.command()
@click.option("--measure", is_flag=True, help="Time this machine and keep the result.")
def doctor(measure: bool) -> None:
    """Say what layerwise finds on this machine; nothing is sent anywhere."""
    from layerwise.workflows import examine

    for line in examine(measure=measure):
        click.echo(line)


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the workflows take them: lists parted, the rest as given."""
    chosen = dict(options)
    for name in ("target", "inputs", "forecast"):
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

"""The command `layerwise`: light to start, plain words, the promised exit codes."""

from __future__ import annotations

import os
import sys

import click

from layerwise.cli.commands import layerwise
from layerwise.cli.terminal import printable
from layerwise.errors import LayerwiseError, shown, suggest

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    # Threads that wait for one another spin for about a millisecond by default, which on a machine that
    # others use too more than doubles the time of small networks.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code. Nothing escapes as a traceback."""
    try:
        result = layerwise.main(args=arguments, prog_name="layerwise", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        return _tell(_option_hint(error), 2)
    except LayerwiseError as error:
        return _tell(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _tell("stopped; nothing is lost that was saved", 130)
    except BrokenPipeError:  # the reader of our output has left, as in `layerwise recipe DATA | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _tell("out of memory: give fewer or smaller examples, or --set training.batch=16", 6)
    except OSError as error:
        return _tell(
            f"the machine refused: {error.strerror or error} ({error.filename or 'no file named'})", 6
        )
    except Exception as error:  # the last door: our own fault, said without a traceback
        return _own_fault(error)


def _tell(message: str, code: int) -> int:
    click.echo(f"layerwise: {printable(message)}", err=True)
    return code


def _option_hint(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".") + "."
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "layerwise"
    if isinstance(error, click.NoSuchOption):
        known = [name for p in (context.command.params if context else ()) for name in p.opts]
        message = f"no option {shown(error.option_name)}{suggest(error.option_name, known) or '.'}"
    return f"{message} {path} --help lists what it takes"


def _own_fault(error: Exception) -> int:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="layerwise-", suffix=".log", delete=False) as log:
        log.write("".join(traceback.format_exception(error)))
    what = f"{type(error).__name__}: {error}"
    return _tell(f"this is our own fault, not yours ({what}). Please send {log.name} with the command", 1)

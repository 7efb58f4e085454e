"""What all verbs share: one message instead of a traceback, exit codes, JSON on stdout.

Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 nothing fits, 130 interrupted.
"""

from __future__ import annotations

import errno
import functools
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, get_type_hints

import typer
from typer.models import OptionInfo

from nas.run.job import interrupt
from ppgnas.errors import PpgnasError
from ppgnas.parsing import printable
from ppgnas.task import Mode

Parameters = ParamSpec("Parameters")

INTERRUPTED = 130


def verb(function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Turn errors that a user can cause into a message on stderr and an exit code.

    What a `KeyboardInterrupt` says of how to go on is told.
    """

    @functools.wraps(function)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except PpgnasError as error:
            _leave(_with_options(str(error), function), error.exit_code)
        except KeyboardInterrupt as stop:
            interrupt.leave()
            _leave(f"Stopped.{f' {stop}' if stop.args else ''}", INTERRUPTED)
        except BrokenPipeError:
            # The reader of stdout went away (`| head`); Python would complain at exit.
            sys.stdout = None
            raise typer.Exit(1) from None
        except OSError as error:
            _leave(_describe(error), 1)

    return wrapped


def print_notes(notes: Iterable[str]) -> None:
    """Say on stderr what was found; what holds of several files (`name: what`) once."""
    files: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        file, _, what = note.partition(": ")
        alone = not what or " " in file
        files.setdefault(note if alone else what, []).extend([] if alone else [file])
    for what, named in files.items():
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        print(f"Note: {named[0]}{more}: {what}" if named else f"Note: {what}", file=sys.stderr)


def _with_options(message: str, function: Callable[..., None]) -> str:
    """Show arguments, which libraries name in backticks, as the command line calls them.

    `seed` becomes --seed where the verb has that option; a name that it has not stays as it is.
    """
    for name, hint in get_type_hints(function, include_extras=True).items():
        for option in getattr(hint, "__metadata__", ()):
            if isinstance(option, OptionInfo):
                # typer keeps the first name in `default` where the option is an annotation.
                given = map(str, (option.default, *(option.param_decls or ())))
                names = [text for text in given if text.startswith("--")]
                shown = names[0] if names else f"--{name.replace('_', '-')}"
                message = message.replace(f"`{name}`", shown)
    return message


def _leave(message: str, code: int) -> None:
    print(f"ppgnas: {printable(message)}", file=sys.stderr)
    raise typer.Exit(code)


def _describe(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    what = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return (
            f"the disk is full{where}. What was written before is whole; make room and go on "
            "(a search continues with --resume)"
        )
    return f"{what}{where}. Check the path and its permissions, then run the command again"


def arithmetic_of(mode: Mode) -> str:
    """How errors were computed, in words."""
    return "int8" if mode == "window" else "int8, streaming"


def emit(document: Any) -> None:
    """Print a JSON document on stdout."""
    print(json.dumps(document, indent=2, allow_nan=False))

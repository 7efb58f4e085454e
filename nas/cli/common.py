"""What all verbs share: one message instead of a traceback, exit codes, JSON on stdout.

Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 nothing fits, 130 interrupted.
"""

from __future__ import annotations

import errno
import functools
import inspect
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import typer
from typer.models import OptionInfo

from nas.run.job import interrupt
from ppgnas.errors import OptionError, PpgnasError, RunError
from ppgnas.parsing import idle, listed, printable
from ppgnas.task import Mode

Parameters = ParamSpec("Parameters")

INTERRUPTED = 130
_OUTPUTS = ("out", "plot", "page")  # parameters of verbs that name what is written
SEEDS = "numbers of 0 or more"


def verb(function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Turn errors that a user can cause into a message on stderr and an exit code.

    What a `KeyboardInterrupt` says of how to go on is told.
    """

    @functools.wraps(function)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        for name, value in kwargs.items():
            if value == "" or (isinstance(value, list) and "" in value):
                # As a path it would mean the working folder.
                empty = f"`{name}` is empty, perhaps an unset variable of the shell"
                _leave(_with_options(empty, function), 2)
            if isinstance(value, list) and len(set(value)) < len(value):
                twice = max(value, key=value.count)
                _leave(_with_options(f"`{name}` is {twice!r} twice; give it once", function), 2)
        try:
            if same := _one_place(kwargs):
                _leave(_with_options(same, function), 2)
            function(*args, **kwargs)
        except PpgnasError as error:
            _leave(_with_options(str(error), function), error.exit_code)
        except (KeyboardInterrupt, ImportError) as stop:
            how = f" {stop}" if stop.args else ""
            if isinstance(stop, ImportError):  # as an interrupted import of compiled code fails
                if not interrupt.asked():
                    raise
                how = ""
            interrupt.leave()
            _leave(f"Stopped.{how}", INTERRUPTED)
        except BrokenPipeError:
            # The reader of stdout went away (`| head`); Python would complain at exit.
            sys.stdout = None
            raise typer.Exit(1) from None
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            _leave(_misplaced(error), 2)
        except OSError as error:
            _leave(_describe(error), 1)
        except RuntimeError as error:
            if "Symlink loop" not in str(error):  # as Path.resolve says before Python 3.13
                raise
            _leave(f"{error}: this link leads to itself. Name a file or a folder", 2)
        except MemoryError as error:
            _leave(
                f"there is not enough memory ({str(error) or 'no more was to be had'}). See that "
                "no file is far larger than it should be, give fewer or shorter recordings, or "
                "end other programs",
                1,
            )

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
        note = f"Note: {named[0]}{more}: {what}" if named else f"Note: {what}"
        print(printable(note), file=sys.stderr)


def note_idle(why: str, **given: object) -> None:
    """Say which options cannot act, where the same ones may be given for several models."""
    names = [f"--{name.replace('_', '-')}" for name in idle(given)]
    if names:
        print_notes([f"{', '.join(names)} cannot act: {why}"])


def _with_options(message: str, function: Callable[..., None]) -> str:
    """Show arguments, which libraries name in backticks, as the command line calls them.

    `seed` becomes --seed where the verb has that option; a name that it has not stays as it is.
    """
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        for option in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(option, OptionInfo):
                # typer keeps the first name in `default` where the option is an annotation.
                given = map(str, (option.default, *(option.param_decls or ())))
                names = [text for text in given if text.startswith("--")]
                shown = names[0] if names else f"--{name.replace('_', '-')}"
                message = message.replace(f"`{name}`", shown)
    return message


def _one_place(values: Mapping[str, object]) -> str:
    """What is wrong with an output that would be written over what is read, or another output."""
    named = [
        (name, Path(each).resolve())
        for name, given in values.items()
        for each in (given if isinstance(given, list) else [given])
        if isinstance(each, str) and "\0" not in each
    ]
    for name, out in named:
        for other, path in named:
            if name in _OUTPUTS and other != name and path == out:
                if other in _OUTPUTS or path.is_file():
                    return f"`{name}` and `{other}` are one file, {out}; name another to write"
    return ""


def _leave(message: str, code: int) -> None:
    print(f"ppgnas: {printable(message)}", file=sys.stderr)
    raise typer.Exit(code)


def _misplaced(error: OSError) -> str:
    """A file where a folder is needed, or a folder where a file is."""
    named = str(error.filename or error)
    if isinstance(error, IsADirectoryError):
        return f"{named} is a folder; name a file"
    from nas.run.folder import check_place

    try:
        check_place(Path(named))
    except RunError as said:
        return str(said)
    return _describe(error)


def _describe(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    what = error.strerror or str(error)
    full = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the quota of disk space is used up",
        errno.EFBIG: "a file grew beyond what the disk or `ulimit -f` allows",
    }.get(error.errno or 0)
    if full and not (error.errno == errno.EFBIG and error.filename):
        return (
            f"{full}{where}. What was written before is whole; make room and go on "
            "(a search continues with --resume)"
        )
    if error.errno == errno.EFBIG:
        return f"{error.filename} is no document or network for a chip: {what}. Name another file"
    return f"{what}{where}. Check the path and its permissions, then run the command again"


def command_line() -> str:
    """The command as the user gave it, for provenance."""
    return "ppgnas " + shlex.join(sys.argv[1:])


@contextmanager
def goes_on(how: str = "where this one was") -> Iterator[None]:
    """Say after Ctrl-C that the same command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"The same command goes on {how}.") from None


CHECKPOINT = "from the last checkpoint, if there is one yet"


def page_file(page: str | None, bench: str) -> Path | None:
    """The file that the page of a bench shall be written to, looked at before it is measured.

    Raises:
        RunError: it is a folder, or lies in a file.
    """
    return None if page is None else new_file(page, option="page", example=f"{bench}.md")


def new_file(path: str, *, option: str, example: str) -> Path:
    """A file that shall be written at the end of something long.

    Raises:
        RunError: it is a folder, or lies in a file.
    """
    if Path(path).is_dir():
        raise RunError(f"`{option}` {path} is a folder; name a file, such as {path}/{example}")
    return folder_for(str(Path(path).parent)) / Path(path).name


def folder_for(path: str) -> Path:
    """A folder that shall be written to; it need not exist.

    Raises:
        RunError: it is a file, or lies in one.
    """
    from nas.run.folder import check_place

    check_place(Path(path))
    return Path(path)


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds from `0,1,2`.

    Raises:
        OptionError: they are none.
    """
    return listed("seeds", text, OptionError, example="0,1,2", allowed=SEEDS, read=_seed)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ValueError
    return int(text)


def arithmetic_of(mode: Mode) -> str:
    """How errors were computed, in words."""
    return "int8" if mode == "window" else "int8, streaming"


def emit(document: Any) -> None:
    """Print a JSON document on stdout."""
    print(json.dumps(document, indent=2, allow_nan=False))

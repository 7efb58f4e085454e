"""Errors that a user can cause, and how to get what an optional feature needs.

Convention: a message says what is wrong, the value seen, what is allowed, and the next step. The
command line prints it without a traceback and leaves with `exit_code`.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path


class PpgnasError(Exception):
    """Root of every error that ppgnas raises on purpose."""

    exit_code = 2


class DataError(PpgnasError, ValueError):
    """A recording, a folder of recordings or a split of people cannot be used."""


class TaskError(PpgnasError, ValueError):
    """A window, a stride or a range of heart rates that no network reads."""


class BudgetError(PpgnasError, ValueError):
    """A budget or another quantity with a unit cannot be read."""


class NothingFitsError(PpgnasError, ValueError):
    """No architecture of the search space meets the budgets."""

    exit_code = 3


class BoardError(PpgnasError, ValueError):
    """A board or an engine is unknown or its file is wrong."""


class GraphError(PpgnasError, ValueError):
    """A layer graph is inconsistent or holds an operation without a cost or an exporter."""


class SpaceError(PpgnasError, ValueError):
    """A search space or an architecture is malformed or not a member."""


class MixError(PpgnasError, ValueError):
    """A mix of losses cannot be read, or needs a teacher that is not there."""


class ExportError(PpgnasError, ValueError):
    """A network cannot be written as, or does not agree with, a file for the device."""

    exit_code = 1


class OptionError(ExportError):
    """An export or its check was asked for by a name or a number that no network allows."""

    exit_code = 2


class RunError(PpgnasError, RuntimeError):
    """A run directory is missing, incomplete or belongs to another run."""


class DependencyError(PpgnasError, ImportError):
    """An optional package that the requested feature needs is not installed."""

    exit_code = 1


class ToolError(PpgnasError, RuntimeError):
    """A compiler, a linker or an emulator was asked for something it cannot do, or failed."""

    exit_code = 1


NOT_STARTED = (
    "a worker process ended as it started: it runs the script that started it once more. A script "
    "that searches, trains or verifies must do so below `if __name__ == '__main__':`"
)
"""Of a RunError: processes are spawned, and import the script."""


def install_line(extra: str) -> str:
    """The command that installs the packages of an extra into this Python.

    Args:
        extra: a name of `[project.optional-dependencies]`.
    """
    from importlib import metadata  # takes time, and errors are everywhere

    wanted = [
        requirement.split(";")[0].strip()
        for requirement in metadata.requires("ppgnas") or []
        if re.search(rf"extra == (['\"]){extra}\1", requirement)
    ]
    if not wanted:  # installed before the extra was there, from this folder
        wanted = ["-e", f"{Path(__file__).parents[1]}[{extra}]"]
    return shlex.join([sys.executable, "-m", "pip", "install", *wanted])

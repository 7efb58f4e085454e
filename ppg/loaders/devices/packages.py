"""Packages of the field, imported where a form needs them."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ppgnas.errors import DependencyError, install_line


@contextmanager
def quiet() -> Iterator[None]:
    """What packages say to each other is not for our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def package(name: str, form: str) -> Any:
    """A module of an optional package.

    Raises:
        DependencyError: it is not installed; the message has the line that installs it.
    """
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise DependencyError(
            f"{form} needs the package {name.split('.')[0]}, which is not installed; install what "
            f"all forms need with: {install_line('formats')}"
        ) from error

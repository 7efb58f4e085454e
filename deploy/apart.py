"""A process for the runtimes that read somebody's files: one that dies of a file dies alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from ppgnas.errors import NOT_STARTED, ExportError, RunError

Result = TypeVar("Result")


class Apart(Protocol):
    """Calls a function there."""

    def __call__(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What the function returns or raises; an ExportError where the process dies of it."""


@contextmanager
def apart() -> Iterator[Apart]:
    """One process for several calls; functions and arguments must be picklable.

    Raises:
        RunError: the process did not start.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:

        def call(function: Callable[..., Result], *arguments: Any) -> Result:
            try:
                return pool.submit(function, *arguments).result()
            except BrokenProcessPool as error:
                raise ExportError(
                    f"{function.__module__} died of the file, which is damaged or hostile; export "
                    "or fetch it again"
                ) from error

        try:
            pool.submit(int).result()
        except BrokenProcessPool as error:
            raise RunError(NOT_STARTED) from error
        yield call

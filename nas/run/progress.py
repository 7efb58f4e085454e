"""How far a long job is: bars with the time left on a terminal, a line now and then elsewhere.

Everything goes to stderr, so that stdout stays for results. A job that was asked to stop ends at
its next step at the latest.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from nas.run import interrupt
from nas.run.units import format_duration
from ppgnas.parsing import printable

Tick = Callable[[int, int, str], None]
"""`tick(done, total, note)`"""

_LINE_EVERY_S = 10.0


class Progress(Protocol):
    """Where a job says what it does."""

    def say(self, message: str) -> None:
        """One line of text."""

    def phase(self, label: str) -> AbstractContextManager[Tick]:
        """A part of the job; the context gives the function that reports its progress."""


class Lines:
    """Plain lines, at most one in `every_s` seconds for each phase.

    Args:
        stream: where to write; stderr at the time of writing if None.
        every_s: seconds between two lines of one phase.
        clock: seconds from any origin.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        every_s: float = _LINE_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._every_s = every_s
        self._clock = clock

    def say(self, message: str) -> None:
        """Write one line."""
        print(printable(message), file=self._stream or sys.stderr, flush=True)

    @contextmanager
    def phase(self, label: str) -> Iterator[Tick]:
        """Report a phase; the last tick and the time it took are always written."""
        start_s = self._clock()
        last_s = start_s
        first: int | None = None

        def tick(done: int, total: int, note: str) -> None:
            nonlocal last_s, first
            interrupt.check()
            now_s = self._clock()
            if first is None:
                first = done  # a resumed phase starts with work done earlier
            if now_s - last_s < self._every_s:
                return
            last_s = now_s
            left = remaining_s(done - first, total - first, now_s - start_s)
            tail = f", {format_duration(left)} left" if left is not None else ""
            self.say(f"{label}: {done} of {total}{tail}{f' ({note})' if note else ''}")

        yield tick
        self.say(f"{label}: done in {format_duration(self._clock() - start_s)}")


class Bars:
    """One bar a phase on a terminal."""

    def say(self, message: str) -> None:
        """Write one line."""
        print(printable(message), file=sys.stderr, flush=True)

    @contextmanager
    def phase(self, label: str) -> Iterator[Tick]:
        """Show a bar until the phase ends."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with RichProgress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(label, total=None, note="")

            def tick(done: int, total: int, note: str) -> None:
                interrupt.check()
                bars.update(task, completed=done, total=total, note=note)

            yield tick


class Silent:
    """Says nothing."""

    def say(self, message: str) -> None:
        """Drop the message."""

    @contextmanager
    def phase(self, label: str) -> Iterator[Tick]:
        """A phase that nobody watches."""
        yield lambda done, total, note: None


def remaining_s(done: int, total: int, elapsed_s: float) -> float | None:
    """Seconds left at the pace so far; None before anything is done."""
    if done <= 0:
        return None
    return elapsed_s / done * max(0, total - done)


def for_terminal() -> Progress:
    """Bars if stderr is a terminal, lines otherwise."""
    return Bars() if sys.stderr.isatty() else Lines()

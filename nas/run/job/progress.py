"""How far a long job is: bars with the time left on a terminal, a line now and then elsewhere.

Everything goes to stderr, so that stdout stays for results. A job that was asked to stop ends at
its next step at the latest.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol, TextIO

from nas.run.job import interrupt
from nas.run.units import format_duration
from ppgnas.parsing import printable

Tick = Callable[[int, int, str], None]  # `tick(done, total, note)`

_LINE_EVERY_S = 10.0
RECENT_S = 60.0


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
        pace = RecentPace()

        def tick(done: int, total: int, note: str) -> None:
            nonlocal last_s
            interrupt.check()
            now_s = self._clock()
            pace.saw(done, now_s)
            if now_s - last_s < self._every_s:
                return
            last_s = now_s
            left = pace.remaining_s(total)
            tail = f", {format_duration(left)} left" if left is not None else ""
            self.say(f"{label}: {done} of {total}{tail}{f' ({note})' if note else ''}")

        yield tick
        self.say(f"{label}: done in {format_duration(self._clock() - start_s)}")


class Bars(Lines):
    """One bar a phase on a terminal."""

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
        console = Console(stderr=True)
        with RichProgress(*columns, console=console, speed_estimate_period=RECENT_S) as bars:
            task = bars.add_task(label, total=None, note="")

            def tick(done: int, total: int, note: str) -> None:
                interrupt.check()
                bars.update(task, completed=done, total=total, note=note)

            yield tick


class LogFile(Lines):
    """Lines in a file, each with the time in UTC."""

    def say(self, message: str) -> None:
        """Write one line."""
        now = datetime.now(timezone.utc).isoformat(sep=" ", timespec="seconds")
        super().say(f"{now} {message}")


class Both:
    """Says everything twice."""

    def __init__(self, first: Progress, second: Progress) -> None:
        self._first, self._second = first, second

    def say(self, message: str) -> None:
        """One line for each."""
        self._first.say(message)
        self._second.say(message)

    @contextmanager
    def phase(self, label: str) -> Iterator[Tick]:
        """A phase of each."""
        with self._first.phase(label) as first, self._second.phase(label) as second:

            def tick(done: int, total: int, note: str) -> None:
                first(done, total, note)
                second(done, total, note)

            yield tick


@contextmanager
def logged(path: Path, progress: Progress, *, before: str = "") -> Iterator[Progress]:
    """Progress that is kept in a file, too, with what ended it if it failed.

    Args:
        path: of the file, which is added to.
        before: what was said before there was a file.
    """
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(before)
        log = LogFile(file)
        try:
            yield Both(progress, log)
        except BaseException as error:
            log.say(f"ended by {type(error).__name__}: {error}".rstrip(": "))
            raise


class Silent:
    """Says nothing."""

    def say(self, message: str) -> None:
        """Drop the message."""

    @contextmanager
    def phase(self, label: str) -> Iterator[Tick]:
        """A phase that nobody watches."""
        yield lambda done, total, note: None


class RecentPace:
    """The time left, from the last minute: what a machine did before that says little."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, done: int, at_s: float) -> None:
        """Remember how far a job was; the first time may be the middle of a resumed one."""
        self._seen.append((at_s, done))
        while len(self._seen) > 2 and self._seen[1][0] <= at_s - RECENT_S:
            self._seen.popleft()

    def remaining_s(self, total: int) -> float | None:
        """Seconds until all is done; None before anything moved."""
        (from_s, first), (to_s, last) = self._seen[0], self._seen[-1]
        if last <= first:
            return None
        return (to_s - from_s) / (last - first) * max(0, total - last)


def for_terminal() -> Progress:
    """Bars if stderr is a terminal, lines otherwise."""
    return Bars() if sys.stderr.isatty() else Lines()

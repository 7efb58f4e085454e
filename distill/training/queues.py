"""Which of many jobs is begun next: each once, here or on another machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, Protocol

from distill.training.effort import Effort
from search_spaces.arch import Arch

Rung = Literal["first rungs", "second rungs"]
Kind = Rung | Literal["finalists"]
KINDS: tuple[Kind, ...] = ("first rungs", "second rungs", "finalists")


class Queue(Protocol):
    """Jobs by their index."""

    def claim(self) -> int | None:
        """A job that nobody has begun, which is ours from now on."""

    def done(self, index: int, result: object) -> None:
        """One of ours has ended, and its files are written."""

    def withdraw(self) -> None:
        """What nobody has begun shall not be begun."""

    def pending(self) -> set[int]:
        """Jobs to wait for; asked every half second at the latest while one of ours is running."""


class Share(Protocol):
    """Trainings of one run that several machines share."""

    def queue(self, kind: Kind, archs: Sequence[Arch], effort: Effort) -> Queue:
        """The trainings of these networks; `effort` is that of a whole one, of any size."""


class OwnQueue:
    """All jobs for this machine, in their order."""

    def __init__(self, count: int) -> None:
        self._left, self._pending = deque(range(count)), set(range(count))

    def claim(self) -> int | None:
        """The next one."""
        return self._left.popleft() if self._left else None

    def done(self, index: int, result: object) -> None:
        """One has ended."""
        self._pending.remove(index)

    def withdraw(self) -> None:
        """None is left to begin."""
        self._pending -= {*self._left}
        self._left.clear()

    def pending(self) -> set[int]:
        """All that have not ended."""
        return self._pending

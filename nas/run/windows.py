"""Which windows networks shall read: what of a task was asked, and in which mode."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from nas.run.units import Quantity, parse
from ppgnas.errors import TaskError
from ppgnas.parsing import listed, one_of
from ppgnas.task import MODES, Mode, Task


@dataclass(frozen=True)
class WindowChoice:
    """What was asked; None leaves what an architecture or a space has.

    Attributes:
        window_s: lengths of windows; a search chooses among several.
        stride_s: from one reading to the next.
        bpm: heart rates of the first and the last class.

    Raises:
        TaskError: no length, or one twice.
    """

    window_s: tuple[int, ...] | None = None
    stride_s: int | None = None
    bpm: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        lengths = self.window_s
        if lengths is not None and (not lengths or len(set(lengths)) < len(lengths)):
            raise TaskError("`window` must name lengths, each once, such as 6s or 6s,8s")

    def tasks(self, own: tuple[Task, ...]) -> tuple[Task, ...]:
        """What is asked of tasks that differ by their windows alone.

        Raises:
            TaskError: there is no such task.
        """
        asked: dict[str, int] = {}
        if self.stride_s is not None:
            asked["stride_s"] = self.stride_s
        if self.bpm is not None:
            asked["lowest_bpm"], asked["highest_bpm"] = self.bpm
        windows_s = self.window_s or tuple(task.window_s for task in own)
        return tuple(
            Task(**{**asdict(own[0]), **asked, "window_s": each}) for each in sorted(windows_s)
        )

    def task(self, own: Task) -> Task:
        """What is asked of one network.

        Raises:
            TaskError: there is no such task, or several lengths are asked.
        """
        found = self.tasks((own,))
        if len(found) > 1:
            raise TaskError(
                f"`window` names {len(found)} lengths, and one network reads one; name it, such "
                "as 6s. A search chooses among several"
            )
        return found[0]

    def to_table(self) -> dict[str, Any]:
        """What was asked, for `run.toml`."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


_SECONDS = Quantity("a time", {"s": 1.0}, "8s")

ANY = WindowChoice()  # nothing was asked


def take_windows(values: dict[str, Any], base: WindowChoice = ANY) -> WindowChoice:
    """Read the arguments that choose windows, and take them out.

    Args:
        values: arguments by name, without those that were not given: `window`, `stride`, `bpm`.
        base: what holds where an argument was not given.

    Raises:
        BudgetError: a time that cannot be read.
        TaskError: a range that cannot be read, or a value that no network has.
    """
    given: dict[str, Any] = {}
    if "window" in values:
        given["window_s"] = listed(
            "window",
            values.pop("window"),
            TaskError,
            example="6s,8s",
            allowed="lengths",
            read=partial(_seconds, name="window"),
        )
    if "stride" in values:
        given["stride_s"] = _seconds(values.pop("stride"), name="stride")
    if "bpm" in values:
        text = values.pop("bpm")
        found = re.fullmatch(r"\s*(\d{1,3})\s*-\s*(\d{1,3})\s*", text)
        if found is None:
            raise TaskError(f"`bpm` is {text!r}; allowed: two whole numbers, such as 30-209")
        given["bpm"] = (int(found[1]), int(found[2]))
    return replace(base, **given)


def _seconds(text: str, *, name: str) -> int:
    seconds = parse(text, _SECONDS, name=name)
    if seconds != int(seconds):
        raise TaskError(f"`{name}` is {text.strip()}; allowed: whole seconds, such as 8s")
    return int(seconds)


def mode_of(name: str) -> Mode:
    """The mode of a name; refuses one that is none of `MODES`."""
    return one_of("mode", name, MODES, TaskError)

"""What every room agrees on: a network reads a window of signal and answers with classes.

Unless it is told otherwise a window is 8 s, a new one begins every 2 s, and class `c` of 180
stands for `30 + c` BPM, see `ppg.readout.classes`. A network runs over each window anew, or,
streaming, over the stride that is new, and keeps what later layers read of the past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ppgnas.errors import TaskError

WINDOWS_S = (4, 16)
STRIDES_S = (1, 4)
BPM = (24, 240)  # what the band of the front end and the integers of the device hold
FEWEST_CLASSES = 60


@dataclass(frozen=True, order=True)
class Task:
    """What a network reads, how often, and what it answers with.

    Attributes:
        stride_s: from one window, and one reading, to the next.
        lowest_bpm, highest_bpm: heart rates of the first and of the last class, 1 BPM apart.

    Raises:
        TaskError: a value out of range, a window that is no whole number of strides, or an odd
            number of classes.
    """

    window_s: int = 8
    stride_s: int = 2
    lowest_bpm: int = 30
    highest_bpm: int = 209

    def __post_init__(self) -> None:
        for name, value, (low, high) in (
            ("window", self.window_s, WINDOWS_S),
            ("stride", self.stride_s, STRIDES_S),
        ):
            if not low <= value <= high:
                raise TaskError(f"`{name}` is {value} s; allowed: {low} to {high} whole seconds")
        if self.window_s % self.stride_s:
            raise TaskError(
                f"`window` is {self.window_s} s and `stride` {self.stride_s} s; allowed: a window "
                "of whole strides, such as 8 s and 2 s"
            )
        low, high = BPM
        if not low <= self.lowest_bpm < self.highest_bpm <= high:
            raise TaskError(
                f"`bpm` is {self.lowest_bpm}-{self.highest_bpm}; allowed: from {low} up to {high} "
                "BPM, the lowest first, such as 30-209"
            )
        if self.classes % 2 or self.classes < FEWEST_CLASSES:
            raise TaskError(
                f"`bpm` is {self.lowest_bpm}-{self.highest_bpm}, which are {self.classes} classes "
                f"of 1 BPM; allowed: an even number, {FEWEST_CLASSES} or more, such as 40-199"
            )

    @property
    def classes(self) -> int:
        """Outputs of a network."""
        return self.highest_bpm - self.lowest_bpm + 1

    @property
    def blocks(self) -> int:
        """Strides a window: a streaming network reads one at a time."""
        return self.window_s // self.stride_s

    @property
    def changed(self) -> dict[str, int]:
        """What is not as usual, by name: what files write beside what they always held."""
        return {name: value for name, value in vars(self).items() if value != getattr(TASK, name)}

    @property
    def words(self) -> str:
        """`changed` as text, for a file that has a line for it; empty where nothing is."""
        return "".join(f" {name}={value}" for name, value in self.changed.items())

    @staticmethod
    def of_words(text: str) -> Task:
        """Read `words` back.

        Raises:
            ValueError: it is none.
        """
        pairs = (part.partition("=") for part in text.split())
        try:
            return Task(**{name: int(value) for name, _, value in pairs})
        except TypeError as error:
            raise ValueError(f"{text!r} says no task") from error

    def __str__(self) -> str:
        return (
            f"{self.window_s} s every {self.stride_s} s, {self.lowest_bpm}-{self.highest_bpm} BPM"
        )


TASK = Task()
"""The usual one; also what files of recordings hold: a reference of 8 s every 2 s."""
WINDOW_S = TASK.window_s
STRIDE_S = float(TASK.stride_s)
CLASSES = TASK.classes

Mode = Literal["window", "streaming"]
MODES: tuple[Mode, ...] = get_args(Mode)

PPG, PPG_ACC = INPUTS = ("ppg", "ppg+acc")
"""What a network or a teacher reads: the PPG alone, or three axes of acceleration beside it."""

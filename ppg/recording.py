"""A recording of one person: PPG, acceleration and reference heart rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppgnas.errors import DataError
from ppgnas.parsing import listed
from ppgnas.tables import counted
from ppgnas.task import TASK, Task

MOST_PPM = 50_000


@dataclass(frozen=True)
class Recording:
    """Signals in physical units and one reference heart rate a window, if there is any.

    Attributes:
        subject: who; unique within `dataset`. People are split on `person`.
        dataset: the data set's name.
        name: the recording's name.
        ppg: `(samples, channels)` float32, in the sensor's unit.
        ppg_hz: sample rate of `ppg`.
        acc: `(samples, 3)` float32 in g, or None.
        acc_hz: sample rate of `acc`, or None.
        window_start_s: `(windows,)` start of each labelled window on the signal's clock.
        hr_bpm: `(windows,)` mean heart rate in each window.
        valid: `(windows,)` False where the reference itself slipped.
        activity: `(windows,)` index into `activity_names`, -1 unknown.
        activity_names: names of the activities.
        synthetic: True for a generated recording.
        also_in: names that the person has in other data sets.
        gaps: begin and end in s of holes in the signals, where samples are invented; windows that
            touch one are not usable.
        label_lag_s: offset between the clocks of labels and signal; `window_start_s` has it.
        started: when sample 0 was measured, ISO 8601; without a zone where only a local time is
            known, a time of day where no date is; empty where nothing is.
        task: what its windows are; those of files are the usual ones, see `ppg.references`.
    """

    subject: str
    dataset: str
    name: str
    ppg: NDArray[np.float32]
    ppg_hz: float
    acc: NDArray[np.float32] | None = None
    acc_hz: float | None = None
    window_start_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    hr_bpm: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    valid: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    activity: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    activity_names: tuple[str, ...] = ()
    synthetic: bool = False
    also_in: tuple[str, ...] = ()
    label_lag_s: float = 0.0
    gaps: tuple[tuple[float, float], ...] = ()
    started: str = ""
    task: Task = TASK

    def __post_init__(self) -> None:
        where = f"{self.dataset}/{self.name}"
        if self.ppg.ndim != 2 or self.ppg.shape[1] < 1:
            raise DataError(
                f"{where}: ppg has shape {self.ppg.shape}; expected (samples, channels)"
            )
        if not self.ppg_hz > 0:
            raise DataError(f"{where}: the PPG rate is {self.ppg_hz} Hz; it must be above 0")
        if self.acc is not None:
            if self.acc.ndim != 2 or self.acc.shape[1] != 3:
                raise DataError(f"{where}: acc has shape {self.acc.shape}; expected (samples, 3)")
            if self.acc_hz is None or not self.acc_hz > 0:
                raise DataError(f"{where}: the acceleration rate is {self.acc_hz} Hz")
        count = len(self.hr_bpm)
        for key in ("window_start_s", "valid", "activity"):
            if len(getattr(self, key)) != count:
                raise DataError(
                    f"{where}: {key} has {len(getattr(self, key))} entries, hr_bpm has {count}"
                )
        if any(not begin < end for begin, end in self.gaps):
            raise DataError(f"{where}: gaps are {self.gaps}; each must end after it begins")
        if self.duration_s < TASK.window_s:
            raise DataError(
                f"{where}: the recording lasts {self.duration_s:.1f} s; one window needs "
                f"{TASK.window_s} s"
            )

    def with_lag(self, lag_s: float, *, drift_ppm: float = 0.0) -> Recording:
        """The same with another offset of the label clock; 0 is the published clock.

        Args:
            lag_s: to add at the begin of the signal.
            drift_ppm: by how many millionths of itself the published time must grow besides.
        """
        published_s = self.window_start_s - self.label_lag_s
        start_s = published_s * (1 + drift_ppm * 1e-6) + lag_s
        return replace(self, window_start_s=start_s, label_lag_s=lag_s)

    def with_channels(self, chosen: Sequence[int]) -> Recording:
        """The same with some of its PPG channels.

        Args:
            chosen: their numbers from 1; a negative one is turned over.

        Raises:
            DataError: a number that no channel has, or one twice.
        """
        places = [abs(number) - 1 for number in chosen]
        count = self.ppg.shape[1]
        twice = len(set(places)) < len(places)
        if not chosen or twice or not all(0 <= place < count for place in places):
            raise DataError(
                f"{self.dataset}/{self.name}: `channels` is {','.join(map(str, chosen))}; "
                f"allowed: numbers from 1 to {count}, each once, with a minus to turn a channel "
                f"over."
            )
        return replace(self, ppg=self.ppg[:, places] * np.sign(chosen).astype(np.float32))

    @property
    def person(self) -> str:
        """`dataset/subject`: the unit of every split and every mean."""
        return f"{self.dataset}/{self.subject}"

    @property
    def duration_s(self) -> float:
        """Time covered by the signals."""
        duration = len(self.ppg) / self.ppg_hz
        if self.acc is not None and self.acc_hz is not None:
            duration = min(duration, len(self.acc) / self.acc_hz)
        return duration

    def measured(
        self, start_s: NDArray[np.float64], lasts_s: float | None = None
    ) -> NDArray[np.bool_]:
        """`(windows,)` True where a window, or `lasts_s`, from `start_s` on touches no gap."""
        end_s = start_s + (self.task.window_s if lasts_s is None else lasts_s)
        clear = np.ones(len(start_s), np.bool_)
        for begin, end in self.gaps:
            clear &= (end_s <= begin) | (start_s >= end)
        return clear

    def missing(self, start_s: NDArray[np.float64], rate_hz: float) -> NDArray[np.int64]:
        """`(windows,)` samples at `rate_hz`, of windows that begin at `start_s`, within gaps."""
        count = np.zeros(len(start_s), np.int64)
        most = round(self.task.window_s * rate_hz)
        done = np.zeros(len(start_s))  # samples of the window, up to the end of the gap before
        for begin, end in sorted(self.gaps):
            first = np.maximum(np.floor((begin - start_s) * rate_hz + 1e-6) + 1, done)
            stop = np.clip(np.ceil((end - start_s) * rate_hz - 1e-6), 0, most)
            count += (stop - first).clip(0).astype(np.int64)
            done = np.maximum(done, stop)
        return count

    @property
    def usable(self) -> NDArray[np.bool_]:
        """`(windows,)` True where the label is valid and the window lies in the signal."""
        start = self.window_start_s
        return (
            self.valid
            & self.measured(start)
            & np.isfinite(self.hr_bpm)
            & (start >= 0)
            & (start + self.task.window_s <= self.duration_s + 1e-6)
        )


def with_reference(recordings: Sequence[Recording]) -> tuple[list[Recording], str]:
    """The recordings that have a usable window, and a sentence on the others; empty if none."""
    kept = [recording for recording in recordings if recording.usable.any()]
    lost = len(recordings) - len(kept)
    if not lost:
        return kept, ""
    have = "has" if lost == 1 else "have"
    return kept, (
        f"{lost} of {counted(len(recordings), 'recording')} {have} no usable reference heart "
        "rate: ppgnas predict reads them, searches, training and evaluation leave them out"
    )


def check_drift(drift_ppm: float) -> None:
    """Refuse a drift that clocks do not have.

    Raises:
        DataError: it is above `MOST_PPM`.
    """
    if not abs(drift_ppm) <= MOST_PPM:
        raise DataError(
            f"`drift_ppm` is {drift_ppm:g}; allowed: -{MOST_PPM} to {MOST_PPM}, so 5 %. Clocks "
            "that run farther apart have a wrong rate."
        )


def channels_of(text: str) -> tuple[int, ...]:
    """Numbers of PPG channels from `1,-3`.

    Raises:
        DataError: the text is something else.
    """
    allowed = "numbers from 1, a minus to turn a channel over,"
    return listed("channels", text, DataError, example="1,-3", allowed=allowed, read=int)


def with_channels(recordings: Sequence[Recording], chosen: str | None) -> list[Recording]:
    """Recordings with the PPG channels of a text as `channels_of` reads it; all if None.

    Raises:
        DataError: the text is none, or a recording lacks one of them.
    """
    if chosen is None:
        return list(recordings)
    numbers = channels_of(chosen)
    return [recording.with_channels(numbers) for recording in recordings]


def data_set_of(person: str) -> str:
    """The data set of a `dataset/subject`."""
    return person.split("/", 1)[0]


class Entry(NamedTuple):
    """A recording and the file that it was read from."""

    file: Path
    recording: Recording

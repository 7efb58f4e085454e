"""Windows for evaluation: those of a task, label clock corrected, invalid ones left out.

In streaming they are cut from passes over the whole signal (`ppg.passes`), which come with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ppg.frontend import Stream, interpolate, normalise_acc, normalise_ppg, stream
from ppg.passes import Passes, by_block, grids
from ppg.recording import Recording
from ppg.references import at_task, grid_start_s
from ppgnas.errors import DataError
from ppgnas.task import TASK, Mode, Task

STREAM_HZ = 64.0


class InputLike(Protocol):
    """What says how a network reads recordings: an `InputSpec`, or a whole `Arch`."""

    @property
    def rate_hz(self) -> int: ...
    @property
    def acceleration(self) -> bool: ...
    @property
    def task(self) -> Task: ...


@dataclass(frozen=True)
class InputSpec:
    """Sample rate of a network's input, whether it reads acceleration beside the PPG, its task."""

    rate_hz: int
    acceleration: bool
    task: Task = TASK


@dataclass(frozen=True)
class WindowSet:
    """Network inputs with their labels, in order of recording and time.

    Attributes:
        x: `(windows, channels, time)` float32; channel 0 is PPG, 1 to 3 are acceleration.
        hr_bpm: `(windows,)`.
        person: `(windows,)` index into `people`.
        recording: `(windows,)` index into `recordings`.
        recordings: `dataset/name` of each recording.
        start_s, activity: `(windows,)`.
        passes: where a network streams, what it runs over; `x` are the windows in it.
    """

    x: NDArray[np.float32]
    hr_bpm: NDArray[np.float64]
    person: NDArray[np.int64]
    people: tuple[str, ...]
    recording: NDArray[np.int64]
    recordings: tuple[str, ...]
    start_s: NDArray[np.float64]
    activity: NDArray[np.int64]
    activity_names: tuple[str, ...]
    passes: Passes | None = None
    task: Task = TASK

    def __len__(self) -> int:
        return len(self.hr_bpm)

    def only(self, picked: NDArray[np.int64]) -> WindowSet:
        """Some of the windows, by index."""
        rows = {
            name: getattr(self, name)[picked]
            for name in ("x", "hr_bpm", "person", "recording", "start_s", "activity")
        }
        return replace(self, **rows, passes=self.passes and self.passes.only(picked))

    def spread(self, limit: int) -> NDArray[np.float32]:
        """Up to `limit` windows `(windows, channels, time)`, spread over the recordings."""
        return self.x[np.linspace(0, len(self) - 1, min(limit, len(self))).astype(np.int64)]


def require_acceleration(recordings: Sequence[Recording]) -> None:
    """Refuse recordings without acceleration where the network reads it."""
    lacking = [f"{r.dataset}/{r.name}" for r in recordings if r.acc is None]
    if lacking:
        raise DataError(
            f"{len(lacking)} recording(s) have no acceleration ({', '.join(lacking[:3])}"
            f"{', ...' if len(lacking) > 3 else ''}), and this network reads it; "
            "leave them out, or take a network of PPG alone (search --student-inputs ppg)"
        )


def every_window(recording: Recording, task: Task = TASK) -> Recording:
    """The same signals with a window every stride, all valid; labels play no role.

    Windows fall on those of the reference where there is one.

    Raises:
        DataError: the recording is shorter than a window.
    """
    if recording.duration_s < task.window_s:
        raise DataError(
            f"{recording.dataset}/{recording.name}: the recording lasts "
            f"{recording.duration_s:.1f} s; one window of this network needs {task.window_s} s"
        )
    first_s = grid_start_s(recording, task)
    count = int((recording.duration_s - task.window_s - first_s + 1e-6) // task.stride_s) + 1
    if count < 1:  # a label's phase may not fit in a recording of barely one window
        first_s, count = 0.0, 1
    return replace(
        recording,
        window_start_s=first_s + task.stride_s * np.arange(count, dtype=np.float64),
        hr_bpm=np.full(count, 60.0),
        valid=np.ones(count, dtype=np.bool_),
        activity=np.full(count, -1, dtype=np.int64),
        task=task,
    )


def windows_of(
    recordings: Sequence[Recording],
    inputs: InputLike,
    *,
    slope: bool = True,
    mode: Mode = "window",
) -> WindowSet:
    """Cut all usable windows.

    Args:
        slope: see `ppg.frontend.stream`; networks read the slope.
        mode: whether it reads windows, or streams.
    """
    if inputs.acceleration:
        require_acceleration(recordings)
    task = inputs.task
    people = tuple(sorted({r.person for r in recordings}))
    names = tuple(f"{r.dataset}/{r.name}" for r in recordings)
    activity_names = tuple(sorted({name for r in recordings for name in r.activity_names}))
    rows, passes = [], _Passes()
    for number, recording in enumerate(at_task(each, task) for each in recordings):
        keep = np.flatnonzero(recording.usable)
        if len(keep) == 0:
            continue
        signals = stream(recording, hz=STREAM_HZ, slope=slope)
        start_s = recording.window_start_s[keep]
        if mode == "window":
            x = _read(signals, inputs, start_s, task.window_s * inputs.rate_hz, mode)
        else:
            x = passes.add(recording, signals, inputs, start_s)
        lookup = np.array([*map(activity_names.index, recording.activity_names), -1])
        rows.append(
            (
                x,
                recording.hr_bpm[keep],
                np.full(len(keep), people.index(recording.person)),
                np.full(len(keep), number),
                start_s,
                lookup[np.clip(recording.activity[keep], -1, len(lookup) - 2)],
            )
        )
    if not rows:
        raise DataError(
            "no usable window in the recordings: every reference value is invalid or outside the "
            f"signal, or the signal is shorter than {task.window_s} s; check hr_valid, hr_start_s "
            "and hr_lag_s"
        )
    x, hr_bpm, person, index, start_s, activity = map(np.concatenate, zip(*rows, strict=True))
    return WindowSet(
        x=x.astype(np.float32),
        hr_bpm=hr_bpm.astype(np.float64),
        person=person,
        people=people,
        recording=index,
        recordings=names,
        start_s=start_s,
        activity=activity,
        activity_names=activity_names,
        passes=None if mode == "window" else passes.together(),
        task=task,
    )


def _read(
    signals: Stream, inputs: InputLike, start_s: NDArray[np.float64], samples: int, mode: Mode
) -> NDArray[np.float32]:
    """What a network reads, `(starts, channels, samples)`: windows, or streams from each start."""
    at_s = start_s[:, None] + np.arange(samples) / inputs.rate_hz  # (starts, time)
    ppg = interpolate(signals.ppg, STREAM_HZ, at_s).astype(np.float32)
    acc = None
    if inputs.acceleration and signals.acc is not None:
        acc = interpolate(signals.acc, STREAM_HZ, at_s).astype(np.float32)
    if mode == "window":
        trace, axes = normalise_ppg(ppg), None if acc is None else normalise_acc(acc)
    else:
        at = inputs.task, inputs.rate_hz
        trace = by_block(ppg, *at, normalise_ppg)
        axes = None if acc is None else by_block(acc, *at, normalise_acc)
    channels = [trace[:, None]] + ([] if axes is None else [axes.transpose(0, 2, 1)])
    return np.concatenate(channels, axis=1)


class _Passes:
    """Passes of one recording after the other."""

    def __init__(self) -> None:
        self._x: list[NDArray[np.float32]] = []
        self._of: list[NDArray[np.int64]] = []
        self._reading: list[NDArray[np.int64]] = []

    def add(
        self,
        recording: Recording,
        signals: Stream,
        inputs: InputLike,
        start_s: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """The passes of another recording; its windows `(windows, channels, time)` in them."""
        block, window = (s * inputs.rate_hz for s in (inputs.task.stride_s, inputs.task.window_s))
        of, reading = np.zeros((2, len(start_s)), np.int64)
        x = np.empty((len(start_s), 4 if inputs.acceleration else 1, window), np.float32)
        for begin_s, windows, number in grids(recording, start_s, inputs.rate_hz):
            samples = int(number.max()) * block + window
            (whole,) = _read(signals, inputs, np.array([begin_s]), samples, "streaming")
            of[windows], reading[windows] = len(self._x), number
            at = (number * block)[:, None] + np.arange(window)
            x[windows] = whole[:, at].transpose(1, 0, 2)
            self._x.append(whole)
        self._of.append(of)
        self._reading.append(reading)
        return x

    def together(self) -> Passes:
        """Those of all recordings."""
        return Passes(tuple(self._x), np.concatenate(self._of), np.concatenate(self._reading))

"""The stretches of a recording that a network reads worst, with the signals it read there.

A model's folder keeps them in `stretches.json`, as a report has no recordings beside it. Models of
older versions have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ppg.frontend import normalise_ppg, stream
from ppg.recording import Recording

if TYPE_CHECKING:
    from distill.evaluation import Predictions

STRETCHES = "stretches"  # the file, of `nas.run.documents.write_rows`
LENGTH_S = 30.0
SHOWN_HZ = 16.0  # over three times the upper edge of the front end
MOST = 3  # people


@dataclass(frozen=True)
class Stretch:
    """One stretch of one recording.

    Attributes:
        person, recording: whose, and `dataset/name`.
        start_s: on the signal's clock.
        mae_bpm: raw, over its readings.
        hz: rate of `ppg` and `motion_g`.
        ppg: band-passed, unit spread.
        motion_g: size of the band-passed acceleration; None without a sensor.
        time_s: when each reading's window ends, from `start_s`.
        reference_bpm, bpm, bpm_smoothed: of each reading.
    """

    person: str
    recording: str
    start_s: float
    mae_bpm: float
    hz: float
    ppg: tuple[float, ...]
    motion_g: tuple[float, ...] | None
    time_s: tuple[float, ...]
    reference_bpm: tuple[float, ...]
    bpm: tuple[float, ...]
    bpm_smoothed: tuple[float, ...]


def worst_stretches(
    predictions: Predictions, recordings: Sequence[Recording]
) -> tuple[Stretch, ...]:
    """Of each of the people who are read worst, the 30 s with the largest error; worst first."""
    by_name = {f"{each.dataset}/{each.name}": each for each in recordings}
    worst: dict[int, tuple[float, NDArray[np.int64]]] = {}
    error = np.abs(predictions.raw.bpm - predictions.windows.hr_bpm)
    for rows in _stretches(predictions):
        person, mae = int(predictions.windows.person[rows[0]]), float(error[rows].mean())
        if person not in worst or mae > worst[person][0]:
            worst[person] = mae, rows
    chosen = sorted(worst.values(), key=lambda each: -each[0])[:MOST]
    return tuple(_shown(predictions, rows, mae, by_name) for mae, rows in chosen)


def _stretches(predictions: Predictions) -> Iterator[NDArray[np.int64]]:
    """Rows of the windows within `LENGTH_S` from each window on, where they reach so far."""
    windows = predictions.windows
    for recording in range(len(windows.recordings)):
        rows = np.flatnonzero(windows.recording == recording)
        start_s = windows.start_s[rows]
        ends = np.searchsorted(start_s, start_s + LENGTH_S - windows.task.window_s, side="right")
        most = int((ends - np.arange(len(rows))).max(initial=0))
        for first, end in enumerate(ends):
            if end - first == most:  # no windows missing: the reference is good throughout
                yield rows[first:end]


def _shown(
    predictions: Predictions,
    rows: NDArray[np.int64],
    mae_bpm: float,
    by_name: dict[str, Recording],
) -> Stretch:
    windows = predictions.windows
    name = windows.recordings[windows.recording[rows[0]]]
    start_s = float(windows.start_s[rows[0]])
    filtered = stream(by_name[name], hz=SHOWN_HZ, slope=False)
    first = max(0, round(start_s * SHOWN_HZ))
    part = slice(first, first + round(LENGTH_S * SHOWN_HZ))
    motion = None if filtered.acc is None else np.linalg.norm(filtered.acc[part], axis=1)
    return Stretch(
        windows.people[windows.person[rows[0]]],
        name,
        start_s,
        mae_bpm,
        SHOWN_HZ,
        _values(normalise_ppg(filtered.ppg[None, part])[0], 2),
        None if motion is None else _values(motion, 3),
        _values(windows.start_s[rows] + windows.task.window_s - start_s, 2),
        *(
            _values(series[rows], 1)
            for series in (windows.hr_bpm, predictions.raw.bpm, predictions.smoothed.bpm)
        ),
    )


def _values(series: NDArray[np.floating], decimals: int) -> tuple[float, ...]:
    return tuple(series.astype(np.float64).round(decimals).tolist())

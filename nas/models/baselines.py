"""What reads heart rate without a network, on the report people of a run: rows to compare with.

`baselines.json` of a run directory holds them; a run of an older version has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.baselines import RATE_HZ, baseline, reads_slope
from ppg.people.metrics import summary
from ppg.readout.smoothing import clip
from ppg.recording import Recording
from ppg.references import at_task
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.task import TASK, Task

BASELINES = "baselines"  # the file, of `nas.run.documents.write_rows`
CONSTANT = "constant"
_TITLES = {
    "peaks": "beats as peaks of the wave",
    "spectral-peak": "strongest frequency",
    "spectral-motion": "strongest frequency, those of the movement damped",
    "wiener": "Wiener filter by the acceleration",
}
_WITHOUT_ACCELERATION = ("peaks", "spectral-peak")


@dataclass(frozen=True)
class BaselineRow:
    """Errors of one baseline on report people, as in a card; smoothed by `ppg.readout.smoothing`.

    Attributes:
        name: of `ppg.baselines`, or `constant`.
        worst_person_mae_bpm: the highest error of a person.
    """

    name: str
    title: str
    mae_bpm: float
    mae_bpm_low: float
    mae_bpm_high: float
    mae_bpm_smoothed: float
    median_person_mae_bpm: float
    worst_person_mae_bpm: float
    within_5_bpm: float


def baseline_rows(
    train: Sequence[Recording], report: Sequence[Recording], task: Task = TASK
) -> list[BaselineRow]:
    """The error of every baseline, and of always saying the median of training people.

    Args:
        train: whose median heart rate is the constant.
        report: who judge. Where one has no acceleration, what needs it is left out.
    """
    moving = all(recording.acc is not None for recording in report)
    inputs = InputSpec(RATE_HZ, moving, task)
    rows = []
    for name in _TITLES if moving else _WITHOUT_ACCELERATION:
        windows = windows_of(report, inputs, slope=reads_slope(name))
        rows.append(_row(name, _TITLES[name], windows, baseline(name)(windows, RATE_HZ)))
    labelled = [at_task(recording, task) for recording in train]
    rates = np.concatenate([recording.hr_bpm[recording.usable] for recording in labelled])
    middle = float(np.median(rates))
    windows = windows_of(report, inputs)
    constant = np.full(len(windows), middle)
    return [*rows, _row(CONSTANT, f"always {middle:.0f} BPM", windows, constant)]


def _row(name: str, title: str, windows: WindowSet, bpm: NDArray[np.float64]) -> BaselineRow:
    clipped = clip(bpm, windows.recording, windows.start_s, stride_s=windows.task.stride_s)
    found = summary(windows, bpm, clipped)
    return BaselineRow(
        name,
        title,
        found.mae_bpm,
        found.mae_bpm_low,
        found.mae_bpm_high,
        found.mae_bpm_smoothed,
        found.median_person_mae_bpm,
        found.worst_person_mae_bpm,
        found.within_5_bpm,
    )

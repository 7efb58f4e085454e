"""Heart rate along one recording, labelled or not: a row a stride, as a table and as a plot.

Times are those at which a reading exists: the end of its window. A reference is shown at the
window that it belongs to, or nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.models.readout import RULES, Decoding
from nas.run.card import ModelFile
from nas.run.people import read_source
from ppg.readout.smoothing import Smoothing, most_missing
from ppg.recording import Recording
from ppg.references import at_task, nearest
from ppg.windows import every_window, windows_of
from ppgnas.errors import DataError
from ppgnas.notebook import Shown
from ppgnas.tables import counted, csv_table
from ppgnas.task import WINDOW_S, Mode

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from ppg.windows import InputSpec

COLUMNS = (
    "time_s",
    "bpm",
    "bpm_smoothed",
    "spread_bpm",
    "expected_error_bpm",
    "expected_error_smoothed_bpm",
    "reference_bpm",
    "flag",
)
GAP = "gap"  # of a reading whose window touches a hole in the signals
SAME_WINDOW_S = 0.5  # a reference whose window begins so near belongs to a reading

Series = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Trace(Shown):
    """Readings along a recording; arrays are `(readings,)`, NaN where nothing is known.

    Attributes:
        time_s: end of each window.
        bpm, bpm_smoothed, spread_bpm: readings and the spread of their class probabilities.
        expected_error_bpm, expected_error_smoothed_bpm: None for a network that was never
            calibrated.
        measured: False where the window touches a gap; such a reading is flagged and, where more
            than half a second is missing, not used by the smoother; nothing is known of its error.
        gaps: begin and end of each.
        started: when the recording began, as it says; empty where it does not.
    """

    name: str
    time_s: Series
    bpm: Series
    bpm_smoothed: Series
    spread_bpm: Series
    expected_error_bpm: Series | None
    expected_error_smoothed_bpm: Series | None
    reference_bpm: Series
    measured: NDArray[np.bool_]
    gaps: tuple[tuple[float, float], ...]
    synthetic: bool
    started: str = ""
    window_s: int = WINDOW_S

    @property
    def caption(self) -> str:
        """Whose readings these are."""
        began = f", began {self.started}" if self.started else ""
        synthetic = " (SYNTHETIC)" if self.synthetic else ""
        return f"{self.name}: {counted(len(self.time_s), 'reading')}{began}{synthetic}"

    def rows(self) -> list[dict[str, float | str | None]]:
        """One row a reading, keyed by `COLUMNS`; None where nothing is known or to be said."""

        def column(key: str) -> Sequence[float | str | None]:
            if key == "flag":
                return [None if measured else GAP for measured in self.measured]
            values = getattr(self, key)
            if values is None:
                return [None] * len(self.time_s)
            return [round(v, 3) if np.isfinite(v) else None for v in values.tolist()]

        columns = [column(key) for key in COLUMNS]
        return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]


def find_recording(
    source: str,
    *,
    name: str | None = None,
    options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Recording:
    """One recording: an .npz file, labelled or not, or one of any other source.

    Args:
        source: a file, or a folder as `data` takes it.
        name: which one of a folder, as `name` or `dataset/name`; not needed where there is one.
        options: how a file is read, see `read_source`.
        say: is told what was found in a file and not stated.

    Raises:
        DataError: it cannot be read, or there are several and none is named.
    """
    found = read_source(source, seed=0, options=options, say=say)
    chosen = [r for r in found if name in (None, r.name, f"{r.dataset}/{r.name}")]
    if len(chosen) != 1:
        shown = ", ".join(f"{r.dataset}/{r.name}" for r in found[:5])
        shown += ", ..." if len(found) > 5 else ""
        asked = "`name` is not given" if name is None else f"`name` is {name!r}"
        count = f"{len(found)} recording{'s' if len(found) > 1 else ''}"
        raise DataError(f"{asked}; {source} holds {count}: {shown}. Name one")
    return chosen[0]


def trace_of(
    net: QuantizedNet,
    recording: Recording,
    *,
    inputs: InputSpec,
    decoding: Decoding,
    file: ModelFile = "model.tflite",
    smoothing: Smoothing = "hmm",
    mode: Mode = "window",
) -> Trace:
    """Run a network along a recording.

    Args:
        recording: its signals; labels only serve as the reference.
        smoothing: one of `ppg.readout.smoothing.SMOOTHINGS`.
        mode: whether it reads windows, or streams. In a gap a stream says nothing, and begins
            anew after it.

    Raises:
        DataError: the network reads an acceleration that the recording does not have.
    """
    from distill.evaluation import predict_windows

    task = inputs.task
    recording = at_task(recording, task)
    whole = every_window(recording, task)
    if mode == "window":  # one that touches a gap is read too, and flagged
        whole = replace(whole, gaps=())
    elif not whole.usable.any():
        raise DataError(
            f"{recording.dataset}/{recording.name}: every {task.window_s} s of its "
            f"{recording.duration_s:.0f} s touch one of {len(recording.gaps)} gaps, and a stream "
            f"needs {task.window_s} s without; allowed: a recording with such a stretch. Is a row "
            "in every file missing, or its rate wrong (ppgnas data inspect)?"
        )
    windows = windows_of([whole], inputs, mode=mode)
    missing = recording.missing(windows.start_s, inputs.rate_hz)
    measured = missing == 0
    read = predict_windows(
        net,
        windows,
        smoothing=smoothing,
        transitions=decoding.transitions,
        measured=missing <= most_missing(inputs.rate_hz),
        rule=RULES[file],
    )

    def known(expected: Series | None) -> Series | None:
        return None if expected is None else np.where(measured, expected, np.nan)

    return Trace(
        name=f"{recording.dataset}/{recording.name}",
        time_s=windows.start_s + task.window_s,
        bpm=read.raw.bpm,
        bpm_smoothed=read.smoothed.bpm,
        spread_bpm=read.raw.spread_bpm,
        expected_error_bpm=known(decoding.expected_error_bpm(read)),
        expected_error_smoothed_bpm=known(
            decoding.expected_error_smoothed_bpm(read, smoothing=smoothing)
        ),
        reference_bpm=_reference(recording, windows.start_s),
        measured=measured,
        gaps=recording.gaps,
        synthetic=recording.synthetic,
        started=recording.started,
        window_s=task.window_s,
    )


def _reference(recording: Recording, start_s: Series) -> Series:
    usable = recording.usable
    at, bpm = recording.window_start_s[usable], recording.hr_bpm[usable]
    if not len(at):
        return np.full(len(start_s), np.nan)
    near = nearest(at, start_s)
    return np.where(np.abs(at[near] - start_s) <= SAME_WINDOW_S, bpm[near], np.nan)


def trace_csv(trace: Trace) -> str:
    """The rows as CSV, empty where nothing is known."""
    return csv_table(COLUMNS, trace.rows())


@dataclass(frozen=True)
class TraceSummary:
    """The whole of a trace: its range, and errors where there is a reference."""

    recording: str
    readings: int
    flagged: int
    lowest_bpm: float
    highest_bpm: float
    expected_error_bpm: float | None
    reference_readings: int
    mae_bpm: float | None
    mae_bpm_smoothed: float | None
    synthetic: bool
    started: str = ""


def trace_summary(trace: Trace) -> TraceSummary:
    """What can be said of the whole."""
    known = np.isfinite(trace.reference_bpm)
    shown = trace.bpm_smoothed[trace.measured] if trace.measured.any() else trace.bpm_smoothed
    expected = trace.expected_error_smoothed_bpm

    def mae(bpm: Series) -> float | None:
        error = bpm[known] - trace.reference_bpm[known]
        return float(np.abs(error).mean()) if known.any() else None

    return TraceSummary(
        recording=trace.name,
        readings=len(trace.time_s),
        flagged=int((~trace.measured).sum()),
        lowest_bpm=float(shown.min()),
        highest_bpm=float(shown.max()),
        expected_error_bpm=(
            None
            if expected is None or not np.isfinite(expected).any()
            else float(np.nanmean(expected))
        ),
        reference_readings=int(known.sum()),
        mae_bpm=mae(trace.bpm),
        mae_bpm_smoothed=mae(trace.bpm_smoothed),
        synthetic=trace.synthetic,
        started=trace.started,
    )

"""A folder of recordings looked at as a whole: who, how much, how hard, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.identity import one_person_groups
from ppg.inspection.channels import channel_warnings, pulse
from ppg.inspection.signals import (
    rate_error,
    reference_fault,
    reference_noise_bpm,
    repeats,
    signal_warnings,
)
from ppg.label_lag import MOST_PPM, Drift, Lag, agreement, best_shift, drift, scaled
from ppg.naive import at_rest, spectra
from ppg.npz import folder as npz
from ppg.people.split import UNMAPPED
from ppg.plausible import GRAVITY_G, median_acc_g
from ppg.recording import Recording, with_reference
from ppgnas.tables import counted

BIN_BPM = 10
POOR_BPM = 15.0  # naive error at rest; there it is 1 to 8 where signal and reference are fine
FEWEST_STILL = 10
NEAR_TICKS = 0.003  # of a rate by labels


@dataclass(frozen=True)
class Shift:
    """How labels are shifted, see `ppg.label_lag.Lag`; to a hundredth of a second."""

    shift_s: float
    low_s: float
    high_s: float
    known: bool
    wrong: bool


@dataclass(frozen=True)
class Looked:
    """One recording (`dataset/name`).

    Attributes:
        naive_mae_bpm: of the naive estimator over usable windows, or None.
        naive_still_mae_bpm: the same where the wrist is still or, without acceleration, where the
            activity is rest.
        steady_share: of windows whose strongest peak is that of the window before: how much of
            a pulse (or of a rhythm of movement) there is, with or without a reference; about 0.06
            of noise.
        lag: None where too few windows tell.
        drift: of the labels' clock, None where there is none.
        started: when it began, ISO 8601; empty where nobody knows.
        rate_error: share by which the PPG's beats are faster than the labels, None where it is 0.
    """

    recording: str
    person: str
    duration_s: float
    ppg_hz: float
    acc_hz: float | None
    median_acc_g: float | None
    windows: int
    usable_windows: int
    naive_mae_bpm: float | None
    naive_still_mae_bpm: float | None
    still_windows: int
    steady_share: float
    reference_noise_bpm: float | None
    label_lag_s: float
    lag: Shift | None
    drift: Drift | None
    rate_error: float | None
    started: str = ""


@dataclass(frozen=True)
class LookedSet:
    """One data set: sums over its recordings, and means over those that have a value.

    Attributes:
        people_known: False where one person may stand under several names.
        unlabelled: how many recordings have no usable window.
        hr_histogram: usable windows by heart rate, see `histogram`.
    """

    people: int
    people_known: bool
    recordings: int
    hours: float
    usable_windows: int
    windows: int
    unlabelled: int
    acceleration: int
    synthetic: bool
    ppg_hz: list[float]
    acc_hz: list[float]
    ppg_channels: list[int]
    naive_mae_bpm: float | None
    naive_still_mae_bpm: float | None
    still_windows: int
    reference_noise_bpm: float | None
    lag: Shift | None
    hr_histogram: dict[str, int]


@dataclass(frozen=True)
class Caution:
    """What looks wrong in a recording; in several of them where `recording` is None."""

    recording: str | None
    kind: str
    message: str


@dataclass(frozen=True)
class Inspection:
    """All recordings, their data sets, and what looks wrong."""

    fingerprint: str
    datasets: dict[str, LookedSet]
    recordings: list[Looked]
    warnings: list[Caution]

    def to_json(self) -> dict[str, Any]:
        """The document of `data inspect --json`."""
        return asdict(self)


def inspect(recordings: Sequence[Recording], *, unread: str = "") -> Inspection:
    """Look at recordings.

    Args:
        unread: a sentence on files beside them that were not read.
    """
    looked = [_look(recording) for recording in recordings]
    rows = [row for row, _, _ in looked]
    own = [Caution(row.recording, *caution) for row, _, found in looked for caution in found]
    members: dict[str, list[int]] = {}
    for index, recording in enumerate(recordings):
        members.setdefault(recording.dataset, []).append(index)
    shared = [Caution(None, "not read", unread)] if unread else []
    sets = {}
    for name, of in members.items():
        lag = best_shift(np.concatenate([looked[i][1] for i in of]))
        if lag is not None and lag.wrong and len(of) > 1:
            shared.append(Caution(None, "label clock", f"{name}: {lag_sentence(lag)}"))
        sets[name] = _look_at_set(name, [recordings[i] for i in of], [rows[i] for i in of], lag)
        note = with_reference([recordings[i] for i in of])[1]
        if note:
            shared.append(Caution(None, "no reference", f"{name}: {note}"))
    links = [link for group in one_person_groups(recordings) for link in group.links]
    for left, right, why in links:
        message = (
            f"{left.dataset}/{left.name} ({left.person}) and {right.dataset}/{right.name} "
            f"({right.person}) have {why}: they count as one person; give both one "
            "subject, or leave one out"
        )
        shared.append(Caution(None, "one person twice", message))
    return Inspection(npz.fingerprint(recordings), dict(sorted(sets.items())), rows, shared + own)


def _look(recording: Recording) -> tuple[Looked, NDArray[np.float64], list[tuple[str, str]]]:
    """A recording's row, its agreement at all shifts, and kinds and sentences of cautions."""
    found = spectra(recording)
    # Networks read the mean of the channels; labels are aligned by each channel's own spectrum.
    read = found if recording.ppg.shape[1] == 1 else spectra(recording, mixed=True)
    place = read.at(recording.window_start_s)
    used = recording.usable & (place >= 0)
    error = np.abs(read.peak_bpm[place[used]] - recording.hr_bpm[used])
    resting = error[at_rest(recording)[used]]
    score = agreement(recording, found)
    lag = best_shift(score)
    again, wrong = repeats(recording), reference_fault(recording, read)
    known = not again and not wrong  # else what its clock and its rate seem to be has this cause
    drifts = drift(recording, found) if known else None
    faster = scaled(recording, found, drifts) if known else None
    drifts = drifts if faster is None else faster[1]
    aligned = recording
    if drifts is not None:
        aligned = drifts.corrected(recording)
    elif lag is not None and lag.known:
        aligned = replace(recording, window_start_s=recording.window_start_s + lag.shift_s)
    error_of_rate = rate_error(aligned, found) if faster is None else round(faster[0], 4)
    row = Looked(
        recording=f"{recording.dataset}/{recording.name}",
        person=recording.person,
        started=recording.started,
        duration_s=float(recording.duration_s),
        ppg_hz=float(recording.ppg_hz),
        acc_hz=None if recording.acc_hz is None else float(recording.acc_hz),
        median_acc_g=median_acc_g(recording),
        windows=len(recording.usable),
        usable_windows=int(recording.usable.sum()),
        naive_mae_bpm=_mean(error),
        naive_still_mae_bpm=_mean(resting),
        still_windows=len(resting),
        steady_share=round(pulse(recording, read).steady, 3),
        reference_noise_bpm=reference_noise_bpm(recording),
        label_lag_s=float(recording.label_lag_s),
        lag=_shift(lag),
        drift=drifts,
        rate_error=error_of_rate if known else None,
    )
    cautions = [*signal_warnings(recording), *channel_warnings(recording)]
    cautions += [("repeated rows", again)] * bool(again) + [("reference", wrong)] * bool(wrong)
    return row, score, [*cautions, *_label_warnings(row, lag if known else None)]


def _label_warnings(row: Looked, lag: Lag | None) -> Iterator[tuple[str, str]]:
    if row.rate_error is not None:
        yield "rate", _rate_sentence(row, row.rate_error)
    elif row.drift is not None:
        yield _drift_sentence(row, row.drift)
    elif lag is not None and lag.wrong:
        yield "label clock", lag_sentence(lag)
    error = row.naive_still_mae_bpm
    if error is not None and error > POOR_BPM and row.still_windows >= FEWEST_STILL:
        low, high = GRAVITY_G
        felt = row.median_acc_g is not None and low <= row.median_acc_g <= high
        how = "without movement" if felt else "annotated as rest"
        yield (
            "poor at rest",
            f"the strongest peak is {error:.1f} BPM off in {counted(row.still_windows, 'window')} "
            f"{how}: a poor signal, a wrong reference or a wrong rate",
        )


def _look_at_set(
    name: str, recordings: list[Recording], rows: list[Looked], lag: Lag | None
) -> LookedSet:
    return LookedSet(
        people=len({row.person for row in rows}),
        people_known=name not in UNMAPPED,
        recordings=len(rows),
        hours=round(sum(row.duration_s for row in rows) / 3600, 3),
        usable_windows=sum(row.usable_windows for row in rows),
        windows=sum(row.windows for row in rows),
        unlabelled=sum(row.usable_windows == 0 for row in rows),
        acceleration=sum(recording.acc is not None for recording in recordings),
        synthetic=any(recording.synthetic for recording in recordings),
        ppg_hz=sorted({row.ppg_hz for row in rows}),
        acc_hz=sorted({row.acc_hz for row in rows if row.acc_hz is not None}),
        ppg_channels=sorted({recording.ppg.shape[1] for recording in recordings}),
        naive_mae_bpm=_mean([row.naive_mae_bpm for row in rows]),
        naive_still_mae_bpm=_mean([row.naive_still_mae_bpm for row in rows]),
        still_windows=sum(row.still_windows for row in rows),
        reference_noise_bpm=_mean([row.reference_noise_bpm for row in rows]),
        lag=_shift(lag),
        hr_histogram=histogram(recordings),
    )


def lag_sentence(lag: Lag) -> str:
    """What a shift means and what to do."""
    late = "early" if lag.shift_s > 0 else "late"
    return (
        f"labels come {abs(lag.shift_s):.1f} s too {late} (90 % interval of the shift "
        f"{lag.low_s:+.1f} to {lag.high_s:+.1f} s): add {lag.shift_s:+.1f} s to hr_lag_s if the "
        f"reference allows it"
    )


def _drift_sentence(row: Looked, found: Drift) -> tuple[str, str]:
    """Kind and sentence: what a drift, a jump or a large shift means and what to do."""
    if found.jumps:
        shifts_s = [found.begin_s, *(shift_s for _, shift_s in found.jumps)]
        jumps = ", ".join(
            f"by {before - after:+.1f} s at {at_s:.0f} s"
            for (at_s, after), before in zip(found.jumps, shifts_s[:-1], strict=True)
        )
        return "label clock jumps", (
            f"the clock of the labels jumps {jumps}: what must be added to it is "
            f"{', then '.join(f'{shift_s:+.1f}' for shift_s in shifts_s)} s; make "
            f"{len(shifts_s)} recordings of it, each with its own lag"
        )
    ppm, lag_s = 1e6 * found.slope, row.label_lag_s * (1 + found.slope) + found.offset_s
    if not found.slope:
        late = "early" if found.begin_s > 0 else "late"
        return "label clock", (
            f"labels come {abs(found.begin_s):.0f} s too {late}; ppgnas data convert --lag "
            f"{lag_s:.1f} corrects it"
        )
    rather = "are rows missing?" + " Or are intervals of 1/1024 s read as ms?" * (ppm < 0)
    more = f" (clocks do so by less: {rather})" if abs(ppm) > MOST_PPM else ""
    return "label clock drifts", (
        f"the clock of the labels drifts by {ppm:+.0f} ppm against the signal{more}: what must "
        f"be added to it goes from {found.begin_s:+.1f} to {found.end_s:+.1f} s; ppgnas data "
        f"convert --lag {lag_s:.1f} --drift {ppm:.0f} corrects it"
    )


def _rate_sentence(row: Looked, error: float) -> str:
    """What beats that are faster than the labels mean; a clock that drifts as much supports it."""
    likely_hz = row.ppg_hz / (1 + error)
    clock = ""
    if row.drift is not None and abs(row.drift.slope + error) < abs(error) / 3:
        clock = f", and its clock runs as much ahead ({row.drift.end_s:+.1f} s at the end)"
    ticks = abs(1.024 * (1 + error) - 1) < NEAR_TICKS
    return (
        f"the beats of the PPG are {abs(error):.1%} {'faster' if error > 0 else 'slower'} than "
        f"the labels{clock}: its rate is {likely_hz:.4g} Hz rather than {row.ppg_hz:g}"
        f"{' (ms that count 1/1024 s?)' * ticks}, rows are missing without a trace in its times, "
        "or the reference counts with a wrong clock"
    )


def histogram(recordings: Sequence[Recording]) -> dict[str, int]:
    """Usable windows by heart rate, in steps of 10 BPM: "60" counts 60 up to 70."""
    rates = np.concatenate([recording.hr_bpm[recording.usable] for recording in recordings])
    bins = np.floor(rates / BIN_BPM).astype(np.int64) * BIN_BPM
    if not len(bins):
        return {}
    whole = range(int(bins.min()), int(bins.max()) + BIN_BPM, BIN_BPM)
    return {str(low): int((bins == low).sum()) for low in whole}


def _shift(lag: Lag | None) -> Shift | None:
    if lag is None:
        return None
    shift_s, low_s, high_s = (round(value, 2) for value in (lag.shift_s, lag.low_s, lag.high_s))
    return Shift(shift_s, low_s, high_s, lag.known, lag.wrong)


def _mean(values: Sequence[float | None] | NDArray[np.float64]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

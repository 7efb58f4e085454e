"""What `data inspect` found, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ppg.inspection.inspection import Caution, Inspection, Looked, LookedSet, Shift
from ppgnas.tables import text_table

BAR = 40  # characters of the longest bar
MOST_WARNINGS = 30


def as_text(found: Inspection, *, each: bool = False) -> str:
    """Tables, a histogram and the warnings."""
    sets = found.datasets
    parts = [
        text_table(
            (
                "data set",
                "people",
                "recordings",
                "unlabelled",
                "usable windows",
                "with acceleration",
            ),
            [
                (
                    name,
                    row.people if row.people_known else "unknown",
                    row.recordings,
                    row.unlabelled,
                    f"{row.usable_windows} of {row.windows}",
                    f"{row.acceleration} of {row.recordings}",
                )
                for name, row in sets.items()
            ],
        ),
        text_table(
            (
                "data set",
                "hours",
                "PPG Hz",
                "channels",
                "acc Hz",
                "naive MAE",
                "at rest",
                "label noise",
                "lag s",
            ),
            [
                (
                    name,
                    f"{row.hours:.2f}",
                    _join(row.ppg_hz),
                    _join(row.ppg_channels),
                    _join(row.acc_hz),
                    _bpm(row.naive_mae_bpm),
                    _bpm(row.naive_still_mae_bpm),
                    _noise(row.reference_noise_bpm),
                    _lag(row.lag),
                )
                for name, row in sets.items()
            ],
        ),
        "Naive: the strongest spectral peak of each window of the channels' mean, BPM, mean over\n"
        "recordings. Label noise: what an exact reading would err against these labels, BPM.\n"
        "Lag: the shift of the labels that fits the signal best, with its 90 % interval; ? where\n"
        "it cannot be told.",
        _histogram(sets),
    ]
    begun = sorted(row.started for row in found.recordings if len(row.started) > 12)
    if begun:
        parts.append(f"Began: {begun[0]}{f' to {begun[-1]}' if begun[-1] != begun[0] else ''}.")
    if any(row.synthetic for row in sets.values()):
        parts.append("SYNTHETIC recordings: figures say nothing about people.")
    if each:
        parts.append(_each(found.recordings))
    parts.append(_warnings(found.warnings))
    return "\n\n".join(parts)


def _each(recordings: Sequence[Looked]) -> str:
    rows = [
        (
            row.recording,
            f"{row.duration_s:.0f}",
            row.usable_windows,
            "-" if row.median_acc_g is None else f"{row.median_acc_g:.2f}",
            _bpm(row.naive_mae_bpm),
            _bpm(row.naive_still_mae_bpm),
            f"{row.steady_share:.0%}",
            _noise(row.reference_noise_bpm),
            f"{row.label_lag_s:+g}",
            _lag(row.lag),
            row.started or "-",
        )
        for row in recordings
    ]
    header = ("recording", "s", "windows", "|a| g", "naive", "at rest", "steady", "noise")
    return text_table((*header, "lag used", "lag left", "began"), rows)


def _histogram(sets: Mapping[str, LookedSet]) -> str:
    total: dict[int, int] = {}
    for row in sets.values():
        for text, count in row.hr_histogram.items():
            total[int(text)] = total.get(int(text), 0) + count
    if not total:
        return "No usable window."
    most = max(total.values())
    lines = ["Heart rate, BPM   windows"]
    for low in range(min(total), max(total) + 10, 10):
        count = total.get(low, 0)
        bar = "#" * max(round(BAR * count / most), 1 if count else 0)
        lines.append(f"{low:>5} to {low + 10:<8}{count:>8}  {bar}".rstrip())
    return "\n".join(lines)


def _warnings(warnings: Sequence[Caution]) -> str:
    if not warnings:
        return "Nothing looks wrong."
    lines = [f"Warnings ({len(warnings)})"]
    for warning in warnings[:MOST_WARNINGS]:
        where = f"{warning.recording}: " if warning.recording else ""
        lines.append(f"  {warning.kind}: {where}{warning.message}")
    if len(warnings) > MOST_WARNINGS:
        lines.append(f"  ... {len(warnings) - MOST_WARNINGS} more; all are in --json")
    return "\n".join(lines)


def _join(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "-"


def _bpm(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _noise(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _lag(lag: Shift | None) -> str:
    if lag is None or not lag.known:
        return "?"
    return f"{lag.shift_s:+.1f} ({lag.low_s:+.1f} to {lag.high_s:+.1f})"

"""The bench as a Markdown page and as text: means over people, with 90 % intervals.

A person is a unit, whatever the network: people of several networks are pooled, and drawn again
for the intervals. Differences are those of each person to themselves without adapting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.bench.interval import Interval, drawn_anew
from nas.bench.personal.run import PersonRecord, Tried
from nas.personal.calibration import PersonalKind
from nas.run.units import format_bytes
from ppgnas.tables import markdown_table, text_table


@dataclass(frozen=True)
class Effect:
    """Of one kind on one sort of readings.

    Attributes:
        before_bpm, after_bpm: mean over people of their mean absolute errors.
        percent: change of that mean; below zero is less error.
        worst_bpm: by how much the person with the largest rise is worse.
        worse: people whose error rises by more than 0.1 BPM.
    """

    before_bpm: float
    after_bpm: float
    percent: Interval
    worst_bpm: float
    worse: int


@dataclass(frozen=True)
class RowFigures:
    """One kind after some minutes.

    Attributes:
        people: how many were judged.
        kept: how many of them the guard let adapt.
        raw, smoothed: as the guard decides.
        raw_unguarded: if it always said yes.
        memory_bytes: the most; None where nothing is learnt on the device.
    """

    kind: PersonalKind
    minutes: float
    people: int
    kept: int
    raw: Effect
    smoothed: Effect
    raw_unguarded: Effect
    memory_bytes: int | None


def rows_of(records: Sequence[PersonRecord]) -> list[RowFigures]:
    """A row for each minutes and kind, in the order in which they were asked."""
    tried: dict[tuple[float, PersonalKind], list[Tried]] = {}
    for record in records:
        for row in record.tried:
            tried.setdefault((row.minutes, row.kind), []).append(row)
    found = []
    for (minutes, kind), rows in sorted(tried.items(), key=lambda item: item[0][0]):
        sizes = [row.memory_bytes for row in rows if row.memory_bytes is not None]
        raw, smoothed = (
            np.array(
                [
                    [getattr(part, name) for part in (row.before, row.after, row.unguarded)]
                    for row in rows
                ]
            )
            for name in ("mae_bpm", "mae_bpm_smoothed")
        )
        # (people, 3): before, after, unguarded
        found.append(
            RowFigures(
                kind,
                minutes,
                len(rows),
                sum(row.kept for row in rows),
                effect(raw[:, 0], raw[:, 1]),
                effect(smoothed[:, 0], smoothed[:, 1]),
                effect(raw[:, 0], raw[:, 2]),
                max(sizes) if sizes else None,
            )
        )
    return found


def effect(before: NDArray[np.float64], after: NDArray[np.float64]) -> Effect:
    """Of errors `(people,)` before and after."""
    drawn = drawn_anew(len(before))
    percent = 100 * (after[drawn].mean(axis=1) / before[drawn].mean(axis=1) - 1)
    rise = after - before
    return Effect(
        float(before.mean()),
        float(after.mean()),
        Interval.of(percent),
        float(rise.max()),
        int((rise > 0.1).sum()),
    )


HEAD = (
    "kind", "people", "adapted", "raw before", "raw after", "change %", "worst", "smoothed",
    "change %", "worst", "raw change % without guard", "worst", "SRAM",
)  # fmt: skip
WHAT = (
    "Errors are MAE in BPM in int8 on the rest of each person's recording, mean over people; in "
    "brackets 90 % intervals of people drawn again. *adapted*: how many the guard let change. "
    "*worst*: by how much the person with the largest rise is worse, and in brackets how many are "
    "worse by more than 0.1 BPM. SRAM: of the step on the device."
)


def bench_page(records: Sequence[PersonRecord], rows: Sequence[RowFigures], command: str) -> str:
    """The page."""
    models = sorted({record.cell.model for record in records})
    synthetic = " SYNTHETIC recordings." if any(r.synthetic for r in records) else ""
    counts = ", ".join(
        f"{model.rstrip('/').rsplit('/', 1)[-1]} "
        f"{sum(record.cell.model == model for record in records)}"
        for model in models
    )
    parts = [
        "# Adapting to a wearer",
        f"`{command}`",
        f"People whom the network never saw, by network: {counts}.{synthetic} The first minutes "
        "teach, after 8 s the rest judges.",
        WHAT,
    ]
    for minutes in sorted({row.minutes for row in rows}):
        chosen = [row for row in rows if row.minutes == minutes]
        parts += [f"## {minutes:g} min", markdown_table(HEAD, [_cells(row) for row in chosen])]
    asked = sorted({m for r in records for m in r.cell.minutes} - {row.minutes for row in rows})
    if asked:
        shown = ", ".join(f"{m:g} min" for m in asked)
        parts.append(f"After {shown} nobody's recording has two minutes left.")
    refused = {f"{key}: {why}" for r in records for key, why in r.refused.items()}
    parts += [f"Refused: {told}" for told in sorted(refused)]
    parts += ["## People", "Raw before and after, in BPM, with the guard.", _people(records)]
    told = ", ".join(f"{name} {version}" for name, version in records[0].versions.items())
    parts.append(f"Versions: {told}.")
    return "\n\n".join(parts) + "\n"


def bench_text(records: Sequence[PersonRecord], rows: Sequence[RowFigures]) -> str:
    """The tables for a terminal, or why there are none."""
    if not rows:
        why = dict.fromkeys(f"{k}: {text}" for each in records for k, text in each.refused.items())
        reasons = list(why) or ["no recording has two minutes left to judge after `minutes`"]
        return f"Nobody was measured: {'; '.join(reasons)}"
    cells = [(f"{row.minutes:g} min {row.kind}", *_cells(row)[1:]) for row in rows]
    return text_table(HEAD, cells)


def _cells(row: RowFigures) -> tuple[str, ...]:
    free = row.raw_unguarded
    return (
        row.kind,
        str(row.people),
        str(row.kept),
        f"{row.raw.before_bpm:.2f}",
        f"{row.raw.after_bpm:.2f}",
        f"{row.raw.percent:+.1f}",
        _worst(row.raw),
        f"{row.smoothed.before_bpm:.2f}, {row.smoothed.after_bpm:.2f}",
        f"{row.smoothed.percent:+.1f}",
        _worst(row.smoothed),
        f"{free.percent:+.1f}",
        _worst(free),
        "-" if row.memory_bytes is None else format_bytes(row.memory_bytes),
    )


def _worst(of: Effect) -> str:
    return f"{of.worst_bpm:+.2f} ({of.worse})"


def _people(records: Sequence[PersonRecord]) -> str:
    kinds = [kind for kind in records[0].cell.kinds if kind != "none"]
    minutes = [m for m in records[0].cell.minutes if any(
        row.minutes == m for record in records for row in record.tried
    )]  # fmt: skip
    head = ("person", "min", "before", *kinds)
    lines = []
    for record in records:
        for length in minutes:
            found = {row.kind: row for row in record.tried if row.minutes == length}
            if found:
                first = next(iter(found.values()))
                cells = [
                    f"{found[kind].after.mae_bpm:.2f}" if kind in found else "-" for kind in kinds
                ]
                before = f"{first.before.mae_bpm:.2f}"
                lines.append((record.cell.person, f"{length:g}", before, *cells))
    return markdown_table(head, lines)

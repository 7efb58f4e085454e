"""The bench as a Markdown page and as text."""

from __future__ import annotations

from collections.abc import Sequence

from nas.bench.personal.figures import Effect, RowFigures
from nas.bench.personal.run import PersonRecord
from nas.run.units import format_bytes
from ppgnas.tables import markdown_table, text_table

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

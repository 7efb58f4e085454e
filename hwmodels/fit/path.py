"""Fit of what stands around a network: `python -m hwmodels.fit` writes `data/path_law.toml`.

From `data/path.csv`, which `python -m deploy.fuzz.path` makes: each part, the flash and the memory
are linear in the counts of `hwmodels.path.features`. The errors are those of ten folds of
settings, each predicted by laws that did not see it. Cores other than the Cortex-M7 have one
number: how many instructions they run for one of a Cortex-M7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwmodels.fit.law_file import significant
from hwmodels.fit.regression import Array, HeldOut, half_width, solve
from hwmodels.fit.timings import csv_rows
from hwmodels.path import LAW_TOML, PARTS, LawFile, PartLaw, PathErrors, PathShape, features

PATH_CSV = LAW_TOML.parent / "path.csv"
FOLDS = 10
REFERENCE = "Cortex-M7"


@dataclass(frozen=True)
class Row:
    """One setting on one core; counts by part."""

    shape: PathShape
    core: str
    instructions: dict[str, float]
    cycles: dict[str, float]
    bytes: dict[str, float]


def read_rows() -> list[Row]:
    """Rows of the table of counts."""
    return [
        Row(
            PathShape(
                float(line["ppg_hz"]),
                float(line["acc_hz"]),
                int(line["ppg_channels"]),
                float(line["rate_hz"]),
                line["smoothing"],
                "streaming" if line["mode"] == "streaming" else "window",
            ),
            line["core"],
            {part: float(line[f"{part}_instructions"]) for part in PARTS},
            {part: float(line[f"{part}_cycles"]) for part in PARTS},
            {"flash": float(line["flash_bytes"]), "state": float(line["state_bytes"])},
        )
        for line in csv_rows(PATH_CSV)
    ]


def _fit(rows: Sequence[Row], part: str, measured: Sequence[float]) -> Array:
    """Coefficients of one part; settings that never call it say nothing."""
    called = [index for index, value in enumerate(measured) if value > 0]
    design = np.array([[*features(rows[index].shape)[part].values()] for index in called])
    values = np.array([measured[index] for index in called])
    if part == "flash":  # what one feature adds, another may spare
        return np.asarray(np.linalg.lstsq(design, values, rcond=None)[0], dtype=np.float64)
    return solve(design, values)


def fit(rows: Sequence[Row]) -> dict[str, PartLaw]:
    """Laws of the parts, the flash and the memory from rows of a Cortex-M7."""
    names = {part: tuple(own) for part, own in features(rows[0].shape).items()}
    laws = {
        part: PartLaw(
            features=names[part],
            cycles=significant(_fit(rows, part, [row.cycles[part] for row in rows]), 6),
            instructions=significant(
                _fit(rows, part, [row.instructions[part] for row in rows]), 6
            ),
        )
        for part in PARTS
    }
    for part in ("flash", "state"):
        sizes = _fit(rows, part, [row.bytes[part] for row in rows])
        laws[part] = PartLaw(features=names[part], bytes=significant(sizes, 6))
    return laws


def _predicted(laws: dict[str, PartLaw], shape: PathShape) -> tuple[float, float]:
    """Cycles of a reading, and bytes of flash."""
    found = features(shape)
    cycles = sum(float(np.dot(laws[part].cycles, [*found[part].values()])) for part in PARTS)
    return cycles, float(np.dot(laws["flash"].bytes, [*found["flash"].values()]))


def held_out(rows: Sequence[Row]) -> tuple[HeldOut, HeldOut]:
    """Cycles and flash of settings that the laws did not see."""
    groups, measured, predicted = [], [], []
    for fold in range(FOLDS):
        laws = fit([row for index, row in enumerate(rows) if index % FOLDS != fold])
        for row in rows[fold::FOLDS]:
            groups.append(row.shape)
            measured.append((sum(row.cycles.values()), row.bytes["flash"]))
            predicted.append(_predicted(laws, row.shape))
    known, found = np.array(measured).T, np.array(predicted).T
    return HeldOut(known[0], found[0], tuple(groups)), HeldOut(known[1], found[1], tuple(groups))


def core_instructions(rows: Sequence[Row]) -> dict[str, float]:
    """Instructions of each core for one of a Cortex-M7, over all settings that it ran."""
    own = {row.shape: row.instructions for row in rows if row.core == REFERENCE}
    sums: dict[str, tuple[float, float]] = {}
    for row in rows:
        here, there = sums.get(row.core, (0.0, 0.0))
        if row.core != REFERENCE:
            here += sum(row.instructions.values())
            sums[row.core] = here, there + sum(own[row.shape].values())
    return {core: round(here / there, 4) for core, (here, there) in sorted(sums.items())}


def document(rows: Sequence[Row]) -> LawFile:
    """The law file."""
    own = [row for row in rows if row.core == REFERENCE]
    cycles, flash = held_out(own)
    instructions = sum(sum(row.instructions.values()) for row in own)
    return LawFile(
        source="python -m hwmodels.fit, from path.csv (python -m deploy.fuzz.path)",
        errors=PathErrors(
            settings=len(own),
            mean_error=round(cycles.mape, 5),
            worst_error=round(float(np.max(np.abs(cycles.errors))), 5),
            half_width=round(half_width(cycles.residuals), 5),
            flash_half_width=round(half_width(flash.residuals), 5),
        ),
        cycles_per_instruction=round(
            sum(sum(row.cycles.values()) for row in own) / instructions, 4
        ),
        core_instructions=core_instructions(rows),
        parts=fit(own),
    )

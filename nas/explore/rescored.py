"""What `rescore` finds: a typed document that `--json` prints and the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nas.run.candidates import JudgedBy
from nas.run.card import ModelFile
from nas.run.config import Objective, Scope
from ppgnas.notebook import Shown

SHOWN = ("latency_ms", "flash_bytes", "sram_bytes", "energy_mj", "power_mw", "weight_bytes")
"""Costs of a candidate that the document holds."""


@dataclass(frozen=True)
class Names:
    """Where networks run."""

    board: str
    engine: str


@dataclass(frozen=True)
class Row:
    """A candidate before and after.

    Attributes:
        before, after: costs by the names of `SHOWN`.
        margins: share of each limit that is left; negative where it is exceeded.
        fits: whether none is.
        why: it enters or leaves the front; None where it does neither.
    """

    number: int
    id: str
    finalist: int | None
    mae_bpm: float | None
    before: dict[str, float]
    after: dict[str, float]
    margins: dict[str, float]
    fits: bool
    why: str | None = None


@dataclass(frozen=True)
class FinalistRow(Row):
    """A finalist, with the accuracies of its card.

    Attributes:
        file: what the new engine runs where its errors are known: they are this file's.
        other_file_mae_bpm: raw, on report people, of the other one.
        estimates: the scorecard, without layers.
        high_end_exceeds: limits that the high end of an estimate exceeds.
    """

    retrained_mae_bpm: float | None = None
    report_mae_bpm: float | None = None
    file: ModelFile | None = None
    other_file_mae_bpm: float | None = None
    estimates: Mapping[str, Any] | None = None
    high_end_exceeds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """A number before and after."""

    before: int
    after: int


@dataclass(frozen=True)
class Front(Change):
    """Who stays on the front, enters and leaves it."""

    stays: tuple[Row, ...]
    enters: tuple[Row, ...]
    leaves: tuple[Row, ...]


@dataclass(frozen=True, repr=False)
class Rescored(Shown):
    """The result; see docs/rescore.md."""

    run: str
    synthetic: bool
    before: Names
    after: Names
    period_s: float
    objectives: tuple[Objective, ...]
    budgets: dict[str, float]
    budget_scope: Scope
    board_limits: dict[str, float]
    candidates: int
    evaluated: int
    judged_by: JudgedBy
    feasible: Change
    fit_without_accuracy: int
    front: Front
    finalists: tuple[FinalistRow, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `rescore --json`."""
        document = asdict(self, dict_factory=_without_none_why)
        return {"format": "ppgnas-rescore", "version": 1, **document}

    @property
    def caption(self) -> str:
        """Which run, from where to where."""
        synthetic = " (SYNTHETIC recordings)" if self.synthetic else ""
        return f"{self.run}: finalists on {self.after.board} with {self.after.engine}{synthetic}"

    def rows(self) -> list[dict[str, object]]:
        """One row a finalist: its error, and its costs there."""
        return [
            {
                "finalist": row.finalist,
                "report_mae_bpm": row.report_mae_bpm,
                "file": row.file,
                **row.after,
                "fits": row.fits,
            }
            for row in self.finalists
        ]


def _without_none_why(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in items if key != "why" or value is not None}

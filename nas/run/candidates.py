"""Considered architectures, and `candidates.json` and `candidates.csv`, which list all of a run.

A candidate is flat in every file: `COLUMNS` are those of the journal, and the JSON and CSV rows
add `on_front` and `finalist`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator

from hwmodels.costs import Costs
from nas.run.config import Budgets, Objective
from nas.run.documents import check_format
from ppgnas.tables import csv_table
from ppgnas.task import TASK, Mode
from search_spaces.arch import Arch
from search_spaces.stages import named_choices

FORMAT = "ppgnas-candidates"
_WHOLE = ("flash_bytes", "sram_bytes", "path_flash_bytes", "path_sram_bytes")
JudgedBy = Literal["foretold", "inherited"]


@dataclass(frozen=True)
class Candidate:
    """One considered architecture.

    Attributes:
        number: order of consideration from 0.
        mae_bpm: MAE on search people after a whole training, as foretold; None where it does not
            fit. In a run of before version 0.2 it is the inherited one.
        hypervolume: of all candidates so far, as a share of the reference box.
        mae_low_bpm, mae_high_bpm: where the MAE lies in 90 of 100 cases, as foretold.
        first_bpm: its error after the first rung, see `distill.first_rung.Begun`; None where it
            was not begun.
        on_front: whether no other is better in every objective, once all are there.
        finalist: its number among the finalists, None for most.
    """

    number: int
    arch: Arch
    costs: Costs
    feasible: bool
    mae_bpm: float | None
    hypervolume: float
    mae_low_bpm: float | None = None
    mae_high_bpm: float | None = None
    first_bpm: float | None = None
    on_front: bool = False
    finalist: int | None = None

    def row(self) -> dict[str, Any]:
        """Its values by `COLUMNS`."""
        costs = {name: getattr(self.costs, name) for name in _COSTS}
        flat = {**vars(self), **costs, "id": self.arch.id}
        return {name: flat[name] for name in COLUMNS}

    def to_json(self) -> dict[str, Any]:
        """The entry of candidates.json."""
        return {
            **self.row(),
            "arch": self.arch.to_json(),
            **{key: round(getattr(self.costs, key)) for key in _WHOLE},
            "on_front": self.on_front,
            "finalist": self.finalist,
        }

    @staticmethod
    def from_json(row: Any) -> Candidate:
        """Read an entry of candidates.json, or a row of the journal with its `arch` parsed.

        Raises:
            ValueError: a key is missing or of the wrong type.
        """
        return _CANDIDATE.validate_python(row)


def _unflatten(row: Any, read: ValidatorFunctionWrapHandler) -> Candidate:
    found: Candidate = read({**row, "costs": row} if isinstance(row, Mapping) else row)
    if isinstance(row, Mapping) and row.get("id", found.arch.id) != found.arch.id:
        raise ValueError(f"id is {row['id']!r}, and its arch is {found.arch.id}")
    return found


_Row = Annotated[Candidate, WrapValidator(_unflatten)]
_CANDIDATE: TypeAdapter[Candidate] = TypeAdapter(_Row)

_COSTS = tuple(each.name for each in fields(Costs))
COLUMNS = (
    "number",
    "id",
    "arch",
    "feasible",
    "mae_bpm",
    "mae_low_bpm",
    "mae_high_bpm",
    "first_bpm",
    *_COSTS,
    "hypervolume",
)


@dataclass(frozen=True)
class Candidates:
    """What `candidates.json` holds.

    Attributes:
        reference_point: field -> the corner of the hypervolume box.
        candidates: in the order of consideration.
        mode: of their costs and errors; a file of before modes is of windows.
    """

    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)]
    budgets: Budgets
    board: str
    engine: str
    synthetic: bool
    reference_point: dict[str, float]
    candidates: Annotated[tuple[_Row, ...], Field(min_length=1)]
    mode: Mode = "window"

    @property
    def considered(self) -> int:
        """Number of candidates."""
        return len(self.candidates)

    @property
    def evaluated(self) -> int:
        """How many of them have an accuracy."""
        return sum(candidate.mae_bpm is not None for candidate in self.candidates)

    @property
    def begun(self) -> int:
        """How many of them were trained for a first rung."""
        return sum(candidate.first_bpm is not None for candidate in self.candidates)

    @property
    def judged_by(self) -> JudgedBy:
        """What their errors are; inherited ones hold no interval."""
        known = any(candidate.mae_low_bpm is not None for candidate in self.candidates)
        return "foretold" if known else "inherited"

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the same back."""
        budgets = asdict(self.budgets)
        scope = budgets.pop("scope")
        return {
            "format": FORMAT,
            "version": 1,
            "objectives": list(self.objectives),
            "budgets": budgets,
            "budget_scope": scope,
            "board": self.board,
            "engine": self.engine,
            "mode": self.mode,
            "synthetic": self.synthetic,
            "considered": self.considered,
            "evaluated": self.evaluated,
            "reference_point": self.reference_point,
            "candidates": [candidate.to_json() for candidate in self.candidates],
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Candidates:
        """Read `to_json`'s document.

        Raises:
            ValueError: a key is missing or of the wrong type.
        """
        check_format(document, FORMAT)
        budgets = document.get("budgets")
        if isinstance(budgets, Mapping):
            budgets = {**budgets, "scope": _scope(document)}
        return _CANDIDATES.validate_python({**document, "budgets": budgets})

    def to_csv(self) -> str:
        """One row a candidate; instead of `arch` a column for each of its choices."""
        rows = [{**each.to_json(), **named_choices(each.arch)} for each in self.candidates]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        columns.remove("arch")
        for name, usual in asdict(TASK).items():
            if all(row[name] == usual for row in rows):
                columns.remove(name)
        return csv_table(columns, rows)


def _scope(document: Mapping[str, Any]) -> Any:
    """Of its budgets; what stands around a network was no part of them before it was counted."""
    scope = document.get("budget_scope", "total")
    rows = document.get("candidates")
    counted = isinstance(rows, list) and any("path_ms" in row for row in rows if row)
    return scope if scope != "total" or counted else "network"


_CANDIDATES = TypeAdapter(Candidates)

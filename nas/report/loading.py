"""Read what a report needs from a run directory, without trusting its content.

A search may have been interrupted at any moment: whatever is not there yet is left out and named
in `RunData.notes`. What is there but malformed raises, because files are written atomically and
can therefore only be foreign or damaged.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.explore.pacing import steps_in_time
from nas.explore.problem import FIELDS
from nas.models.baselines import BASELINES, BaselineRow
from nas.models.stretches import STRETCHES, Stretch
from nas.run.candidates import Candidate, Candidates, JudgedBy
from nas.run.card import Bounds, Card
from nas.run.documents import read_rows
from nas.run.folder import RunDir
from nas.run.run_toml import RunDocument
from ppgnas.errors import RunError
from ppgnas.files import reason, sha256_of, text_of

Bound = Literal["value", "low", "high"]
AGAIN = "pass a folder that `ppgnas search` wrote, or run the search again"


@dataclass(frozen=True)
class Predictions:
    """Windows of the report people.

    Attributes:
        person: `(windows,)` names.
        reference_bpm, bpm: `(windows,)`; rows without both are left out.
        bpm_smoothed, expected_error_bpm, expected_error_smoothed_bpm: `(windows,)`, NaN where a
            cell is empty; None in files without such a column.
    """

    person: NDArray[np.str_]
    reference_bpm: NDArray[np.float64]
    bpm: NDArray[np.float64]
    bpm_smoothed: NDArray[np.float64] | None = None
    expected_error_bpm: NDArray[np.float64] | None = None
    expected_error_smoothed_bpm: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Finalist:
    """One retrained network: its card, and predictions and worst stretches where it has them."""

    number: int
    card: Card
    predictions: Predictions | None
    stretches: tuple[Stretch, ...] = ()

    @property
    def key(self) -> str:
        """Names this finalist in selectors."""
        return str(self.number)

    def cost(self, key: str, bound: Bound = "value") -> float:
        """A cost from the card; `weight_bytes` is counted, not estimated."""
        if key == "weight_bytes":
            return self.card.weight_bytes
        return float(getattr(getattr(self.card.costs, key), bound))


@dataclass(frozen=True)
class RunData:
    """Everything the sections read.

    Attributes:
        path: the run directory as the user named it.
        search: candidates.json; None before the search wrote it.
        notes: what is not there yet, in words.
        baselines: what reads heart rate without a network, on the same people.
        float_steps: of each finalist in a search that had to end in time; None in others.
    """

    path: Path
    document: RunDocument
    search: Candidates | None = None
    finalists: tuple[Finalist, ...] = ()
    notes: tuple[str, ...] = ()
    baselines: tuple[BaselineRow, ...] = ()
    float_steps: int | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """In order of trial."""
        return () if self.search is None else self.search.candidates

    @property
    def judged_by(self) -> JudgedBy:
        """What the errors of candidates are."""
        return "foretold" if self.search is None else self.search.judged_by

    @property
    def synthetic(self) -> bool:
        """True when any number of this run comes from generated recordings."""
        return self.document.synthetic or any(each.card.synthetic for each in self.finalists)

    @property
    def budgets(self) -> dict[str, float]:
        """The limits that were set, by the name of their cost (`flash_bytes`, ...).

        With the scope `model` the limit on flash is one on the weights.
        """
        budgets = self.document.config.budgets
        limits = {FIELDS[name]: limit for name, limit in budgets.limits.items()}
        if budgets.scope == "model" and "flash_bytes" in limits:
            limits["weight_bytes"] = limits.pop("flash_bytes")
        return limits

    @property
    def sleep_mw(self) -> Bounds | None:
        """What the board takes between readings, whatever the network; None in older cards."""
        known = (finalist.card.costs.sleep_mw for finalist in self.finalists)
        return next((floor for floor in known if floor is not None), None)

    def broken_budgets(self, finalist: Finalist, bound: Bound = "value") -> list[str]:
        """Budgets that the finalist's cost (or with `high` its high end) exceeds."""
        return [key for key, limit in self.budgets.items() if finalist.cost(key, bound) > limit]

    @property
    def board(self) -> str:
        """Board of the search."""
        return self.document.config.board

    @property
    def engine(self) -> str:
        """Engine of the search."""
        return self.document.config.engine


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _predictions(path: Path) -> Predictions:
    try:
        text = text_of(path)
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"report: {path} cannot be read ({reason(error)}); {AGAIN}") from error
    except csv.Error as error:
        raise RunError(f"report: {path} is not CSV ({error}); {AGAIN}") from error
    missing = {"person", "reference_bpm", "bpm"} - set(rows[0] if rows else ())
    if rows and missing:
        raise RunError(f"report: {path} has no column {', '.join(sorted(missing))}; {AGAIN}")

    def column(key: str) -> NDArray[np.float64]:
        return np.array([_float(row[key]) for row in rows], dtype=np.float64)

    reference, bpm = column("reference_bpm"), column("bpm")
    good = np.isfinite(reference) & np.isfinite(bpm)
    person = np.array([row["person"] or "" for row in rows], dtype=np.str_)
    further = {
        key: column(key)[good]
        for key in ("bpm_smoothed", "expected_error_bpm", "expected_error_smoothed_bpm")
        if rows and key in rows[0]
    }
    return Predictions(person[good], reference[good], bpm[good], **further)


def _finalists(run: RunDir) -> tuple[list[Finalist], list[str]]:
    folders = [f for f in run.front.glob("*") if f.is_dir() and f.name.isdigit()]
    numbers = run.finalists()
    notes = [f"Finalist {f.name} is not finished." for f in folders if int(f.name) not in numbers]
    finalists: list[Finalist] = []
    for number in numbers:
        folder, card = run.finalist(number), run.card(number)
        path = folder / "predictions.csv"
        for file in (path, folder / f"{STRETCHES}.json"):
            described = card.files.get(file.name)
            if described and file.is_file() and sha256_of(file) != described.sha256:
                raise RunError(
                    f"report: {file} is not the file that its card describes (sha256 differs), so "
                    f"a page of it would show other errors; {AGAIN}"
                )
        predictions = _predictions(path) if path.is_file() else None
        if predictions is None:
            notes.append(f"Finalist {number} has no predictions.csv.")
        stretches = read_rows(folder, STRETCHES, Stretch)
        finalists.append(Finalist(number, card, predictions, stretches))
    return finalists, notes


def _gone(run: RunDir, search: Candidates | None) -> str:
    """Which finalists are not there; those of an unfinished run where it has none yet."""
    numbers = run.finalists()
    if not run.finished:
        return "" if numbers else "No finalist is finished yet"
    rows = () if search is None else search.candidates
    gone = sorted({c.finalist for c in rows if c.finalist is not None} - set(numbers))
    if not numbers:
        return f"{run.front.name}/ holds no finalist"
    which = "finalist" if len(gone) == 1 else "finalists"
    return f"{run.front.name}/ lacks {which} {', '.join(map(str, gone))}" if gone else ""


def load_run(run: Path) -> RunData:
    """Read a run directory.

    Raises:
        RunError: no such folder, not a run, or a file in it is foreign or damaged.
    """
    if not run.is_dir():
        raise RunError(f"report: {run} is not a folder; {AGAIN}")
    directory = RunDir(run)
    document = directory.document()
    search = directory.candidates() if directory.candidates_json.is_file() else None
    notes = [] if search else ["The search has not written its candidates yet."]
    finalists, more = _finalists(directory)
    if gone := _gone(directory, search):
        more.append(f"{gone}: {directory.incomplete}.")
    baselines = read_rows(run, BASELINES, BaselineRow)
    steps = steps_in_time(run)
    return RunData(run, document, search, tuple(finalists), (*notes, *more), baselines, steps)

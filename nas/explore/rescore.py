"""All candidates of a finished run under another board or engine, without training.

Accuracies are those of the run: inherited ones rank the candidates, the cards give the finalists'.
Costs are estimated anew from each architecture, and the limits are the run's budgets and what the
new board holds. A candidate that did not fit the run's own budgets has no accuracy: it is counted
where it would fit now, but it cannot stand on the front.

The result is one plain document: `--json` prints it, `nas.report.rescore_text` and
`nas.report.rescore` show it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwmodels.boards import Board, load_board
from hwmodels.costs import Costs, costs_many
from hwmodels.engines.engine import Engine
from hwmodels.engines.load import load_engine
from hwmodels.scorecard import score
from nas.explore.problem import FIELDS, Problem
from nas.pareto import nondominated
from nas.report.loading import number, table
from nas.run.folder import RunDir
from ppgnas.errors import PpgnasError, RunError
from search_spaces.arch import Arch
from search_spaces.lower import lower

SHOWN = ("latency_ms", "flash_bytes", "sram_bytes", "power_mw", "weight_bytes")
"""Costs of a candidate that the document holds."""
_LIMITS = {
    "flash": "flash_bytes",
    "latency": "latency_ms",
    "sram": "sram_bytes",
    "power": "power_mw",
}
# Recorded and recomputed costs that differ by more come from different cost models.
_SAME = 0.005
_AGAIN = "pass the folder of a finished `ppgnas search`"


@dataclass(frozen=True)
class Target:
    """Where candidates are costed."""

    board: Board
    engine: Engine
    period_s: float

    def costs_many(self, archs: Iterable[Arch]) -> list[Costs]:
        """Costs of architectures, without bounds; graphs live one at a time."""
        graphs = map(lower, archs)
        return costs_many(graphs, self.board, self.engine, period_s=self.period_s)

    def names(self) -> dict[str, str]:
        """For the document."""
        return {"board": self.board.name, "engine": self.engine.name}


def load_target(board: str, engine: str, period_s: float) -> Target:
    """Read a board and an engine by name or path.

    Raises:
        BoardError: unknown, malformed, or the engine does not run on the board.
    """
    target = Target(load_board(board), load_engine(engine), period_s)
    target.engine.check(target.board)
    return target


@dataclass(frozen=True)
class _Entry:
    """A candidate as it is recorded."""

    number: int
    id: str
    arch: Arch
    mae_bpm: float | None
    on_front: bool
    finalist: int | None
    recorded: Mapping[str, Any]

    @property
    def before(self) -> dict[str, float | None]:
        """Recorded costs."""
        return {key: number(self.recorded, key) for key in SHOWN}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold the cyclic collector back: there are no cycles, and it would walk over everything."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_no_collection()
def rescore(
    run: RunDir, *, board: str, engine: str | None = None, period_s: float | None = None
) -> dict[str, Any]:
    """Cost every candidate of a run anew.

    Args:
        run: a finished run.
        board: by name or path.
        engine: by name or path; the run's own unless given.
        period_s: seconds from one reading to the next; the run's own unless given.

    Returns:
        The document; see docs/rescore.md.

    Raises:
        RunError: no run, without candidates, or damaged.
        BoardError: unknown board or engine, or the engine does not run on the board.
        GraphError: the engine has no cost for an operator.
    """
    config, recorded = run.document(), run.candidates()
    entries = _entries(run, recorded)
    own_engine = str(recorded.get("engine") or "")
    own_period_s = number(config, "target", "period_s") or 2.0
    target = load_target(board, engine or own_engine, period_s or own_period_s)
    problem = _problem(run, recorded, target.board)
    found = target.costs_many(entry.arch for entry in entries)
    excess = _excess(found, problem)
    fits = np.asarray(excess.max(axis=1) <= 0)

    judged = [i for i, entry in enumerate(entries) if entry.mae_bpm is not None]
    fitting = [i for i in judged if fits[i]]
    front = set(_front(fitting, entries, found, problem))
    before = {i for i in judged if entries[i].on_front}
    rows = {
        i: _row(entries[i], found[i], dict(zip(problem.limits, excess[i], strict=True)))
        for i in sorted(front | before)
    }
    for i in sorted(before - front):
        rows[i]["why"] = _why_leaves(i, entries, found, sorted(front), problem, rows[i])
    for i in sorted(front - before):
        rows[i]["why"] = _why_enters(i, entries, found, sorted(before), problem, fits)
    return {
        "format": "ppgnas-rescore",
        "version": 1,
        "run": str(run.path),
        "synthetic": bool(recorded.get("synthetic")),
        "before": {"board": str(recorded.get("board")), "engine": own_engine},
        "after": target.names(),
        "period_s": target.period_s,
        "objectives": list(problem.objectives),
        "budgets": {k: v for k, v in table(recorded, "budgets").items() if v is not None},
        "budget_scope": problem.flash_scope,
        "board_limits": {
            "flash_bytes": target.board.flash_bytes,
            "sram_bytes": target.board.sram_bytes,
        },
        "candidates": len(entries),
        "evaluated": len(judged),
        "feasible": {"before": len(judged), "after": len(fitting)},
        "fit_without_accuracy": int(fits.sum()) - len(fitting),
        "front": {
            "before": len(before),
            "after": len(front),
            "stays": [rows[i] for i in sorted(front & before)],
            "enters": [rows[i] for i in sorted(front - before)],
            "leaves": [rows[i] for i in sorted(before - front)],
        },
        "finalists": [
            _finalist(run, entries[i], found[i], problem, target)
            for i in sorted(range(len(entries)), key=lambda i: entries[i].finalist or 0)
            if entries[i].finalist is not None
        ],
        "notes": _notes(config, recorded, entries, own_engine, own_period_s),
    }


def _entries(run: RunDir, recorded: Mapping[str, Any]) -> list[_Entry]:
    path = run.candidates_json
    if recorded.get("format") != "ppgnas-candidates" or recorded.get("version") != 1:
        raise RunError(
            f"{path} has format {recorded.get('format')!r}, version {recorded.get('version')!r}; "
            f"allowed: 'ppgnas-candidates', 1; {_AGAIN}"
        )
    listed = recorded.get("candidates")
    if not isinstance(listed, list) or not listed:
        raise RunError(f"{path} holds no candidates; {_AGAIN}")
    entries = []
    for place, item in enumerate(listed):
        try:
            entries.append(
                _Entry(
                    int(item["number"]),
                    str(item["id"]),
                    Arch.from_json(item["arch"]),
                    number(item, "mae_bpm"),
                    bool(item["on_front"]),
                    None if item["finalist"] is None else int(item["finalist"]),
                    item,
                )
            )
        except (KeyError, TypeError, ValueError) as error:  # SpaceError is a ValueError
            raise RunError(
                f"{path}: candidate {place} is damaged ({type(error).__name__}: {error}); {_AGAIN}"
            ) from error
    return entries


def _problem(run: RunDir, recorded: Mapping[str, Any], board: Board) -> Problem:
    objectives = recorded.get("objectives")
    if not isinstance(objectives, list) or not objectives or not set(objectives) <= set(FIELDS):
        raise RunError(
            f"{run.candidates_json}: objectives are {objectives!r}; allowed: names of "
            f"{', '.join(FIELDS)}; {_AGAIN}"
        )
    budgets = table(recorded, "budgets")
    limits = {
        name: limit for name, key in _LIMITS.items() if (limit := number(budgets, key)) is not None
    }
    limits |= {"board flash": float(board.flash_bytes), "board sram": float(board.sram_bytes)}
    scope = str(recorded.get("budget_scope") or "total")
    return Problem(tuple(objectives), limits, scope, {})


def _excess(found: Sequence[Costs], problem: Problem) -> np.ndarray[Any, np.dtype[np.float64]]:
    """`(candidates, limits)` share by which each limit is exceeded."""
    rows = [list(problem.constraints(one).values()) for one in found]
    return np.array(rows, np.float64)


def _front(
    fitting: Sequence[int], entries: Sequence[_Entry], found: Sequence[Costs], problem: Problem
) -> list[int]:
    if not fitting:
        return []
    values = [problem.objective_values(entries[i].mae_bpm or 0.0, found[i]) for i in fitting]
    return [i for i, keep in zip(fitting, nondominated(values), strict=True) if keep]


def _after(found: Costs) -> dict[str, float]:
    values = asdict(found)
    return {
        key: round(values[key]) if key.endswith("_bytes") else float(values[key]) for key in SHOWN
    }


def _row(entry: _Entry, found: Costs, excess: Mapping[str, float]) -> dict[str, Any]:
    return {
        "number": entry.number,
        "id": entry.id,
        "finalist": entry.finalist,
        "mae_bpm": entry.mae_bpm,
        "before": entry.before,
        "after": _after(found),
        "margins": {name: -float(value) for name, value in excess.items()},
        "fits": bool(max(excess.values()) <= 0),
    }


def _finalist(
    run: RunDir, entry: _Entry, found: Costs, problem: Problem, target: Target
) -> dict[str, Any]:
    """A row with the bounds of every cost and the accuracies of the card."""
    row = _row(entry, found, problem.constraints(found))
    card = run.finalist(entry.finalist or 0) / "card.json"
    read = run.card(entry.finalist or 0) if card.is_file() else {}
    full = score(lower(entry.arch), target.board, target.engine, period_s=target.period_s)
    estimates = full.to_json()
    del estimates["layers"]
    high = {
        "flash_bytes": full.flash_bytes.high,
        "latency_ms": full.latency_ms.high,
        "sram_bytes": full.sram_bytes.high,
        "power_mw": full.power_mw.high,
    }
    over = []
    for name, limit in problem.limits.items():
        if name == "flash" and problem.flash_scope == "model":
            continue  # counted, not estimated
        if high[_LIMITS[name.removeprefix("board ")]] > limit:
            over.append(name)
    return {
        **row,
        "retrained_mae_bpm": number(read, "search_mae_bpm", "retrained_int8"),
        "report_mae_bpm": number(read, "report", "mae_bpm"),
        "estimates": estimates,
        "high_end_exceeds": over,
    }


def _worst(margins: Mapping[str, float]) -> str:
    """The limit that is exceeded most, in words."""
    name = min(margins, key=lambda key: margins[key])
    shown = name.replace("sram", "SRAM")
    whose = f"the {shown}" if name.startswith("board ") else f"the {shown} budget"
    return f"exceeds {whose} by {-100 * margins[name]:.0f} %"


def _dominators(
    i: int,
    others: Sequence[int],
    values: Mapping[int, tuple[float, ...]],
) -> list[int]:
    mine = np.array(values[i])
    return [
        j
        for j in others
        if j != i and (np.array(values[j]) <= mine).all() and (np.array(values[j]) < mine).any()
    ]


def _why_leaves(
    i: int,
    entries: Sequence[_Entry],
    found: Sequence[Costs],
    front: Sequence[int],
    problem: Problem,
    row: Mapping[str, Any],
) -> str:
    if not row["fits"]:
        return _worst(row["margins"])
    values = {
        j: problem.objective_values(entries[j].mae_bpm or 0.0, found[j]) for j in (*front, i)
    }
    by = _dominators(i, front, values)
    return f"candidate {entries[by[0]].number} is better in everything" if by else "is beaten"


def _why_enters(
    i: int,
    entries: Sequence[_Entry],
    found: Sequence[Costs],
    before: Sequence[int],
    problem: Problem,
    fits: np.ndarray[Any, np.dtype[np.bool_]],
) -> str:
    fields = [FIELDS[name] for name in problem.objectives]

    def then(j: int) -> tuple[float, ...]:
        entry = entries[j]
        known = {**entry.before, "mae_bpm": entry.mae_bpm}
        return tuple(known.get(name) or 0.0 for name in fields)

    by = _dominators(i, before, {j: then(j) for j in (*before, i)})
    gone = [j for j in by if not fits[j]]
    if gone:
        return f"candidate {entries[gone[0]].number}, which was better in everything, does not fit"
    if by:
        return f"candidate {entries[by[0]].number} is no longer better in everything"
    return "was not on the recorded front"


def _notes(
    config: Mapping[str, Any],
    recorded: Mapping[str, Any],
    entries: Sequence[_Entry],
    engine: str,
    period_s: float,
) -> list[str]:
    """Whether today's cost models still give what the run recorded."""
    notes = []
    if "finished" not in table(dict(config), "run"):
        notes.append("The run is not finished: its front may still change.")
    try:
        own = load_target(str(recorded.get("board")), engine, period_s)
    except (PpgnasError, OSError):
        notes.append(
            f"The run's own board {recorded.get('board')} or engine {engine} cannot be read now, "
            "so the recorded costs could not be checked against today's cost models."
        )
        return notes
    apart = 0.0
    sample = [entry for entry in entries if entry.on_front][:20]
    for entry, found in zip(sample, own.costs_many(e.arch for e in sample), strict=True):
        now, before = _after(found), entry.before
        for key in ("latency_ms", "flash_bytes", "sram_bytes", "power_mw"):
            then = before[key]
            if then:
                apart = max(apart, abs(now[key] / then - 1))
    if apart > _SAME:
        notes.append(
            f"Costs recorded in the run are up to {100 * apart:.0f} % off what today's cost "
            "models give for its own board: part of the change is theirs, not the board's."
        )
    return notes


def report_path(run: RunDir, document: Mapping[str, Any]) -> Path:
    """Where the page of a document lies unless `--out` says otherwise."""
    after = document["after"]
    parts = [after["board"]]
    if after["engine"] != document["before"]["engine"]:
        parts.append(after["engine"])
    name = "-".join("".join(c if c.isalnum() or c in "._" else "_" for c in p) for p in parts)
    return run.path / f"rescore-{name}.html"

"""A rescored run as a page (what changes, a slope chart per cost, the tables) and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from nas.explore.rescored import FinalistRow, Rescored, Row
from nas.report.figures import GREY, INK, RED, SERIES, figure, label, level, upright
from nas.report.page import (
    COSTS,
    Menu,
    Section,
    cost,
    fixed,
    left_words,
    render_page,
    section,
    sleep_words,
)
from ppgnas.tables import markdown_cell, markdown_table

if TYPE_CHECKING:
    import plotly.graph_objects as go


MOST_ROWS = 20  # rows of a table on the terminal; the page and `--json` have all of them


def summary(found: Rescored) -> str:
    """What changes, in one paragraph of plain text."""
    front, lost = found.front, found.fit_without_accuracy
    fitting, error = sum(row.fits for row in found.finalists), error_words(found)
    words = (
        f"Of {found.evaluated:,} candidates with {error} {found.feasible.after:,} fit "
        f"{found.after.board} with {found.after.engine}. The front by "
        f"{found.judged_by} error had {front.before} and has {front.after}: "
        f"{len(front.stays)} stay, {len(front.enters)} enter, {len(front.leaves)} leave. "
        f"{fitting} of {len(found.finalists)} finalists fit."
    )
    if lost:
        words += (
            f" {lost:,} candidates fit but have no {found.judged_by} error, because they broke a "
            "limit of the run: a search on the new board would judge them."
        )
    return words


def error_words(found: Rescored) -> str:
    """What candidates are judged by: `a foretold error`, in older runs `an inherited error`."""
    return f"{'a' if found.judged_by == 'foretold' else 'an'} {found.judged_by} error"


def limit_name(name: str) -> str:
    """Name of a limit within a sentence: `board sram` is `board SRAM`."""
    return "time between readings" if name == "period" else name.replace("sram", "SRAM")


def tightest(row: Row) -> str:
    """The limit with the least room."""
    name, least = min(row.margins.items(), key=lambda item: item[1])
    return f"{limit_name(name)} {left_words(least)}"


def change(row: Row, key: str) -> str:
    """A cost before and after, in one unit."""
    return f"{cost(key, row.before[key], bare=True)} → {cost(key, row.after[key])}"


def bounded(row: FinalistRow, key: str) -> str:
    """The same with the bounds of the estimate after."""
    estimates = row.estimates or {}
    if key not in estimates:
        return change(row, key)
    low, high = (cost(key, estimates[key][end], bare=True) for end in ("low", "high"))
    return f"{change(row, key)} ({low} to {high})"


def path_costs(row: FinalistRow) -> tuple[bool, dict[str, str]]:
    """Whether what stands around the network is counted, and its costs; none if not costed."""
    path = (row.estimates or {}).get("path")
    if path is None:
        return False, {}
    return path["counted"], {
        "latency_ms": cost("latency_ms", path["latency_ms"]["value"]),
        "flash_bytes": cost("flash_bytes", path["flash_bytes"]["value"]),
        "sram_bytes": cost("sram_bytes", path["sram_bytes"]),
        "energy_mj": cost("energy_mj", path["energy_mj"]["value"]),
    }


def _path_words(row: FinalistRow) -> str:
    counted, costs = path_costs(row)
    return ", ".join(costs.values()) + ("" if counted or not costs else " not counted")


def floor(found: Rescored) -> str:
    """What the new board takes between readings; empty where no finalist says it."""
    for row in found.finalists:
        if row.estimates and "sleep_mw" in row.estimates:
            sleep = row.estimates["sleep_mw"]
            ends = (sleep["value"], sleep["low"], sleep["high"])
            return sleep_words(found.after.board, *ends, period_s=found.period_s)
    return ""


def _limits(found: Rescored) -> str:
    model = " (model alone)" if found.budget_scope == "model" else ""
    scope = "with the path" if found.budget_scope == "total" else "without the path"
    budgets = [
        f"{COSTS[key][0]} {cost(key, value)}{model if key == 'flash_bytes' else ''}"
        for key, value in found.budgets.items()
        if key in COSTS
    ]
    board = [f"{COSTS[k][0]} {cost(k, v)}" for k, v in found.board_limits.items()]
    return (
        f"Budgets ({scope}): {', '.join(budgets) or 'none'}. The board holds: {', '.join(board)}."
    )


def _front_rows(rows: Sequence[Row], costs: Sequence[str]) -> list[list[object]]:
    return [
        [row.number, fixed(row.mae_bpm), *(change(row, key) for key in costs), row.why or ""]
        for row in rows[:MOST_ROWS]
    ]


def markdown(found: Rescored) -> str:
    """The whole result for the terminal or a pull request."""
    before, after = found.before, found.after
    costs = ("latency_ms", "flash_bytes", "sram_bytes", "energy_mj", "power_mw")
    parts = [
        f"# {markdown_cell(found.run)}: {before.board} ({before.engine}) → "
        f"{after.board} ({after.engine})",
        summary(found),
        _limits(found),
    ]
    if found.synthetic:
        parts.append("**Synthetic data**: errors say that the tool works, nothing about people.")
    parts += [f"Note: {note}" for note in found.notes]
    if found.finalists:
        head = [
            "finalist",
            "file",
            "MAE, report people",
            "other file",
            *(COSTS[key][0] for key in costs),
            "path",
        ]
        rows = [
            [
                row.finalist,
                row.file or "",
                fixed(row.report_mae_bpm),
                fixed(row.other_file_mae_bpm),
                *(bounded(row, key) for key in costs),
                _path_words(row),
                tightest(row),
                _fits(row),
            ]
            for row in found.finalists
        ]
        parts += ["## Finalists", markdown_table([*head, "least room", "fits"], rows)]
        parts += [part for part in (floor(found),) if part]
    head = ["candidate", f"MAE, {found.judged_by}", *(COSTS[key][0] for key in costs), "because"]
    front = found.front
    for listed, title in ((front.enters, "Enter the front"), (front.leaves, "Leave the front")):
        if listed:
            more = len(listed) - MOST_ROWS
            parts += [f"## {title}", markdown_table(head, _front_rows(listed, costs))]
            parts += [f"... and {more} more (--json has all)"] if more > 0 else []
    return "\n\n".join(parts)


def _fits(row: FinalistRow) -> str:
    if not row.fits:
        return "no"
    unsure = row.high_end_exceeds
    if not unsure:
        return "yes"
    return f"yes, not at the high end of {', '.join(map(limit_name, unsure))}"


CHARTED = ("latency_ms", "energy_mj", "power_mw", "flash_bytes", "sram_bytes")
MOST_LINES = 80
_PLOT_PX = 380  # from the top of the chart to its bottom
_LABEL_PX = 17
_LOG_ABOVE = 4.0  # ratio of largest to smallest value from which the axis is logarithmic


_Kind = Literal["stays", "enters", "leaves", "finalist"]


@dataclass(frozen=True)
class _SlopeInfo:
    """What the two sides are called, candidates with finalists last, and budgets by cost."""

    left: str
    right: str
    lines: tuple[tuple[Row, _Kind], ...]
    budgets: dict[str, float]
    synthetic: bool


def _slope_info(found: Rescored) -> _SlopeInfo:
    numbers = {row.number for row in found.finalists}
    front = found.front
    kinds: dict[_Kind, tuple[Row, ...]] = {
        "stays": front.stays,
        "enters": front.enters,
        "leaves": front.leaves,
    }
    others = [(r, kind) for kind, rows in kinds.items() for r in rows if r.number not in numbers]
    step = max(1, math.ceil(len(others) / MOST_LINES))
    finalists: list[tuple[Row, _Kind]] = [(row, "finalist") for row in found.finalists]
    budgets = dict(found.budgets)
    if found.budget_scope == "model":
        budgets.pop("flash_bytes", None)
    left, right = (found.before.board, found.after.board)
    if left == right:
        left, right = (found.before.engine, found.after.engine)
    return _SlopeInfo(left, right, (*others[::step], *finalists), budgets, found.synthetic)


def _spread(wanted: Sequence[float]) -> list[float]:
    """Positions of labels in pixels, moved apart as little as keeps them readable, in order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for before, after in pairwise(order):
        placed[after] = max(placed[after], placed[before] + _LABEL_PX)
    over = max(0.0, placed[order[-1]] - _PLOT_PX) if order else 0.0
    return [y - over for y in placed]


def _draw_slope(info: _SlopeInfo, key: str) -> go.Figure:
    title, unit, divisor, _ = COSTS[key]
    budget = info.budgets.get(key)
    values = [value for row, _ in info.lines for value in (row.before[key], row.after[key])]
    log = min(values) > 0 and max(values) / min(values) > _LOG_ABOVE
    # A budget far away would squeeze the lines.
    if budget is not None and budget > 3 * max(values):
        budget = None
    values += [] if budget is None else [budget]

    def place(value: float) -> float:
        """Where a value stands; Plotly counts along a logarithmic axis in exponents."""
        return math.log10(value / divisor) if log else value / divisor

    low, high = place(min(values)), place(max(values))
    pad = 0.05 * (high - low) or max(abs(high) * 0.1, 1e-9)
    top, span = high + pad, high - low + 2 * pad
    margin = {"l": 190, "r": 190, "t": 46, "b": 24}
    height_px = _PLOT_PX + margin["t"] + margin["b"]
    notes: list[dict[str, object]] = []

    def write(words: str, x: float, y_px: float, color: str = INK) -> None:
        """A label beside x or between both, its middle so far below the top."""
        side = round(2 * x)
        note = {"text": words, "x": x, "xref": "paper", "y": 1 - y_px / _PLOT_PX, "yref": "paper"}
        note |= {"xanchor": ("right", "center", "left")[side], "xshift": (-8, 0, 8)[side]}
        note |= {"yanchor": "middle", "showarrow": False, "font": {"color": color, "size": 13}}
        notes.append(note)

    for x, words in ((0, info.left), (1, info.right)):
        write(f"<b>{label(words)}</b>", x, -30)
    write(f"{title} ({unit}), {'logarithmic' if log else 'linear'}", 0.5, -30)
    if budget is not None:
        y_px = (top - place(budget)) / span * _PLOT_PX - 10
        write(f"budget {cost(key, budget)}", 0.5, y_px, RED)
    named = [row for row, kind in info.lines if kind == "finalist"]
    for x, values in ((0, [r.before[key] for r in named]), (1, [r.after[key] for r in named])):
        wanted = [(top - place(value)) / span * _PLOT_PX for value in values]
        for row, value, y_px in zip(named, values, _spread(wanted), strict=True):
            write(f"finalist {row.finalist}: {cost(key, value)}", x, y_px)
    lines = [upright(x, color=GREY, width=1) for x in (0, 1)]
    if budget is not None:
        lines.append(level(budget / divisor, color=RED, width=2, dash="dash"))
    drawn = figure(
        height_px,
        synthetic=info.synthetic,
        shapes=lines,
        margin=margin,
        showlegend=False,
        xaxis={"visible": False, "fixedrange": True, "range": [0, 1]},
        yaxis={
            "visible": False,
            "fixedrange": True,
            "type": "log" if log else "linear",
            "range": [top - span, top],
        },
        annotations=notes,
    )
    drawn.add_traces([_line(row, kind, key) for row, kind in info.lines])
    return drawn


def _line(row: Row, kind: _Kind, key: str) -> dict[str, object]:
    """From a candidate's cost before to that after."""
    _, unit, divisor, _ = COSTS[key]
    look, name = _look(row, kind)
    return {
        **look,
        "type": "scatter",
        "x": [0, 1],
        "y": [row.before[key] / divisor, row.after[key] / divisor],
        "hovertemplate": f"%{{y:.4g}} {unit}<extra>{name}</extra>",
        "cliponaxis": False,
    }


def _look(row: Row, kind: _Kind) -> tuple[dict[str, object], str]:
    """How a line is drawn, and its name."""
    if kind == "finalist" and row.finalist is not None:
        color = SERIES[(row.finalist - 1) % len(SERIES)]
        thick = {"line": {"color": color, "width": 2.5}, "marker": {"size": 9}}
        return {"mode": "lines+markers", **thick}, f"finalist {row.finalist}"
    color = INK if kind == "enters" else GREY
    dash = "dot" if kind == "leaves" else "solid"
    thin = {"color": color, "width": 1, "dash": dash}
    return {"mode": "lines", "line": thin, "opacity": 0.7}, f"candidate {row.number}"


def _slope_section(found: Rescored) -> Section | None:
    """One slope chart a cost, with a selector; left out without a front and finalists."""
    info = _slope_info(found)
    if not info.lines:
        return None
    options = {key: COSTS[key][0] for key in CHARTED}
    return section(
        "rescore/slope.html",
        "From one to the other",
        judged_by=found.judged_by,
        left=info.left,
        right=info.right,
        menu=Menu("slope", "Cost", options, CHARTED[0]),
        figures={key: _draw_slope(info, key) for key in CHARTED},
    )


def _finalists_section(found: Rescored) -> Section | None:
    if not found.finalists:
        return None
    errors = [("Finalist", "and its file"), ("MAE", "report people")]
    costs = [(COSTS[key][0], "low to high after") for key in CHARTED]
    return section(
        "rescore/finalists.html",
        "Finalists",
        head=[*errors, *costs, ("Fits", "and room")],
        rows=found.finalists,
        floor=floor(found),
        charted=CHARTED,
        change=change,
        limit_name=limit_name,
        left_words=left_words,
        path_costs=path_costs,
    )


def _front_section(found: Rescored) -> Section | None:
    front = found.front
    if not (front.stays or front.enters or front.leaves):
        return None
    costs = [COSTS[key][0] for key in CHARTED]
    return section(
        "rescore/front.html",
        f"The front by {found.judged_by} error",
        head=["Candidate", ("MAE", f"{found.judged_by}, BPM"), *costs, "Least room", "Because"],
        front=front,
        charted=CHARTED,
        change=change,
        tightest=tightest,
    )


def rescore_page(found: Rescored) -> str:
    """The result as one self-contained HTML document."""
    before, after, words = found.before, found.after, summary(found)
    title = f"{found.run} on {after.board}"
    return render_page(
        f"ppgnas: {title}",
        title,
        [
            section("rescore/changes.html", "What changes", notes=found.notes, summary=words),
            _slope_section(found),
            _finalists_section(found),
            _front_section(found),
        ],
        chips=[f"{before.board}, {before.engine}", f"→ {after.board}, {after.engine}"],
        synthetic=found.synthetic,
    )

"""A rescored run as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from nas.explore.rescored import FinalistRow, Rescored, Row
from nas.report.page import COSTS, cost, fixed, sleep_words
from ppgnas.tables import markdown_cell, markdown_table

MOST_ROWS = 20
"""Rows of a table on the terminal; the page and `--json` have all of them."""


def summary(found: Rescored) -> str:
    """What changes, in one paragraph of plain text."""
    front, lost = found.front, found.fit_without_accuracy
    fitting = sum(row.fits for row in found.finalists)
    words = (
        f"Of {found.evaluated:,} evaluated candidates {found.feasible.after:,} fit "
        f"{found.after.board} with {found.after.engine}. The front by "
        f"{found.judged_by} error had {front.before} and has {front.after}: "
        f"{len(front.stays)} stay, {len(front.enters)} enter, {len(front.leaves)} leave. "
        f"{fitting} of {len(found.finalists)} finalists fit."
    )
    if lost:
        words += (
            f" {lost:,} candidates fit but were never evaluated, because they broke a limit of "
            "the run: a search on the new board would judge them."
        )
    return words


def margin(value: float) -> str:
    """Room under a limit: `38 % left` or `12 % over`."""
    return f"{100 * value:.0f} % left" if value >= 0 else f"{-100 * value:.0f} % over"


def limit_name(name: str) -> str:
    """Name of a limit within a sentence: `board sram` is `board SRAM`."""
    return "time between readings" if name == "period" else name.replace("sram", "SRAM")


def tightest(row: Row) -> str:
    """The limit with the least room."""
    name, least = min(row.margins.items(), key=lambda item: item[1])
    return f"{limit_name(name)} {margin(least)}"


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


def path_words(row: FinalistRow) -> str:
    """What stands around the network; empty where it was not costed."""
    path = (row.estimates or {}).get("path")
    if path is None:
        return ""
    shown = (
        cost("latency_ms", path["latency_ms"]["value"]),
        cost("flash_bytes", path["flash_bytes"]["value"]),
        cost("sram_bytes", path["sram_bytes"]),
        cost("energy_mj", path["energy_mj"]["value"]),
    )
    return f"{', '.join(shown)}{'' if path['counted'] else ' not counted'}"


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
                path_words(row),
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

"""A rescored run as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.report.page import COSTS, cost, fixed
from ppgnas.tables import markdown_cell, markdown_table

MOST_ROWS = 20
"""Rows of a table on the terminal; the page and `--json` have all of them."""


def summary(document: Mapping[str, Any]) -> str:
    """What changes, in one paragraph of plain text."""
    front, feasible = document["front"], document["feasible"]
    lost = document["fit_without_accuracy"]
    fitting = sum(row["fits"] for row in document["finalists"])
    words = (
        f"Of {document['evaluated']:,} evaluated candidates {feasible['after']:,} fit "
        f"{document['after']['board']} with {document['after']['engine']}. The front by inherited "
        f"error had {front['before']} and has {front['after']}: {len(front['stays'])} stay, "
        f"{len(front['enters'])} enter, {len(front['leaves'])} leave. "
        f"{fitting} of {len(document['finalists'])} finalists fit."
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
    return name.replace("sram", "SRAM")


def tightest(row: Mapping[str, Any]) -> str:
    """The limit with the least room."""
    name = min(row["margins"], key=lambda key: row["margins"][key])
    return f"{limit_name(name)} {margin(row['margins'][name])}"


def change(row: Mapping[str, Any], key: str) -> str:
    """A cost before and after, in one unit."""
    bare = cost(key, row["before"][key]).removesuffix(COSTS[key][1]).strip()
    return f"{bare} → {cost(key, row['after'][key])}"


def _limits(document: Mapping[str, Any]) -> str:
    scope = " (model alone)" if document["budget_scope"] == "model" else ""
    budgets = [
        f"{COSTS[key][0]} {cost(key, value)}{scope if key == 'flash_bytes' else ''}"
        for key, value in document["budgets"].items()
        if key in COSTS
    ]
    board = [f"{COSTS[k][0]} {cost(k, v)}" for k, v in document["board_limits"].items()]
    return f"Budgets: {', '.join(budgets) or 'none'}. The board holds: {', '.join(board)}."


def _front_rows(rows: Sequence[Mapping[str, Any]], costs: Sequence[str]) -> list[list[object]]:
    return [
        [
            row["number"],
            fixed(row["mae_bpm"]),
            *(change(row, key) for key in costs),
            row.get("why", ""),
        ]
        for row in rows[:MOST_ROWS]
    ]


def markdown(document: Mapping[str, Any]) -> str:
    """The whole result for the terminal or a pull request."""
    before, after = document["before"], document["after"]
    costs = ("latency_ms", "flash_bytes", "sram_bytes", "power_mw")
    parts = [
        f"# {markdown_cell(document['run'])}: {before['board']} ({before['engine']}) → "
        f"{after['board']} ({after['engine']})",
        summary(document),
        _limits(document),
    ]
    if document["synthetic"]:
        parts.append("**Synthetic data**: errors say that the tool works, nothing about people.")
    parts += [f"Note: {note}" for note in document["notes"]]
    if document["finalists"]:
        head = ["finalist", "MAE, report people", *(COSTS[key][0] for key in costs)]
        rows = [
            [
                row["finalist"],
                fixed(row["report_mae_bpm"]),
                *(change(row, key) for key in costs),
                tightest(row),
                _fits(row),
            ]
            for row in document["finalists"]
        ]
        parts += ["## Finalists", markdown_table([*head, "least room", "fits"], rows)]
    head = ["candidate", "MAE, inherited", *(COSTS[key][0] for key in costs), "because"]
    for key, title in (("enters", "Enter the front"), ("leaves", "Leave the front")):
        listed = document["front"][key]
        if listed:
            more = len(listed) - MOST_ROWS
            parts += [f"## {title}", markdown_table(head, _front_rows(listed, costs))]
            parts += [f"... and {more} more (--json has all)"] if more > 0 else []
    return "\n\n".join(parts)


def _fits(row: Mapping[str, Any]) -> str:
    if not row["fits"]:
        return "no"
    unsure = row["high_end_exceeds"]
    if not unsure:
        return "yes"
    return f"yes, not at the high end of {', '.join(map(limit_name, unsure))}"

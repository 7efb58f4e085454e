"""The page of a rescored run: what changes, a slope chart per cost, the tables.

The slope chart is plain SVG: it needs no script library, so the page is small and made at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from nas.report.page import (
    COSTS,
    GREY,
    INK,
    MUTED,
    RED,
    SERIES,
    Section,
    cost,
    fixed,
    panels,
    render_page,
    scroll_table,
    selector,
    text,
)
from nas.report.rescore_text import change, limit_name, margin, summary, tightest

CHARTED = ("latency_ms", "power_mw", "flash_bytes", "sram_bytes")
MOST_LINES = 80
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 430, 190, 570, 46, 410
_LABEL_PX = 17
_LOG_ABOVE = 4.0  # ratio of largest to smallest value from which the axis is logarithmic


def _slope_info(document: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of the charts: per cost its lines, budget and scale; finalists come last."""
    finalists = document["finalists"]
    numbers = {row["number"] for row in finalists}
    front = document["front"]
    others = [
        (row, kind)
        for kind in ("stays", "enters", "leaves")
        for row in front[kind]
        if row["number"] not in numbers
    ]
    step = max(1, math.ceil(len(others) / MOST_LINES))
    charts = {}
    for key in CHARTED:
        lines = [
            {"finalist": finalist, "kind": kind, "before": row["before"][key], "after": after}
            for row, kind, finalist in (
                *((row, kind, None) for row, kind in others[::step]),
                *((row, "finalist", row["finalist"]) for row in finalists),
            )
            if row["before"][key] is not None and (after := row["after"][key]) is not None
        ]
        values = [line[side] for line in lines for side in ("before", "after") if line[side] > 0]
        budget = document["budgets"].get(key)
        if key == "flash_bytes" and document["budget_scope"] == "model":
            budget = None
        charts[key] = {
            "lines": lines,
            "budget": budget,
            "log": bool(values) and max(values) / min(values) > _LOG_ABOVE,
        }
    same = document["before"]["board"] == document["after"]["board"]
    side = "engine" if same else "board"
    return {
        "left": document["before"][side],
        "right": document["after"][side],
        "charts": {key: chart for key, chart in charts.items() if chart["lines"]},
        "synthetic": document["synthetic"],
    }


def _spread(wanted: Sequence[float]) -> list[float]:
    """Positions of labels, moved apart as little as keeps them readable; order is kept."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for before, after in pairwise(order):
        placed[after] = max(placed[after], placed[before] + _LABEL_PX)
    over = max(0.0, placed[order[-1]] - (_HEIGHT - 6)) if order else 0.0
    return [y - over for y in placed]


def _draw_slope(info: Mapping[str, Any], key: str) -> str:
    chart = info["charts"][key]
    lines, budget = chart["lines"], chart["budget"]
    values = [line[side] for line in lines for side in ("before", "after")]
    # A budget far away would squeeze the lines; it is then only named below the chart.
    shown_budget = budget is not None and budget <= 3 * max(values)
    values += [budget] if shown_budget else []
    log = chart["log"] and min(values) > 0
    low, high = min(values), max(values)
    pad = 0.05 * (high - low) or max(abs(high) * 0.1, 1e-9)
    bounds = (low / 1.1, high * 1.1) if log else (low - pad, high + pad)

    def y(value: float) -> float:
        a, b, v = (math.log(n) if log else n for n in (*bounds, value))
        return _BOTTOM - (_BOTTOM - _TOP) * (v - a) / (b - a)

    title, unit = COSTS[key][:2]
    parts = [
        f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{_BOTTOM}" stroke="{GREY}"/>'
        for x in (_LEFT, _RIGHT)
    ]
    for x, anchor, side in ((_LEFT, "end", "left"), (_RIGHT, "start", "right")):
        parts.append(
            f'<text x="{x}" y="20" text-anchor="{anchor}" font-weight="600" fill="{INK}">'
            f"{text(info[side])}</text>"
        )
    if shown_budget and budget is not None:
        parts.append(
            f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y(budget):.1f}" y2="{y(budget):.1f}" '
            f'stroke="{RED}" stroke-width="2" stroke-dasharray="7 5"/>'
            f'<text x="{(_LEFT + _RIGHT) / 2}" y="{y(budget) - 5:.1f}" text-anchor="middle" '
            f'fill="{RED}" font-size="13">budget {cost(key, budget)}</text>'
        )
    for line in lines:
        parts.append(_line(line, y(line["before"]), y(line["after"])))
    named = [line for line in lines if line["finalist"] is not None]
    for side, x, anchor in (("before", _LEFT - 10, "end"), ("after", _RIGHT + 10, "start")):
        places = _spread([y(line[side]) for line in named])
        for line, place in zip(named, places, strict=True):
            parts.append(
                f'<text x="{x}" y="{place + 4.5:.1f}" text-anchor="{anchor}" font-size="13" '
                f'fill="{INK}">finalist {line["finalist"]}: '
                f"{cost(key, line[side])}</text>"
            )
    about = f"{title} of finalists and front, {info['left']} against {info['right']}"
    scale = "logarithmic" if log else "linear"
    parts.append(
        f'<text x="{(_LEFT + _RIGHT) / 2}" y="20" text-anchor="middle" font-size="13" '
        f'fill="{MUTED}">{title} ({unit}), {scale}</text>'
    )
    if info["synthetic"]:
        parts.append(
            f'<text x="{_WIDTH - 4}" y="{_HEIGHT - 4}" text-anchor="end" font-size="12" '
            f'fill="{RED}">'
            "synthetic data</text>"
        )
    return (
        f'<div class="scroll"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{text(about)}" style="min-width:620px;max-width:960px;width:100%">'
        + "".join(parts)
        + "</svg></div>"
    )


def _color(finalist: int) -> str:
    return SERIES[(finalist - 1) % len(SERIES)]


def _line(line: Mapping[str, Any], before_y: float, after_y: float) -> str:
    if line["finalist"] is None:
        dash = {"stays": "", "enters": "", "leaves": ' stroke-dasharray="3 4"'}[line["kind"]]
        color = INK if line["kind"] == "enters" else GREY
        look = f'stroke="{color}" stroke-width="1" stroke-opacity="0.7"{dash}'
        dots = ""
    else:
        color = _color(line["finalist"])
        look = f'stroke="{color}" stroke-width="2.5"'
        dots = "".join(
            f'<circle cx="{x}" cy="{y:.1f}" r="4.5" fill="{color}"/>'
            for x, y in ((_LEFT, before_y), (_RIGHT, after_y))
        )
    return (
        f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{before_y:.1f}" y2="{after_y:.1f}" {look}/>{dots}'
    )


def _changes_section(document: Mapping[str, Any]) -> Section:
    notes = "".join(f"<li>{text(note)}</li>" for note in document["notes"])
    body = f'<p class="lead">{text(summary(document))}</p>'
    return Section(
        "changes", "What changes", body + (f'<ul class="cautions">{notes}</ul>' if notes else "")
    )


def slope_section(document: Mapping[str, Any]) -> Section:
    """One slope chart a cost, with a selector; left out without a front and finalists."""
    info = _slope_info(document)
    if not info["charts"]:
        return Section("slope", "From one to the other", "")
    first = next(iter(info["charts"]))
    menu = selector("slope", "Cost", {key: COSTS[key][0] for key in info["charts"]}, chosen=first)
    drawn = {key: _draw_slope(info, key) for key in info["charts"]}
    note = (
        '<p class="note">Coloured: finalists. Thin: other candidates of the front by inherited '
        "error; grey ones stay, black ones enter, dotted ones leave.</p>"
    )
    return Section(
        "slope", "From one to the other", note + menu + panels("slope", drawn, chosen=first)
    )


def _finalists_section(document: Mapping[str, Any]) -> Section:
    rows = []
    for row in document["finalists"]:
        cells = [f"{row['finalist']}<small><code>{text(row['id'])}</code></small>"]
        cells.append(fixed(row["report_mae_bpm"]))
        for key in CHARTED:
            low, high = (row["estimates"][key][bound] for bound in ("low", "high"))
            cells.append(f"{change(row, key)}<small>{cost(key, low)} to {cost(key, high)}</small>")
        margins = "<br>".join(
            f'<span class="over">{limit_name(name)} {margin(value)}</span>'
            if value < 0
            else f"{limit_name(name)} {margin(value)}"
            for name, value in row["margins"].items()
        )
        unsure = ", ".join(map(limit_name, row["high_end_exceeds"]))
        fits = "yes" if row["fits"] else '<span class="over">no</span>'
        cells += [
            margins,
            fits + (f"<small>high end over: {text(unsure)}</small>" if unsure else ""),
        ]
        rows.append(cells)
    head = ["Finalist", "MAE<small>report people, BPM</small>"]
    head += [f"{COSTS[key][0]}<small>low to high after</small>" for key in CHARTED]
    body = scroll_table([*head, "Room", "Fits"], rows, about="Finalists") if rows else ""
    return Section("finalists", "Finalists", body)


def _front_section(document: Mapping[str, Any]) -> Section:
    head = ["Candidate", "MAE<small>inherited, BPM</small>"]
    head += [COSTS[key][0] for key in CHARTED] + ["Least room", "Because"]
    body = ""
    for key, title in (("enters", "Enter"), ("leaves", "Leave"), ("stays", "Stay")):
        rows = [
            [
                f"{row['number']}<small><code>{text(row['id'])}</code></small>",
                fixed(row["mae_bpm"]),
                *(change(row, cost_key) for cost_key in CHARTED),
                text(tightest(row)),
                text(row.get("why", "")),
            ]
            for row in document["front"][key]
        ]
        if rows:
            body += f"<h3>{title} ({len(rows)})</h3>" + scroll_table(head, rows, about=title)
    return Section("front", "The front by inherited error", body)


def rescore_page(document: Mapping[str, Any]) -> str:
    """The result as one self-contained HTML document."""
    before, after = document["before"], document["after"]
    chips = [f"{before['board']}, {before['engine']}", f"→ {after['board']}, {after['engine']}"]
    shown = "".join(f'<span class="chip">{text(chip)}</span>' for chip in chips)
    badge = '<span class="badge">synthetic data</span>' if document["synthetic"] else ""
    title = f"{document['run']} on {after['board']}"
    lead = f'<h1>{text(title)}</h1><div class="chips">{badge}{shown}</div>'
    sections = [
        _changes_section(document),
        slope_section(document),
        _finalists_section(document),
        _front_section(document),
    ]
    return render_page(f"ppgnas: {title}", lead, sections, synthetic=document["synthetic"])

"""Error of each report person, and of each data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nas.report.choice import choose
from nas.report.figures import BLUE, INK, ORANGE, RED, SERIES, UPRIGHT, figure, label, upright
from nas.report.loading import RunData
from nas.report.page import Menu, Section, fixed, section
from nas.run.card import ReportErrors
from ppg.people.metrics import DataSetErrors, PersonErrors
from ppgnas.tables import counted

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_BARS = 30


def finalist_menu(run: RunData) -> Menu:
    """The selector that people, Bland-Altman and layers share; the recommended one is chosen."""
    errors = {f.key: f.card.report.mae_bpm for f in run.finalists}
    options = {key: f"{key} ({fixed(mae, unit='BPM')})" for key, mae in errors.items()}
    choice = choose(run)
    first = next(iter(errors)) if choice is None else choice.finalist.key
    return Menu("finalist", "Finalist", options, first)


def worst_first(report: ReportErrors) -> list[tuple[str, PersonErrors]]:
    """People with their errors."""
    return sorted(report.people.items(), key=lambda item: -item[1].mae_bpm)


def places(labels: list[str], *, pad: float) -> dict[str, object]:
    """A vertical axis of positions, first on top: two shortened names may be equal."""
    ends = [len(labels) - 1 + pad, -pad]
    return {"tickvals": list(range(len(labels))), "ticktext": labels, "range": ends}


def _draw_people(report: ReportErrors, *, synthetic: bool) -> go.Figure:
    shown = worst_first(report)[:MOST_BARS]
    names = [label(person) for person, _ in shown]
    rows = list(range(len(shown)))
    mean, median = report.mae_bpm, report.median_person_mae_bpm
    lines, notes = [], []
    for value, color, words in ((mean, RED, "mean"), (median, INK, "median")):
        lines.append(upright(value, color=color, width=1.5, dash="dash"))
        note = {"text": words, "textangle": -90, "x": value, "y": 0, "yanchor": "bottom"}
        note |= {"xanchor": "left" if value == max(mean, median) else "right", "showarrow": False}
        notes.append({**UPRIGHT, **note, "font": {"color": color, "size": 11}})
    drawn = figure(
        max(260, 110 + 22 * len(shown)),
        "MAE (BPM)",
        synthetic=synthetic,
        bargap=0.3,
        xaxis={"rangemode": "tozero"},
        yaxis={"showgrid": False, **places(names, pad=0.6)},
        legend={"entrywidth": 70},
        shapes=lines,
        annotations=notes,
    )
    drawn.add_bar(
        orientation="h",
        name="raw",
        y=rows,
        x=[errors.mae_bpm for _, errors in shown],
        customdata=[[label(person), errors.windows] for person, errors in shown],
        hovertemplate="%{customdata[0]}<br>raw %{x:.2f} BPM, %{customdata[1]:.0f} windows"
        "<extra></extra>",
        marker_color=BLUE,
    )
    return drawn.add_scatter(
        mode="markers",
        name="smoothed",
        y=rows,
        x=[errors.mae_bpm_smoothed for _, errors in shown],
        marker={"color": ORANGE, "size": 9, "line": {"color": INK, "width": 1}},
        hovertemplate="smoothed %{x:.2f} BPM<extra></extra>",
    )


def people_section(run: RunData) -> Section | None:
    """Bars of the worst people and a table of all."""
    if not run.finalists:
        return None
    reports = {f.key: f.card.report for f in run.finalists}
    return section(
        "report/people.html",
        "Error of each person",
        people={key: worst_first(report) for key, report in reports.items()},
        figures={k: _draw_people(r, synthetic=run.synthetic) for k, r in reports.items()},
        menu=finalist_menu(run),
        most=max(len(report.people) for report in reports.values()),
        most_bars=MOST_BARS,
    )


def _people_of(run: RunData) -> dict[str, int]:
    """Data sets of report people, and how many people each has."""
    people: dict[str, int] = {}
    for finalist in run.finalists:
        for name, errors in finalist.card.report.datasets.items():
            people[name] = max(people.get(name, 0), errors.people)
    return people


def _draw_datasets(run: RunData, errors_of: Callable[[DataSetErrors], float]) -> go.Figure:
    people = _people_of(run)
    names = [f"{label(d)}<br>{counted(n, 'person', 'people')}" for d, n in people.items()]
    height_px = 170 + len(names) * max(34, 14 * len(run.finalists))
    drawn = figure(
        height_px,
        "MAE (BPM)",
        synthetic=run.synthetic,
        bargap=0.25,
        barmode="group",
        xaxis={"rangemode": "tozero"},
        yaxis={"showgrid": False, **places(names, pad=0.5)},
        showlegend=True,
        legend={"traceorder": "normal", "entrywidth": 62},
    )
    for i, f in enumerate(run.finalists):
        known = f.card.report.datasets
        drawn.add_bar(
            orientation="h",
            name=f"finalist {f.number}",
            y=list(range(len(names))),
            x=[errors_of(known[d]) if d in known else None for d in people],
            hovertemplate=f"finalist {f.number}: %{{x:.2f}} BPM<extra></extra>",
            marker_color=SERIES[i % len(SERIES)],
        )
    return drawn


def datasets_section(run: RunData) -> Section | None:
    """MAE by data set, raw or smoothed."""
    if not _people_of(run):
        return None
    return section(
        "report/datasets.html",
        "Error by data set",
        menu=Menu("datasets", "Show", {"raw": "raw", "smoothed": "smoothed"}, "raw"),
        figures={
            "raw": _draw_datasets(run, lambda errors: errors.mae_bpm),
            "smoothed": _draw_datasets(run, lambda errors: errors.mae_bpm_smoothed),
        },
    )

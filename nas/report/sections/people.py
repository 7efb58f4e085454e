"""Error of each report person, and of each data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.report.loading import Finalist, RunData, number, table
from nas.report.page import (
    BLUE,
    INK,
    ORANGE,
    RED,
    SERIES,
    Section,
    figure,
    fixed,
    label,
    name,
    panels,
    plot,
    scroll_table,
    selector,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_BARS = 30


def finalist_menu(run: RunData) -> str:
    """The selector that people, Bland-Altman and layers share; the most accurate comes first."""
    return selector("finalist", "Finalist", finalist_options(run), chosen=first_finalist(run))


def finalist_options(run: RunData) -> dict[str, str]:
    """Value and words of each finalist."""
    return {
        f.key: f"{f.number} ({fixed(number(f.card, 'report', 'mae_bpm'), unit='BPM')})"
        for f in run.finalists
    }


def first_finalist(run: RunData) -> str:
    """The finalist shown first: the lowest raw MAE."""
    scored = [(number(f.card, "report", "mae_bpm"), f) for f in run.finalists]
    return min(scored, key=lambda p: (p[0] is None, p[0] or 0.0))[1].key if scored else ""


def _people_info(finalist: Finalist) -> dict[str, Any]:
    """Plain data: people with their errors, worst first; those without an error come last."""
    people = [
        {
            "person": person,
            "mae_bpm": number(entry, "mae_bpm"),
            "mae_bpm_smoothed": number(entry, "mae_bpm_smoothed"),
            "windows": number(entry, "windows"),
        }
        for person, entry in table(finalist.card, "report", "people").items()
    ]
    return {
        "people": sorted(people, key=lambda p: (p["mae_bpm"] is None, -(p["mae_bpm"] or 0.0))),
        "mae_bpm": number(finalist.card, "report", "mae_bpm"),
        "median_bpm": number(finalist.card, "report", "median_person_mae_bpm"),
    }


def _draw_people(info: dict[str, Any], *, synthetic: bool) -> go.Figure:
    shown = [p for p in info["people"] if p["mae_bpm"] is not None][:MOST_BARS]
    # Positions carry the bars: two people's shortened names may be equal.
    places = list(range(len(shown)))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": "raw",
            "y": places,
            "x": [p["mae_bpm"] for p in shown],
            "customdata": [[label(p["person"]), p["windows"] or 0] for p in shown],
            "hovertemplate": "%{customdata[0]}<br>raw %{x:.2f} BPM, %{customdata[1]:.0f} windows"
            "<extra></extra>",
            "marker": {"color": BLUE},
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "smoothed",
            "y": places,
            "x": [p["mae_bpm_smoothed"] for p in shown],
            "marker": {"color": ORANGE, "size": 9, "line": {"color": INK, "width": 1}},
            "hovertemplate": "smoothed %{x:.2f} BPM<extra></extra>",
        },
    ]
    layout = {
        "height": max(260, 110 + 22 * len(shown)),
        "bargap": 0.3,
        "xaxis": {"title": {"text": "MAE (BPM)"}, "rangemode": "tozero"},
        "yaxis": {
            "tickvals": places,
            "ticktext": [label(p["person"]) for p in shown],
            "range": [len(shown) - 0.4, -0.6],
            "showgrid": False,
        },
        "legend": {"entrywidth": 70},
    }
    drawn = figure(traces, layout, synthetic=synthetic)
    right = max(info["mae_bpm"] or 0.0, info["median_bpm"] or 0.0)
    for key, color, words in (("mae_bpm", RED, "mean"), ("median_bpm", INK, "median")):
        if info[key] is not None:
            drawn.add_vline(x=info[key], line={"color": color, "width": 1.5, "dash": "dash"})
            drawn.add_annotation(
                x=info[key],
                y=0,
                yref="paper",
                text=words,
                textangle=-90,
                showarrow=False,
                xanchor="left" if info[key] == right else "right",
                yanchor="bottom",
                font={"color": color, "size": 11},
            )
    return drawn


def _people_table(info: dict[str, Any]) -> str:
    rows = [
        [
            name(p["person"]),
            fixed(p["mae_bpm"]),
            fixed(p["mae_bpm_smoothed"]),
            fixed(p["windows"], 0),
        ]
        for p in info["people"]
    ]
    head = ["Person", "MAE raw (BPM)", "MAE smoothed (BPM)", "Windows"]
    return (
        f"<details><summary>All {len(rows)} people as a table</summary>"
        f"{scroll_table(head, rows, about='Error of each person')}</details>"
    )


def people_section(run: RunData) -> Section:
    """Bars of the worst people and a table of all."""
    infos = {f.key: _people_info(f) for f in run.finalists}
    infos = {key: info for key, info in infos.items() if info["people"]}
    if not infos:
        return Section("people", "Error of each person", "")
    figures = {k: _draw_people(info, synthetic=run.synthetic) for k, info in infos.items()}
    most = max(len(info["people"]) for info in infos.values())
    limit = f" The {MOST_BARS} worst of {most} are drawn." if most > MOST_BARS else ""
    note = f'<p class="note">Report people, worst first.{limit}</p>'
    drawn = plot("plot-people", figures, about="Error of each person", group="finalist")
    tables = panels(
        "finalist",
        {f.key: _people_table(infos[f.key]) if f.key in infos else "" for f in run.finalists},
        chosen=first_finalist(run),
    )
    return Section("people", "Error of each person", note + finalist_menu(run) + drawn + tables)


def _datasets_info(run: RunData) -> dict[str, Any]:
    """Plain data: data sets with their number of people, and each finalist's errors there."""
    people: dict[str, int] = {}
    finalists = []
    for finalist in run.finalists:
        found = table(finalist.card, "report", "datasets")
        for dataset, entry in found.items():
            people[dataset] = max(people.get(dataset, 0), int(number(entry, "people") or 0))
        finalists.append(
            {
                "finalist": finalist.number,
                "mae_bpm": {d: number(e, "mae_bpm") for d, e in found.items()},
                "mae_bpm_smoothed": {d: number(e, "mae_bpm_smoothed") for d, e in found.items()},
            }
        )
    return {"people": people, "finalists": finalists, "synthetic": run.synthetic}


def _draw_datasets(info: dict[str, Any], column: str) -> go.Figure:
    places = list(range(len(info["people"])))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": f"finalist {f['finalist']}",
            "y": places,
            "x": [f[column].get(dataset) for dataset in info["people"]],
            "hovertemplate": f"finalist {f['finalist']}: %{{x:.2f}} BPM<extra></extra>",
            "marker": {"color": SERIES[i % len(SERIES)]},
        }
        for i, f in enumerate(info["finalists"])
    ]
    layout = {
        "barmode": "group",
        "bargap": 0.25,
        "height": 170 + len(places) * max(34, 14 * len(traces)),
        "xaxis": {"title": {"text": "MAE (BPM)"}, "rangemode": "tozero"},
        "yaxis": {
            "tickvals": places,
            "ticktext": [
                f"{label(d)}<br>{n} {'person' if n == 1 else 'people'}"
                for d, n in info["people"].items()
            ],
            "range": [len(places) - 0.5, -0.5],
            "showgrid": False,
        },
        "showlegend": True,
        "legend": {"traceorder": "normal", "entrywidth": 62},
    }
    return figure(traces, layout, synthetic=info["synthetic"])


def datasets_section(run: RunData) -> Section:
    """MAE by data set, raw or smoothed."""
    info = _datasets_info(run)
    if not info["people"]:
        return Section("datasets", "Error by data set", "")
    figures = {
        "raw": _draw_datasets(info, "mae_bpm"),
        "smoothed": _draw_datasets(info, "mae_bpm_smoothed"),
    }
    menu = selector("datasets", "Show", {"raw": "raw", "smoothed": "smoothed"}, chosen="raw")
    drawn = plot("plot-datasets", figures, about="Error by data set", group="datasets")
    return Section("datasets", "Error by data set", menu + drawn)

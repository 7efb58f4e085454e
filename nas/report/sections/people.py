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
    Menu,
    Section,
    figure,
    fixed,
    label,
    section,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_BARS = 30


def finalist_menu(run: RunData) -> Menu:
    """The selector that people, Bland-Altman and layers share; the lowest raw MAE comes first."""
    errors = {f.key: number(f.card, "report", "mae_bpm") for f in run.finalists}
    options = {key: f"{key} ({fixed(mae, unit='BPM')})" for key, mae in errors.items()}
    first = min(errors, key=lambda key: (errors[key] is None, errors[key] or 0.0), default="")
    return Menu("finalist", "Finalist", options, first)


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


def places(labels: list[str], *, pad: float) -> dict[str, Any]:
    """A vertical axis of positions, first on top: two shortened names may be equal."""
    ends = [len(labels) - 1 + pad, -pad]
    return {"tickvals": list(range(len(labels))), "ticktext": labels, "range": ends}


def _draw_people(info: dict[str, Any], *, synthetic: bool) -> go.Figure:
    shown = [p for p in info["people"] if p["mae_bpm"] is not None][:MOST_BARS]
    names = [label(p["person"]) for p in shown]
    rows = list(range(len(shown)))
    drawn = figure(max(260, 110 + 22 * len(shown)), "MAE (BPM)", synthetic=synthetic, bargap=0.3)
    drawn.update_layout(xaxis_rangemode="tozero", yaxis_showgrid=False, legend_entrywidth=70)
    drawn.update_yaxes(places(names, pad=0.6))
    drawn.add_bar(
        orientation="h",
        name="raw",
        y=rows,
        x=[p["mae_bpm"] for p in shown],
        customdata=[[name, p["windows"] or 0] for name, p in zip(names, shown, strict=True)],
        hovertemplate="%{customdata[0]}<br>raw %{x:.2f} BPM, %{customdata[1]:.0f} windows"
        "<extra></extra>",
        marker_color=BLUE,
    )
    drawn.add_scatter(
        mode="markers",
        name="smoothed",
        y=rows,
        x=[p["mae_bpm_smoothed"] for p in shown],
        marker={"color": ORANGE, "size": 9, "line": {"color": INK, "width": 1}},
        hovertemplate="smoothed %{x:.2f} BPM<extra></extra>",
    )
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


def people_section(run: RunData) -> Section | None:
    """Bars of the worst people and a table of all."""
    infos = {f.key: _people_info(f) for f in run.finalists}
    infos = {key: info for key, info in infos.items() if info["people"]}
    if not infos:
        return None
    return section(
        "report/people.html",
        "Error of each person",
        infos=infos,
        figures={k: _draw_people(info, synthetic=run.synthetic) for k, info in infos.items()},
        menu=finalist_menu(run),
        most=max(len(info["people"]) for info in infos.values()),
        most_bars=MOST_BARS,
    )


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
    names = [
        f"{label(d)}<br>{n} {'person' if n == 1 else 'people'}" for d, n in info["people"].items()
    ]
    height_px = 170 + len(names) * max(34, 14 * len(info["finalists"]))
    drawn = figure(height_px, "MAE (BPM)", synthetic=info["synthetic"], bargap=0.25)
    drawn.update_layout(
        barmode="group",
        xaxis_rangemode="tozero",
        yaxis_showgrid=False,
        showlegend=True,
        legend={"traceorder": "normal", "entrywidth": 62},
    )
    drawn.update_yaxes(places(names, pad=0.5))
    for i, f in enumerate(info["finalists"]):
        drawn.add_bar(
            orientation="h",
            name=f"finalist {f['finalist']}",
            y=list(range(len(names))),
            x=[f[column].get(dataset) for dataset in info["people"]],
            hovertemplate=f"finalist {f['finalist']}: %{{x:.2f}} BPM<extra></extra>",
            marker_color=SERIES[i % len(SERIES)],
        )
    return drawn


def datasets_section(run: RunData) -> Section | None:
    """MAE by data set, raw or smoothed."""
    info = _datasets_info(run)
    if not info["people"]:
        return None
    return section(
        "report/datasets.html",
        "Error by data set",
        menu=Menu("datasets", "Show", {"raw": "raw", "smoothed": "smoothed"}, "raw"),
        figures={
            "raw": _draw_datasets(info, "mae_bpm"),
            "smoothed": _draw_datasets(info, "mae_bpm_smoothed"),
        },
    )

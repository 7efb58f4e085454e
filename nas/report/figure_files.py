"""Every figure of a report as files: CSV, and PNG and SVG where kaleido is installed."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.report.loading import load_run
from nas.report.report import sections_of
from nas.report.sections.parallel import LOGARITHM
from ppgnas.files import write_text_atomic

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH_PX = 1000
SCALE = 2  # of a PNG: twice the pixels for print


def figures_of(run: Path) -> dict[str, go.Figure]:
    """File name without its end -> figure: the section, the figure, what the menu chose.

    Raises:
        RunError: as `nas.report.report.build_report`.
    """
    found = {}
    for part in sections_of(load_run(run)):
        for name, variants in part.figures.items():
            for value, drawn in variants.items():
                words = (part.key, "" if name in ("figures", "drawn") else name, value)
                found["-".join(word for word in words if word)] = drawn
    return found


def write_figures(run: Path, folder: Path) -> list[Path]:
    """Write all figures of a run, those of before replaced.

    Returns:
        What was written; no pictures without kaleido.

    Raises:
        RunError: as `nas.report.report.build_report`.
        OSError: the folder cannot be written.
    """
    figures = figures_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, drawn in figures.items():
        write_text_atomic(folder / f"{name}.csv", to_csv(drawn))
        written.append(folder / f"{name}.csv")
    if not has_kaleido():
        return written
    import plotly.io

    for suffix, scale in (("png", SCALE), ("svg", 1)):
        paths = [folder / f"{name}.{suffix}" for name in figures]
        heights = [drawn.layout.height for drawn in figures.values()]
        plotly.io.write_images(
            list(figures.values()), paths, width=WIDTH_PX, height=heights, scale=scale
        )
        written += paths
    return written


def has_kaleido() -> bool:
    """Whether Plotly can make pictures here."""
    return importlib.util.find_spec("kaleido") is not None


def to_csv(drawn: go.Figure) -> str:
    """One row a point: the trace's name, x and y; of parallel axes one row a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for trace in drawn.data:
        if trace.type == "parcoords":
            axes = trace.dimensions
            writer.writerow([axis.label.replace("<br>", " ") for axis in axes])
            columns = [np.asarray(axis.values, dtype=np.float64) for axis in axes]
            shown = [
                10**column if axis.name == LOGARITHM else column
                for axis, column in zip(axes, columns, strict=True)
            ]
            writer.writerows(np.column_stack(shown).round(6).tolist())
    rows = [row for trace in drawn.data for row in _points(trace)]
    if rows:
        writer.writerow(["trace", "x", "y"])
        writer.writerows(rows)
    return text.getvalue()


def _points(trace: Any) -> Iterator[tuple[object, ...]]:
    """Points of a trace; gaps in a line are left out."""
    if trace.type == "parcoords":
        return
    y_values = np.asarray(trace.y)
    x_values = trace.x0 + trace.dx * np.arange(len(y_values)) if trace.x is None else trace.x
    for x, y in zip(np.asarray(x_values).tolist(), y_values.tolist(), strict=True):
        if x is not None and y is not None:
            yield trace.name or trace.type, x, y

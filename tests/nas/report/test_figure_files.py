"""Figures of a report as files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nas.report import figure_files
from nas.report.figure_files import figures_of, to_csv, write_figures
from nas.report.loading import load_run
from tests.nas.report.report_run import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures") / "run"
    make_run(folder, candidates=60, finalists=3, people=4, windows=30)
    return folder


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_every_figure_is_a_table_without_kaleido(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_files, "has_kaleido", lambda: False)
    written = write_figures(run, tmp_path / "new" / "figures")
    assert {path.suffix for path in written} == {".csv"}
    assert {path.stem for path in written} == set(figures_of(run))
    assert {"pareto-flash_bytes", "parallel-all", "people-1", "history"} <= set(figures_of(run))
    assert all(len(path.read_text().splitlines()) > 1 for path in written)


def test_points_and_lines_are_those_of_the_run(run: Path) -> None:
    data, figures = load_run(run), figures_of(run)
    points = rows(to_csv(figures["pareto-flash_bytes"]))
    finalists = [p for p in points if p["trace"].startswith("finalist (retrained")]
    assert [float(point["x"]) for point in finalists] == pytest.approx(
        [f.cost("flash_bytes") / 1024 for f in data.finalists]
    )
    lines = rows(to_csv(figures["parallel-all"]))
    judged = [c.mae_bpm for c in data.candidates if c.mae_bpm]
    assert len(lines) == len(judged)
    assert np.allclose([float(line["MAE (BPM)"]) for line in lines], judged, rtol=1e-5)


def test_pictures(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is handed to Plotly; a browser takes too long here."""
    import plotly.io

    handed = []
    monkeypatch.setattr(figure_files, "has_kaleido", lambda: True)
    monkeypatch.setattr(
        plotly.io, "write_images", lambda *args, **options: handed.append((args, options))
    )
    written = write_figures(run, tmp_path)
    count = len(figures_of(run))
    assert len(written) == 3 * count
    (figures, paths), options = handed[0]
    assert len(figures) == len(paths) == len(options["height"]) == count
    assert [len(args[1]) for args, _ in handed] == [count, count]
    assert {path.suffix for args, _ in handed for path in args[1]} == {".png", ".svg"}

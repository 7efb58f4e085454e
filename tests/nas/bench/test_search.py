from __future__ import annotations

from pathlib import Path

import pytest

from nas.bench import search as bench
from nas.run.folder import FORMAT, RunDir
from ppgnas.errors import RunError


def test_figures_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ARCHITECTURES", 50)
    monkeypatch.setattr(bench, "STARTS", 1)
    figures = bench.bench_search()
    assert 1 < figures["cost_us"] < 1e5
    assert 0 < figures["help_s"] < 60
    assert "run" not in figures


def test_figures_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "cost_us", lambda: 100.0)
    monkeypatch.setattr(bench, "help_s", lambda: 0.1)
    run = RunDir(tmp_path / "run")
    with pytest.raises(RunError, match="holds no run"):
        bench.bench_search(run)
    run.write_document({"run": {"format": FORMAT}, "time_s": {"total": 3.0}})
    with pytest.raises(RunError, match="the run is not complete"):
        bench.bench_search(run)
    run.write_candidates({"considered": 5, "evaluated": 4}, "")
    assert bench.bench_search(run)["run"] == {
        "path": str(run.path),
        "considered": 5,
        "evaluated": 4,
        "finalists": 0,
        "time_s": {"total": 3.0},
    }

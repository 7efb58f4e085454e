from __future__ import annotations

from pathlib import Path

import pytest

from nas.bench.search import speed as bench
from nas.run.folder import RunDir
from ppgnas.errors import RunError
from tests.nas.run.made import made_candidates, run_document


def test_figures_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ARCHITECTURES", 50)
    monkeypatch.setattr(bench, "STARTS", 1)
    monkeypatch.setattr(bench, "STUDIES", (20,))
    figures = bench.bench_search()
    assert figures.overhead_ms.keys() == {20}
    assert min(figures.cost_us, figures.overhead_ms[20], figures.help_s) > 0
    assert figures.run is None


def test_figures_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "cost_us", lambda: 100.0)
    monkeypatch.setattr(bench, "overhead_ms", lambda candidates: 1.0)
    monkeypatch.setattr(bench, "help_s", lambda: 0.1)
    run = RunDir(tmp_path / "run")
    with pytest.raises(RunError, match="holds no run"):
        bench.bench_search(run)
    run.write_document(run_document(time_s={"total": 3.0}))
    with pytest.raises(RunError, match="the run is not complete"):
        bench.bench_search(run)
    run.write_candidates(made_candidates())
    assert bench.bench_search(run).run == bench.RunFigures(
        str(run.path), considered=2, evaluated=1, finalists=0, time_s={"total": 3.0}
    )

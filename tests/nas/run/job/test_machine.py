"""How many cores there are to use."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.run.job.machine import available_cores


@pytest.mark.parametrize(
    ("quota", "most"),
    [
        ("25000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", 2),
        ("max 100000", 64),
        ("", 64),
    ],
)
def test_a_container_gets_no_more_processes_than_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, most: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    (tmp_path / "cpu.max").write_text(quota)
    assert available_cores(tmp_path / "cpu.max") == most
    assert available_cores(tmp_path / "missing") == 64

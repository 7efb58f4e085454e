"""How many cores there are to use, and what they worked."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from distill.training.jobs import become_worker, worker_processes
from nas.run.job.machine import available_cores, core_seconds


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


def _work(seconds: float) -> int:
    until_s = time.process_time() + seconds
    while time.process_time() < until_s:
        pass
    return os.getppid()


@pytest.mark.skipif(sys.platform != "linux", reason="what still runs is seen on Linux")
def test_workers_count_while_they_are_there_and_afterwards() -> None:
    before_s = core_seconds()
    with worker_processes(1, become_worker, killed="killed") as executor:
        parent = executor.submit(_work, 0.4).result()
        assert parent != os.getpid()  # no child of this process
        assert core_seconds() - before_s >= 0.39
    executor.shutdown()
    assert core_seconds() - before_s >= 0.39
